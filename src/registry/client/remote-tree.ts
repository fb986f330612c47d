import { WhorlError } from '#contract/errors.js';
import type { BlobDigest } from '#contract/ids.js';
import type { ResolvedImage } from '#registry/artifact/image-source.js';
import { type NamedContent, readManifest } from '#registry/repositories/manifest.js';
import { formatReference, parseReference } from './reference.js';
import type { RemoteImageSource } from './remote-image-source.js';
import type { RemoteManifest } from './remote-registry.client.js';

/** Of one image with all that hangs on it. More is no image that anybody runs. */
const MAX_MANIFESTS = 500;
/** What cosign wrote before there were referrers: tags that are made of the image's digest. */
const DIGEST_TAGS = ['sig', 'att', 'sbom'];

export interface TreeManifest extends RemoteManifest {
  /** Tags that lead to it besides the one that was asked for. */
  tags: string[];
}

export interface RemoteTree {
  /** What others name comes before them; the image itself comes last. */
  manifests: TreeManifest[];
  /** What the manifests name and must be there, once each. */
  blobs: NamedContent[];
}

/**
 * All manifests of an image: itself, what its index names, and with `attached` what refers to any of these (signatures, provenance), under
 * the tags that old tools look for too. Throws REGISTRY_IMAGE_… errors, also for manifests that could not be pushed here.
 */
export async function readRemoteTree(source: RemoteImageSource, image: ResolvedImage, attached: boolean, signal: AbortSignal): Promise<RemoteTree> {
  const seen = new Set<BlobDigest>();
  const manifests: TreeManifest[] = [];
  const blobs = new Map<BlobDigest, NamedContent>();

  const visit = async (manifest: RemoteManifest, tags: string[]): Promise<void> => {
    if (seen.has(manifest.digest)) return;
    seen.add(manifest.digest);
    if (seen.size > MAX_MANIFESTS) throw new WhorlError('REGISTRY_IMAGE_UNSUPPORTED', `${image.reference} has more than ${MAX_MANIFESTS} manifests`);
    for (const named of namesOf(image, manifest)) {
      // What an image may have elsewhere is not the registry's to keep.
      if (!named.required) continue;
      if (named.kind === 'manifest') await visit(await source.typedManifest(image, named.digest, signal), []);
      else blobs.set(named.digest, named);
    }
    if (attached) for (const { digest } of await source.referrers({ ...image, digest: manifest.digest }, signal)) await visit(await source.typedManifest(image, digest, signal), []);
    manifests.push({ ...manifest, tags });
  };

  if (attached) for (const { manifest, tag } of await digestTags(source, image, signal)) await visit(manifest, [tag]);
  await visit({ digest: image.digest, mediaType: image.mediaType, content: image.manifest }, []);
  return { manifests, blobs: [...blobs.values()] };
}

function namesOf({ reference }: ResolvedImage, { digest, mediaType, content }: RemoteManifest): NamedContent[] {
  try {
    return readManifest(mediaType, content).names;
  } catch (cause) {
    throw new WhorlError('REGISTRY_IMAGE_UNSUPPORTED', `${reference}: ${digest}: ${(cause as Error).message}`, { cause });
  }
}

async function digestTags(source: RemoteImageSource, { reference, digest }: ResolvedImage, signal: AbortSignal): Promise<{ manifest: RemoteManifest; tag: string }[]> {
  const { host, repository } = parseReference(reference);
  const found = await Promise.all(DIGEST_TAGS.map(async (suffix) => {
    const tag = `${digest.replace(':', '-')}.${suffix}`;
    try {
      const { manifest: content, ...rest } = await source.resolve(formatReference({ host, repository, tag, digest: undefined }), signal);
      return { tag, manifest: { ...rest, content } };
    } catch (error) {
      // No tag may have so many characters as one of a sha512 has.
      if (error instanceof WhorlError && (error.code === 'REGISTRY_IMAGE_UNKNOWN' || error.code === 'REGISTRY_IMAGE_REFERENCE_INVALID')) return undefined;
      throw error;
    }
  }));
  return found.filter((each) => each !== undefined);
}
