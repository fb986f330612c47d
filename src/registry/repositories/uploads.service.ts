import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import type { BlobDigest } from '#contract/ids.js';
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
}

/** Bytes of an upload; `offset`: where they go, without it after all that is there. */
export interface UploadChunk {
  offset: number | undefined;
  content: AsyncIterable<Uint8Array>;
}

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

  /** Answers how many bytes are there now. Throws REGISTRY_UPLOAD_UNKNOWN, REGISTRY_UPLOAD_CONFLICT when the chunk does not go on where the upload stands. */
  async append(repository: RepositoryName, id: string, { offset, content }: UploadChunk): Promise<number> {
    await this.require(repository, id);
    return this.parts.storage.appendUpload(id, offset ?? (await this.parts.storage.uploadBytes(id)), content);
  }

  /** Makes a blob of the repository of it. Throws as `append` does, and REGISTRY_DIGEST_INVALID: then the upload is gone. */
  async finish(repository: RepositoryName, id: string, digest: BlobDigest): Promise<BlobStat<BlobDigest>> {
    const repositoryId = await this.require(repository, id);
    const blob = await this.store(id, digest).catch(async (error: unknown) => {
      if (error instanceof WhorlError && error.code === 'REGISTRY_DIGEST_INVALID') await this.parts.uploads.delete(id);
      throw error;
    });
    await this.parts.blobs.link(repositoryId, blob);
    await this.parts.uploads.delete(id);
    return blob;
  }

  /** An upload in one step. Its bytes are taken even if there is such a blob: who has none of them must not get at it. Throws REGISTRY_DIGEST_INVALID, REGISTRY_NAME_UNKNOWN. */
  async take(repository: RepositoryName, digest: BlobDigest, content: AsyncIterable<Uint8Array>): Promise<BlobStat<BlobDigest>> {
    const repositoryId = await this.parts.repositories.ensure(repository);
    const id = randomUUID();
    try {
      await this.parts.storage.appendUpload(id, 0, content);
    } catch (error) {
      // Nobody knows the id: nobody could go on.
      await this.parts.storage.dropUpload(id);
      throw error;
    }
    const blob = await this.store(id, digest);
    await this.parts.blobs.link(repositoryId, blob);
    return blob;
  }

  /** Throws REGISTRY_UPLOAD_UNKNOWN. */
  async cancel(repository: RepositoryName, id: string): Promise<void> {
    await this.require(repository, id);
    await this.parts.storage.dropUpload(id);
    await this.parts.uploads.delete(id);
  }

  private async store(id: string, digest: BlobDigest): Promise<BlobStat<BlobDigest>> {
    try {
      return await this.parts.storage.finishUpload(id, { digest });
    } catch (error) {
      if (!(error instanceof WhorlError) || error.code !== 'REGISTRY_BLOB_MISMATCH') throw error;
      throw new WhorlError('REGISTRY_DIGEST_INVALID', error.message, { cause: error });
    }
  }

  /** Answers the repository's id. */
  private async require(repository: RepositoryName, id: string): Promise<string> {
    const repositoryId = UploadId.safeParse(id).success ? await this.parts.repositories.find(repository) : undefined;
    if (repositoryId === undefined || !(await this.parts.uploads.use(repositoryId, id))) throw new WhorlError('REGISTRY_UPLOAD_UNKNOWN', `there is no upload ${id.slice(0, 100)} in this repository`);
    return repositoryId;
  }
}
