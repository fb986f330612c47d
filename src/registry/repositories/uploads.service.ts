import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import type { BlobDigest } from '#contract/ids.js';
import type { StorageQuota } from '#contract/storage-quota.js';
import type { BlobStat, BlobStorage } from '#registry/storage/blob-storage.js';
import type { RepositoryBlobRepository } from './repository-blob.repository.js';
import type { RepositoryName } from './repository-name.js';
import type { RepositoryRepository } from './repository.repository.js';
import type { UploadRepository } from './upload.repository.js';

const UploadId = z.uuid();

export interface UploadsParts {
  storage: BlobStorage;
  repositories: RepositoryRepository;
  blobs: RepositoryBlobRepository;
  uploads: UploadRepository;
  quota: StorageQuota;
}

/** Bytes of an upload. */
export interface UploadChunk {
  /** Where they go; without it after all that is there. */
  offset?: number | undefined;
  /** How many there are, when that is known: the organisation's quota is then looked at before the first one is read. */
  bytes?: number | undefined;
  content: AsyncIterable<Uint8Array>;
}

/** How far an upload has come is noted each time that so many bytes more are there. */
const NOTE_BYTES = 8 * 1024 * 1024;

/**
 * Blobs on their way into a repository (distribution-spec, push). Nothing is in the memory of this process that the next chunk needs: any
 * replica takes it.
 */
export class UploadsService {
  constructor(private readonly parts: UploadsParts) {}

  /** Makes the repository when it is new. Throws REGISTRY_NAME_UNKNOWN. */
  async begin(repository: RepositoryName): Promise<string> {
    return this.parts.uploads.create(await this.parts.repositories.ensure(repository));
  }

  /** How many bytes are there. Throws REGISTRY_UPLOAD_UNKNOWN. */
  async bytes(repository: RepositoryName, id: string): Promise<number> {
    await this.require(repository, id);
    return this.parts.storage.uploadBytes(id);
  }

  /**
   * Answers how many bytes are there now. Throws REGISTRY_UPLOAD_UNKNOWN, REGISTRY_UPLOAD_CONFLICT when the chunk does not go on where the
   * upload stands, REGISTRY_QUOTA_EXCEEDED.
   */
  async append(repository: RepositoryName, id: string, chunk: UploadChunk): Promise<number> {
    await this.require(repository, id);
    const bytes = await this.store(repository, id, chunk);
    await this.parts.uploads.setBytes(id, bytes);
    return bytes;
  }

  /** Makes a blob of the repository of it, with its last chunk if there is one. Throws as `append` does, and REGISTRY_DIGEST_INVALID: then the upload is gone. */
  async finish(repository: RepositoryName, id: string, digest: BlobDigest, last?: UploadChunk): Promise<BlobStat<BlobDigest>> {
    const repositoryId = await this.require(repository, id);
    if (last) await this.store(repository, id, last);
    const blob = await this.complete(id, digest).catch(async (error: unknown) => {
      if (error instanceof WhorlError && error.code === 'REGISTRY_DIGEST_INVALID') await this.parts.uploads.delete(id);
      throw error;
    });
    await this.parts.blobs.link(repositoryId, blob);
    await this.parts.uploads.delete(id);
    return blob;
  }

  /** An upload in one step. Its bytes are taken even if there is such a blob: who has none of them must not get at it. Throws REGISTRY_DIGEST_INVALID, REGISTRY_NAME_UNKNOWN, REGISTRY_QUOTA_EXCEEDED. */
  async take(repository: RepositoryName, digest: BlobDigest, content: AsyncIterable<Uint8Array>, bytes?: number): Promise<BlobStat<BlobDigest>> {
    if (bytes === undefined) return this.takeStream(repository, digest, content);
    const repositoryId = await this.parts.repositories.ensure(repository);
    await this.parts.quota.require(repository.org, bytes);
    const id = randomUUID();
    try {
      await this.parts.storage.appendUpload(id, 0, content);
    } catch (error) {
      // Nobody knows the id: nobody could go on.
      await this.parts.storage.dropUpload(id);
      throw error;
    }
    const blob = await this.complete(id, digest);
    await this.parts.blobs.link(repositoryId, blob);
    return blob;
  }

  /** Throws REGISTRY_UPLOAD_UNKNOWN. */
  async cancel(repository: RepositoryName, id: string): Promise<void> {
    await this.require(repository, id);
    await this.parts.storage.dropUpload(id);
    await this.parts.uploads.delete(id);
  }

  private async store(repository: RepositoryName, id: string, { offset, ...chunk }: UploadChunk): Promise<number> {
    const at = offset ?? (await this.parts.storage.uploadBytes(id));
    return this.parts.storage.appendUpload(id, at, await this.withinQuota(repository, { id, at }, chunk));
  }

  private async takeStream(repository: RepositoryName, digest: BlobDigest, content: AsyncIterable<Uint8Array>): Promise<BlobStat<BlobDigest>> {
    const id = await this.begin(repository);
    try {
      await this.append(repository, id, { content });
    } catch (error) {
      await this.cancel(repository, id);
      throw error;
    }
    return this.finish(repository, id, digest);
  }

  /** Throws REGISTRY_QUOTA_EXCEEDED at once when the number is known, else while the bytes come. */
  private async withinQuota({ org }: RepositoryName, upload: { id: string; at: number }, { bytes, content }: UploadChunk): Promise<AsyncIterable<Uint8Array>> {
    if (this.parts.quota.limitBytes === null) return content;
    if (bytes === undefined) return this.metered(org, upload, content);
    await this.parts.quota.require(org, bytes);
    return content;
  }

  /** Asks for each piece that comes. The quota remembers what it has let in for a moment, and then knows what is noted here. */
  private async *metered(org: string, { id, at }: { id: string; at: number }, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let seen = 0;
    let noted = 0;
    for await (const chunk of content) {
      await this.parts.quota.require(org, chunk.length);
      seen += chunk.length;
      if (seen - noted >= NOTE_BYTES) {
        await this.parts.uploads.setBytes(id, at + seen);
        noted = seen;
      }
      yield chunk;
    }
  }

  private async complete(id: string, digest: BlobDigest): Promise<BlobStat<BlobDigest>> {
    try {
      return await this.parts.storage.finishUpload(id, { digest });
    } catch (error) {
      if (!(error instanceof WhorlError) || error.code !== 'REGISTRY_BLOB_MISMATCH') throw error;
      throw new WhorlError('REGISTRY_DIGEST_INVALID', error.message, { cause: error });
    }
  }

  /** Answers the repository's id. */
  private async require(repository: RepositoryName, id: string): Promise<string> {
    const repositoryId = UploadId.safeParse(id).success ? await this.parts.uploads.use(repository, id) : undefined;
    if (repositoryId === undefined) throw new WhorlError('REGISTRY_UPLOAD_UNKNOWN', `there is no upload ${id.slice(0, 100)} in this repository`);
    return repositoryId;
  }
}
