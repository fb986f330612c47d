import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import { BlobDigest } from '#contract/ids.js';
import { attachedTag } from '#contract/image-trust.js';
import type { ImageSource, Referrer, ResolvedImage } from '#registry/artifact/image-source.js';
import { formatReference, parseReference } from '#registry/client/reference.js';

/** Signatures, statements and bundles have some kilobytes; a list of what is in an image may have more, and is not read here. */
const MOST_BYTES = 1024 * 1024;
/** Of each kind; who may push to the repository can add any number. */
const MOST_ATTACHED = 50;

const Layers = z.object({
  layers: z.array(z.object({ mediaType: z.string(), digest: BlobDigest, size: z.int().nonnegative(), annotations: z.record(z.string(), z.string()).optional() })),
});
export type Layer = z.infer<typeof Layers>['layers'][number];

/** What is attached to one image, asked of the registry that holds it. */
export class Attached {
  constructor(
    private readonly image: ResolvedImage,
    private readonly source: ImageSource,
    private readonly signal: AbortSignal,
  ) {}

  /** Layers under the tag that cosign makes of the image's digest; none when there is no such tag. Throws what the source throws else. */
  async tagged(suffix: 'sig' | 'att' | 'sbom'): Promise<{ image: ResolvedImage; layers: Layer[] }> {
    const tag = attachedTag(this.image.digest, suffix);
    try {
      const found = await this.source.resolve(formatReference({ ...parseReference(this.image.reference), digest: undefined, tag }), this.signal);
      return { image: found, layers: readLayers(found.manifest) };
    } catch (error) {
      if (error instanceof WhorlError && error.code === 'REGISTRY_IMAGE_UNKNOWN') return { image: this.image, layers: [] };
      throw error;
    }
  }

  async referrers(): Promise<Referrer[]> {
    return (await this.source.referrers(this.image, this.signal)).slice(0, MOST_ATTACHED);
  }

  /** Layers of a manifest that refers to the image. */
  async layersOf({ digest }: Referrer): Promise<Layer[]> {
    return readLayers(await this.source.manifest(this.image, digest, this.signal));
  }

  /** A layer's content. Throws an error when it is too large to be a signature. */
  async read({ digest, size }: Layer, of: ResolvedImage = this.image): Promise<Buffer> {
    if (size > MOST_BYTES) throw new Error(`it has ${size} bytes, more than the ${MOST_BYTES} that are read`);
    const folder = await mkdtemp(join(tmpdir(), 'whorl-trust-'));
    try {
      const path = join(folder, 'blob');
      await this.source.fetchBlob(of, { digest, bytes: size }, path, this.signal);
      return await readFile(path);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Where a manifest or a blob of the image's repository is had (distribution-spec, pull); a path for the built-in registry. */
  urlOf(kind: 'manifests' | 'blobs', digest: string): string {
    const { host, repository } = parseReference(this.image.reference);
    return `${host === undefined ? '' : `https://${host === 'docker.io' ? 'registry-1.docker.io' : host}`}/v2/${repository}/${kind}/${digest}`;
  }
}

/** What is no image manifest has none. */
function readLayers(manifest: Buffer): Layer[] {
  try {
    return Layers.parse(JSON.parse(manifest.toString('utf8'))).layers.slice(0, MOST_ATTACHED);
  } catch {
    return [];
  }
}
