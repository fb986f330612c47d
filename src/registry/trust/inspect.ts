import { WhorlError } from '#contract/errors.js';
import type { ImageAttachment, ImageSignature } from '#contract/image-trust.js';
import type { Referrer, ResolvedImage } from '#registry/artifact/image-source.js';
import type { Attached, Layer } from './attached.js';
import { kindOf } from './attachment-kind.js';
import { BUNDLE_TYPE, type FoundSignature, readBundle, readTagSignature, SIMPLE_SIGNING } from './found-signature.js';
import { judge, type Judgement } from './judge.js';

export interface Inspection {
  signatures: ImageSignature[];
  attachments: ImageAttachment[];
}

/** Annotations that say what a statement is about before it is opened: cosign's, and those of in-toto's own registries. */
const PREDICATE_ANNOTATIONS = ['dev.sigstore.bundle.predicateType', 'predicateType', 'in-toto.io/predicate-type'];

/** They are kept with the version; who attaches something may write any number of them. */
const MOST_ANNOTATION_CHARS = 4096;

/** All that is attached to an image, each signature judged. Throws what the registry of the image throws. */
export async function inspect(image: ResolvedImage, attached: Attached, judgement: Judgement): Promise<Inspection> {
  const signatures: ImageSignature[] = [];
  const attachments: ImageAttachment[] = [];
  const open = (stored: ImageSignature['stored'], layer: Layer, read: () => Promise<FoundSignature>): Promise<Opened> => openSignature(image, { stored, layer, read, judgement });
  const tag = await attached.tagged('sig');
  for (const layer of tag.layers.filter(({ mediaType }) => mediaType === SIMPLE_SIGNING)) {
    const { signature } = await open('tag', layer, async () => readTagSignature(layer.digest, await attached.read(layer, tag.image), layer.annotations ?? {}));
    signatures.push(signature);
  }
  for (const referrer of await attached.referrers()) {
    // An index under a tag, where a registry has no list, may not say what its entries are.
    const mayBe = referrer.artifactType === undefined || BUNDLE_TYPE.test(referrer.artifactType);
    const layer = mayBe ? (await attached.layersOf(referrer)).find(({ mediaType }) => BUNDLE_TYPE.test(mediaType)) : undefined;
    const opened = layer && (await open('bundle', layer, async () => readBundle(layer.digest, await attached.read(layer), image)));
    // A statement about something else than "this is signed" is shown for what it states; no policy asks for it.
    if (opened && opened.predicateType === undefined) signatures.push(opened.signature);
    else attachments.push(toAttachment(referrer, attached.urlOf('manifests', referrer.digest), opened));
  }
  for (const suffix of ['att', 'sbom'] as const) {
    for (const { mediaType, digest, size, annotations } of (await attached.tagged(suffix)).layers) {
      const predicateType = predicateOf(annotations);
      const kind = suffix === 'sbom' ? 'sbom' : kindOf({ predicateType, mediaType });
      attachments.push({ kind, stored: 'tag', digest, bytes: size, mediaType, ...(predicateType && { predicateType }), url: attached.urlOf('blobs', digest) });
    }
  }
  return { signatures, attachments };
}

interface Opened {
  signature: ImageSignature;
  predicateType?: string | undefined;
}

interface ToOpen {
  stored: ImageSignature['stored'];
  layer: Layer;
  read: () => Promise<FoundSignature>;
  judgement: Judgement;
}

/** What is malformed is a signature that does not count; what cannot be read for now decides nothing, and throws. */
async function openSignature(image: ResolvedImage, { stored, layer, read, judgement }: ToOpen): Promise<Opened> {
  try {
    const found = await read();
    return { signature: judge(found, image.digest, judgement), predicateType: found.predicateType };
  } catch (error) {
    if (error instanceof WhorlError || 'errno' in (error as object) || (error as Error).name === 'AbortError') throw error;
    return { signature: { stored, digest: layer.digest, verified: false, reason: (error as Error).message } };
  }
}

function toAttachment({ mediaType, digest, bytes, artifactType, annotations }: Referrer, url: string, opened: Opened | undefined): ImageAttachment {
  const signature = opened?.signature;
  const predicateType = opened?.predicateType ?? predicateOf(annotations);
  return {
    kind: kindOf({ predicateType, artifactType: signature ? '' : artifactType, mediaType: '' }), stored: 'referrer', digest, bytes, mediaType,
    ...(artifactType !== undefined && { artifactType }), ...(predicateType && { predicateType }), ...(annotations && JSON.stringify(annotations).length <= MOST_ANNOTATION_CHARS && { annotations }), url,
    ...(signature && { verified: signature.verified, ...(signature.reason !== undefined && { reason: signature.reason }) }),
  };
}

function predicateOf(annotations: Readonly<Record<string, string>> = {}): string | undefined {
  return PREDICATE_ANNOTATIONS.map((name) => annotations[name]).find((value) => value !== undefined && value !== '');
}
