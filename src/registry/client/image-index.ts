import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';

const Entry = z.object({
  mediaType: z.string(),
  digest: z.string(),
  platform: z.object({ os: z.string().optional(), architecture: z.string().optional() }).optional(),
  annotations: z.record(z.string(), z.string()).nullish(),
});
type Entry = z.infer<typeof Entry>;
const Index = z.object({ manifests: z.array(Entry) });

/** Newest first; `wasi` is what Docker wrote before previews had names of their own. */
const WASM_SYSTEMS = ['wasip2', 'wasi', 'wasip1'];
const WASM_ARCHITECTURES = new Set(['wasm', 'wasm32']);

/**
 * The digest of what an index has for WebAssembly (architecture `wasm`, system `wasip2`, `wasi` or `wasip1`, in this order), or of its only
 * image. What BuildKit adds about images (attestations) is none. Throws REGISTRY_IMAGE_UNSUPPORTED, which lists what there is.
 */
export function chooseFromIndex(content: Buffer): string {
  const { manifests } = readIndex(content);
  const images = manifests.filter((entry) => entry.annotations?.['vnd.docker.reference.type'] !== 'attestation-manifest');
  for (const system of WASM_SYSTEMS) {
    // Spin writes "Wasip1".
    const [found, ...others] = images.filter(({ platform }) => WASM_ARCHITECTURES.has(platform?.architecture?.toLowerCase() ?? '') && platform?.os?.toLowerCase() === system);
    if (found && others.every(({ digest }) => digest === found.digest)) return found.digest;
    if (found) throw new WhorlError('REGISTRY_IMAGE_UNSUPPORTED', `the image index has ${others.length + 1} images for ${system}/${found.platform?.architecture}: name the one by its digest`);
  }
  const [only, ...others] = images;
  if (only && others.length === 0) return only.digest;
  const there = images.map(({ platform }) => `${platform?.os ?? '?'}/${platform?.architecture ?? '?'}`).join(', ');
  throw new WhorlError('REGISTRY_IMAGE_UNSUPPORTED', `the image index has nothing for WebAssembly (wasip2/wasm, wasi/wasm), but ${there || 'nothing at all'}`);
}

function readIndex(content: Buffer): z.infer<typeof Index> {
  try {
    return Index.parse(JSON.parse(content.toString('utf8')));
  } catch (error) {
    throw new WhorlError('REGISTRY_IMAGE_UNSUPPORTED', `the image index cannot be read: ${error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message}`, { cause: error });
  }
}
