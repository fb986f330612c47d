import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { WhorlError } from '#contract/errors.js';
import type { BlobDigest } from '#contract/ids.js';
import { type ImageBlob, ImageSource, type Referrer, type ResolvedImage } from '#registry/artifact/image-source.js';
import { formatReference, type ImageReference, parseReference } from '#registry/client/reference.js';
import type { RepositoriesService } from '#registry/repositories/repositories.service.js';
import { formatRepositoryName, parseRepositoryName, type RepositoryName } from '#registry/repositories/repository-name.js';
import type { BlobStorage } from '#registry/storage/blob-storage.js';
import { verify } from '#registry/storage/verify.js';

/** Images of the built-in registry: their bytes are in the store already, and are never sent over the network. */
export class BuiltInImages extends ImageSource {
  constructor(private readonly repositories: RepositoriesService, private readonly storage: BlobStorage) {
    super();
  }

  /** Throws REGISTRY_IMAGE_REFERENCE_INVALID too. */
  async resolve(reference: string, signal: AbortSignal): Promise<ResolvedImage> {
    signal.throwIfAborted();
    const parsed = parseReference(reference);
    const name = nameOf(parsed);
    const full = formatReference({ ...parsed, host: undefined, repository: formatRepositoryName(name) });
    const found = await this.repositories.resolve(name, parsed.digest ?? parsed.tag!);
    if (!found) throw new WhorlError('REGISTRY_IMAGE_UNKNOWN', `the built-in registry has no image ${full}`);
    const { content, mediaType } = await this.repositories.manifest(name, found.digest);
    return { reference: full, digest: found.digest, mediaType, manifest: content };
  }

  async manifest({ reference }: ResolvedImage, digest: BlobDigest): Promise<Buffer> {
    const name = nameOf(parseReference(reference));
    if (!(await this.repositories.resolve(name, digest))) throw new WhorlError('REGISTRY_IMAGE_UNKNOWN', `${reference} names a manifest that its repository does not have: ${digest}`);
    return (await this.repositories.manifest(name, digest)).content;
  }

  async hasBlob({ reference }: ResolvedImage, { digest }: ImageBlob): Promise<boolean> {
    return (await this.repositories.findBlob(nameOf(parseReference(reference)), digest)) !== undefined;
  }

  /** Throws REGISTRY_BLOB_UNKNOWN, REGISTRY_IMAGE_UNSUPPORTED for a manifest that gives it another size, and REGISTRY_BLOB_MISMATCH when the store is damaged. */
  async fetchBlob({ reference }: ResolvedImage, blob: ImageBlob, path: string, signal: AbortSignal): Promise<void> {
    const found = await this.repositories.findBlob(nameOf(parseReference(reference)), blob.digest);
    if (!found) throw new WhorlError('REGISTRY_BLOB_UNKNOWN', `the repository of ${reference} has no blob ${blob.digest}`);
    if (found.bytes !== blob.bytes) throw new WhorlError('REGISTRY_IMAGE_UNSUPPORTED', `${reference}: its manifest says that ${blob.digest} has ${blob.bytes} bytes, it has ${found.bytes}`);
    const { content } = await this.storage.get(blob.digest);
    try {
      await pipeline(verify(blob, content), createWriteStream(path, { flags: 'wx' }), { signal });
    } catch (error) {
      await rm(path, { force: true });
      signal.throwIfAborted();
      throw error;
    }
  }

  async referrers({ reference, digest }: ResolvedImage): Promise<Referrer[]> {
    const name = nameOf(parseReference(reference));
    const all: Referrer[] = [];
    for (let after: string | undefined = ''; after !== undefined; ) {
      const page = await this.repositories.referrers(name, digest, undefined, after);
      all.push(...page.referrers);
      after = page.next;
    }
    return all;
  }
}

function nameOf(parsed: ImageReference): RepositoryName {
  try {
    return parseRepositoryName(parsed.repository);
  } catch (cause) {
    throw new WhorlError('REGISTRY_IMAGE_REFERENCE_INVALID', `${formatReference(parsed)}: ${(cause as Error).message}; an image of another registry begins with its host`, { cause });
  }
}
