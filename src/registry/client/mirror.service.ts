import { WhorlError } from '#contract/errors.js';
import type { BlobDigest } from '#contract/ids.js';
import type { StorageQuota } from '#contract/storage-quota.js';
import { eachAtOnce } from '#platform/each-at-once.js';
import type { ResolvedImage } from '#registry/artifact/image-source.js';
import type { NamedContent } from '#registry/repositories/manifest.js';
import { formatRepositoryName, parseRepositoryName, type RepositoryName } from '#registry/repositories/repository-name.js';
import type { RepositoriesService } from '#registry/repositories/repositories.service.js';
import type { UploadsService } from '#registry/repositories/uploads.service.js';
import { formatReference, parseReference } from './reference.js';
import type { RemoteImageSource } from './remote-image-source.js';
import { readRemoteTree } from './remote-tree.js';

export interface MirrorParts {
  source: RemoteImageSource;
  repositories: RepositoriesService;
  uploads: UploadsService;
  quota: StorageQuota;
}

export interface MirrorCall {
  /** An image of another registry. */
  from: string;
  /** `<org>/<app>:<tag>` or `<app>:<tag>` of the built-in one. */
  to: string;
  /** With signatures, provenance and whatever else refers to it. */
  attached: boolean;
  /** Whether its blobs may be given to the caller, so that they need not be fetched. */
  mayPull: (repository: RepositoryName) => boolean;
  /** Name of the caller's token. */
  by?: string;
}

export interface Mirrored {
  /** In full. */
  from: string;
  to: string;
  /** The same in both registries. */
  digest: BlobDigest;
  mediaType: string;
  manifests: number;
  blobs: number;
  /** Those of them that were not there yet. */
  fetchedBlobs: number;
  fetchedBytes: number;
}

/** Blobs that are fetched side by side for one image. */
const BLOBS_AT_ONCE = 4;

/** Takes images of other registries into the built-in one, byte for byte. */
export class MirrorService {
  constructor(private readonly parts: MirrorParts) {}

  /**
   * Fetches what the repository does not have; the tag leads to the image in the last step, when everything is there. What was fetched before a
   * failure is not fetched again. Throws REGISTRY_IMAGE_… errors for the other registry, REGISTRY_NAME_INVALID, REGISTRY_QUOTA_EXCEEDED
   * before the first byte, and what `putManifest` throws for this one, the signal's reason.
   */
  async mirror({ from, to, attached, mayPull, by }: MirrorCall, signal: AbortSignal): Promise<Mirrored> {
    const { repository, tag } = parseTarget(to);
    const image = await this.parts.source.resolve(from, signal);
    const { manifests, blobs } = await readRemoteTree(this.parts.source, image, attached, signal);
    const missing: NamedContent[] = [];
    await eachAtOnce(BLOBS_AT_ONCE, blobs, async (blob) => {
      signal.throwIfAborted();
      if (!(await this.isThere(repository, blob, mayPull))) missing.push(blob);
    });
    const fetchedBytes = missing.reduce((sum, { bytes }) => sum + bytes, 0);
    await this.parts.quota.require(repository.org, fetchedBytes, { isAnnounced: true });
    await this.fetchAll(image, { repository, missing }, signal);
    for (const { digest, mediaType, content, tags } of manifests) {
      signal.throwIfAborted();
      await this.parts.repositories.putManifest(repository, digest, { mediaType, content, tags: digest === image.digest ? [...tags, tag] : tags, pushedBy: by });
    }
    return {
      from: image.reference, to: `${formatRepositoryName(repository)}:${tag}`, digest: image.digest, mediaType: image.mediaType,
      manifests: manifests.length, blobs: blobs.length, fetchedBlobs: missing.length, fetchedBytes,
    };
  }

  /** The first failure ends what goes on beside it. */
  private async fetchAll(image: ResolvedImage, { repository, missing }: { repository: RepositoryName; missing: NamedContent[] }, signal: AbortSignal): Promise<void> {
    const failed = new AbortController();
    const ends = AbortSignal.any([signal, failed.signal]);
    await eachAtOnce(BLOBS_AT_ONCE, missing, async (blob) => {
      try {
        await this.fetch(image, repository, blob, ends);
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    }).catch(() => ends.throwIfAborted());
  }

  private async isThere(repository: RepositoryName, { digest, bytes }: NamedContent, mayPull: MirrorCall['mayPull']): Promise<boolean> {
    const found = await this.parts.repositories.findBlob(repository, digest, true);
    if (found) return found.bytes === bytes;
    return this.parts.repositories.mount(repository, digest, undefined, mayPull);
  }

  /** The bytes are fetched even if the store has them for others: that the other registry names a digest does not say that it has them. */
  private async fetch(image: ResolvedImage, repository: RepositoryName, blob: NamedContent, signal: AbortSignal): Promise<void> {
    await this.parts.source.readBlob(image, blob, (content) => this.parts.uploads.take(repository, blob.digest, content, blob.bytes), signal);
  }
}

function parseTarget(to: string): { repository: RepositoryName; tag: string } {
  const parsed = parseReference(to);
  if (parsed.host !== undefined) throw new WhorlError('REGISTRY_IMAGE_REFERENCE_INVALID', `${formatReference(parsed)} is in another registry: images are mirrored into this one, <org>/<app>:<tag>`);
  if (parsed.digest !== undefined || parsed.tag === undefined) throw new WhorlError('REGISTRY_IMAGE_REFERENCE_INVALID', `${formatReference(parsed)} names a digest: an image keeps the one it has, and gets a tag`);
  return { repository: parseRepositoryName(parsed.repository), tag: parsed.tag };
}
