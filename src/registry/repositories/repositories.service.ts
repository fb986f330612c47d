import { buffer } from 'node:stream/consumers';
import { WhorlError } from '#contract/errors.js';
import type { BlobDigest } from '#contract/ids.js';
import type { StorageQuota } from '#contract/storage-quota.js';
import { eachAtOnce } from '#platform/each-at-once.js';
import type { Log } from '#platform/log.js';
import type { PrismaService } from '#platform/prisma/prisma.service.js';
import type { BlobStat, BlobStorage } from '#registry/storage/blob-storage.js';
import { algorithmOf } from '#registry/storage/verify.js';
import { MANIFEST_MAX_BYTES, type Manifest, readManifest } from './manifest.js';
import type { ManifestRepository, ManifestStat, ReferrerStat } from './manifest.repository.js';
import { digestOf, parseReference, parseTag, Tag } from './reference.js';
import type { RepositoryBlobRepository } from './repository-blob.repository.js';
import { formatRepositoryName, type RepositoryName } from './repository-name.js';
import type { RepositoryRepository } from './repository.repository.js';

export interface RepositoriesParts {
  storage: BlobStorage;
  prisma: PrismaService;
  repositories: RepositoryRepository;
  manifests: ManifestRepository;
  blobs: RepositoryBlobRepository;
  quota: StorageQuota;
  log: Log;
  /** Takes manifests that name what is not there. */
  sparse: boolean;
}

export interface NewManifest {
  /** Of the request; may have parameters, may be absent when the manifest says it. */
  mediaType: string | undefined;
  content: Buffer;
  /** More tags that are to lead to it. */
  tags?: readonly string[];
  /** Name of the token; undefined: not known. */
  pushedBy?: string | undefined;
}

export interface PutManifest {
  digest: BlobDigest;
  subject: BlobDigest | undefined;
  tags: Tag[];
}

/** A tag that was pushed, and the manifest that it leads to. */
export interface PushedTag {
  repository: RepositoryName;
  tag: string;
  digest: BlobDigest;
}

/** Blobs of another repository are looked for in so many of those that have it. */
const MOUNT_CANDIDATES = 100;
/** Looks at blobs that a manifest names. */
const TOUCHES_AT_ONCE = 16;
/** Of the annotations in one page of referrers, so that clients can read it as a manifest. */
const REFERRERS_MAX_BYTES = MANIFEST_MAX_BYTES / 2;
const REFERRERS_LIMIT = 500;

/**
 * What was pushed by OCI: repositories with their blobs, manifests and tags. The rows say what a repository has; the bytes, also of manifests,
 * are blobs in the store, where they are before the row that tells of them is. Every change is one transaction.
 */
export class RepositoriesService {
  private readonly listeners = new Set<(pushed: PushedTag) => void>();

  constructor(private readonly parts: RepositoriesParts) {}

  /** What a tag means now, or that the digest is there. Undefined when it is not, nor the repository. Throws REGISTRY_TAG_INVALID, REGISTRY_DIGEST_INVALID. */
  async resolve(repository: RepositoryName, tagOrDigest: string): Promise<ManifestStat | undefined> {
    const reference = parseReference(tagOrDigest);
    const id = await this.parts.repositories.find(repository);
    return id === undefined ? undefined : this.parts.manifests.find(id, reference);
  }

  /** As `resolve`, but throws REGISTRY_NAME_UNKNOWN and REGISTRY_MANIFEST_UNKNOWN; the latter also for what can be no tag. */
  async get(repository: RepositoryName, tagOrDigest: string): Promise<ManifestStat> {
    const id = await this.parts.repositories.get(repository);
    const isTagOrDigest = tagOrDigest.includes(':') || Tag.safeParse(tagOrDigest).success;
    const found = isTagOrDigest ? await this.parts.manifests.find(id, parseReference(tagOrDigest)) : undefined;
    if (!found) throw manifestUnknown(repository, tagOrDigest.slice(0, 200));
    return found;
  }

  /** A manifest's bytes, which have the digest. Throws as `get` does, and REGISTRY_BLOB_MISMATCH when the store is damaged. */
  async manifest(repository: RepositoryName, digest: BlobDigest): Promise<{ mediaType: string; content: Buffer }> {
    const { mediaType } = await this.get(repository, digest);
    const content = await buffer((await this.parts.storage.get(digest)).content);
    if (digestOf(content, algorithmOf(digest)) !== digest) throw new WhorlError('REGISTRY_BLOB_MISMATCH', `the stored bytes of the manifest ${digest} are not what they were`);
    return { mediaType, content };
  }

  /**
   * Keeps a manifest under its digest and lets the tags lead to it, all in one step; makes the repository when it is new. Under a tag it
   * has its sha256. Throws REGISTRY_MANIFEST_INVALID, REGISTRY_MANIFEST_TOO_LARGE, REGISTRY_MANIFEST_BLOB_UNKNOWN when it names what is not
   * there (its subject need not be), REGISTRY_DIGEST_INVALID when it has another digest, REGISTRY_TAG_INVALID, REGISTRY_NAME_UNKNOWN,
   * REGISTRY_QUOTA_EXCEEDED.
   */
  async putManifest(repository: RepositoryName, tagOrDigest: string, { mediaType, content, tags = [], pushedBy }: NewManifest): Promise<PutManifest> {
    const reference = parseReference(tagOrDigest);
    const named = [...('tag' in reference ? [reference.tag] : []), ...tags.map(parseTag)];
    if (content.length > MANIFEST_MAX_BYTES) throw new WhorlError('REGISTRY_MANIFEST_TOO_LARGE', `the manifest has more than ${MANIFEST_MAX_BYTES} bytes`);
    const digest = digestOf(content, 'tag' in reference ? 'sha256' : algorithmOf(reference.digest));
    if ('digest' in reference && reference.digest !== digest) throw new WhorlError('REGISTRY_DIGEST_INVALID', `the manifest's digest is ${digest}, not ${reference.digest}`);
    const manifest = readManifest(mediaType, content);
    const id = await this.parts.repositories.ensure(repository);
    await this.parts.quota.require(repository.org, content.length);
    await this.keepNamed(manifest);
    await this.parts.storage.put({ digest, bytes: content.length }, () => chunk(content));
    await this.parts.prisma.transaction(async (db) => {
      await this.parts.repositories.keep(db, id);
      if (!this.parts.sparse) await this.requireNamed(db, id, manifest);
      await this.parts.manifests.put(db, id, { digest, bytes: content.length }, manifest);
      await this.parts.manifests.tag(db, id, named, { digest, pushedBy });
    });
    for (const tag of named) this.tell({ repository, tag, digest });
    return { digest, subject: manifest.subject, tags: named };
  }

  /** Deletes a manifest with the tags that lead to it. Throws REGISTRY_MANIFEST_UNKNOWN, REGISTRY_CONTENT_IN_USE when an index names it. */
  async deleteManifest(repository: RepositoryName, digest: BlobDigest): Promise<void> {
    const id = await this.parts.repositories.get(repository);
    await this.parts.prisma.transaction(async (db) => {
      await this.parts.repositories.lock(db, id);
      if (await this.parts.manifests.isNamed(db, id, digest)) throw inUse(digest);
      if (!(await this.parts.manifests.delete(db, id, digest))) throw manifestUnknown(repository, digest);
    });
  }

  /** Throws REGISTRY_MANIFEST_UNKNOWN. The manifest stays. */
  async deleteTag(repository: RepositoryName, tag: Tag): Promise<void> {
    const id = await this.parts.repositories.get(repository);
    if (!(await this.parts.manifests.deleteTag(id, tag))) throw manifestUnknown(repository, tag);
  }

  /** Tags after one (`''`: from the first), in the order of bytes. Throws REGISTRY_NAME_UNKNOWN. */
  async tags(repository: RepositoryName, after: string, limit: number): Promise<string[]> {
    return this.parts.manifests.tags(await this.parts.repositories.get(repository), after, limit);
  }

  /**
   * Manifests whose subject is the digest, in the order of digests, of one artifact type when it is given; `next` is the digest to go on
   * after. None when there is no such repository: the specification knows no 404 here.
   */
  async referrers(repository: RepositoryName, subject: BlobDigest, artifactType?: string, after = ''): Promise<{ referrers: ReferrerStat[]; next: string | undefined }> {
    const id = await this.parts.repositories.find(repository);
    if (id === undefined) return { referrers: [], next: undefined };
    const found = await this.parts.manifests.referrers(id, subject, { artifactType, after, limit: REFERRERS_LIMIT, maxBytes: REFERRERS_MAX_BYTES });
    const last = found.at(-1)?.digest;
    const more = last !== undefined && (await this.parts.manifests.referrers(id, subject, { artifactType, after: last, limit: 1, maxBytes: 0 })).length > 0;
    return { referrers: found, next: more ? last : undefined };
  }

  /** A blob of the repository; `used`: someone may be about to push a manifest that names it. Undefined when the repository has it not, or the store. */
  async findBlob(repository: RepositoryName, digest: BlobDigest, used = false): Promise<BlobStat<BlobDigest> | undefined> {
    const id = await this.parts.repositories.find(repository);
    if (id === undefined || !(await this.parts.blobs.has(id, digest, used))) return undefined;
    return used ? this.parts.storage.touch(digest) : this.parts.storage.find(digest);
  }

  /** As `findBlob`, but throws REGISTRY_BLOB_UNKNOWN, and REGISTRY_NAME_UNKNOWN. */
  async getBlob(repository: RepositoryName, digest: BlobDigest, used = false): Promise<BlobStat<BlobDigest>> {
    const found = await this.findBlob(repository, digest, used);
    if (found) return found;
    await this.parts.repositories.get(repository);
    throw blobUnknown(repository, digest);
  }

  /** Lets the repository be asked for a blob of the store; makes the repository when it is new. Throws REGISTRY_BLOB_UNKNOWN, REGISTRY_NAME_UNKNOWN. */
  async link(repository: RepositoryName, digest: BlobDigest): Promise<void> {
    const found = await this.parts.storage.touch(digest);
    if (!found) throw blobUnknown(repository, digest);
    await this.parts.blobs.link(await this.parts.repositories.ensure(repository), found);
  }

  /**
   * Does the same for a blob that `from` has or, without it, any repository that `mayPull` says yes to. False when there is none, or
   * `mayPull` says no: the client then sends the bytes.
   */
  async mount(repository: RepositoryName, digest: BlobDigest, from: RepositoryName | undefined, mayPull: (from: RepositoryName) => boolean): Promise<boolean> {
    const candidates = from ? [from] : await this.parts.repositories.holders(digest, MOUNT_CANDIDATES);
    const holder = candidates.find(mayPull);
    const found = holder && (await this.findBlob(holder, digest, true));
    if (!found) return false;
    if (holder.org !== repository.org) await this.parts.quota.require(repository.org, found.bytes);
    await this.link(repository, digest);
    return true;
  }

  /** Takes a blob away from the repository; the bytes stay for others. Throws REGISTRY_BLOB_UNKNOWN, REGISTRY_CONTENT_IN_USE when a manifest names it. */
  async deleteBlob(repository: RepositoryName, digest: BlobDigest): Promise<void> {
    const id = await this.parts.repositories.get(repository);
    await this.parts.prisma.transaction(async (db) => {
      await this.parts.repositories.lock(db, id);
      if (await this.parts.manifests.isNamed(db, id, digest)) throw inUse(digest);
      if (!(await this.parts.blobs.unlink(db, id, digest))) throw blobUnknown(repository, digest);
    });
  }

  /**
   * Tells of every tag that is pushed to this process, after it is visible; ends when the function that it answers is called. Who must not
   * miss one looks at the tags themselves as well: a process may end in between.
   */
  onPush(listener: (pushed: PushedTag) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * From here on a collector lets the blobs be. Their rows alone would not do: it reads which blobs are held, and this manifest comes to hold
   * them, and then it deletes.
   */
  private async keepNamed({ names }: Manifest): Promise<void> {
    await eachAtOnce(TOUCHES_AT_ONCE, names.filter(({ kind }) => kind !== 'manifest'), async ({ digest, required }) => {
      const isThere = (await this.parts.storage.touch(digest)) !== undefined;
      if (!isThere && required && !this.parts.sparse) throw namesUnknown([digest]);
    });
  }

  private async requireNamed(db: Parameters<ManifestRepository['missing']>[0], id: string, { names }: Manifest): Promise<void> {
    const required = names.filter((each) => each.required);
    const of = (manifests: boolean): BlobDigest[] => required.filter(({ kind }) => (kind === 'manifest') === manifests).map(({ digest }) => digest);
    const missing = await this.parts.manifests.missing(db, id, { blobs: of(false), manifests: of(true) });
    if (missing.length > 0) throw namesUnknown(missing);
  }

  private tell(pushed: PushedTag): void {
    for (const listener of this.listeners) {
      try {
        listener(pushed);
      } catch (error) {
        this.parts.log.error('what follows a push failed', { repository: formatRepositoryName(pushed.repository), tag: pushed.tag, error });
      }
    }
  }
}

async function* chunk(content: Buffer): AsyncGenerator<Uint8Array> {
  yield content;
}

const manifestUnknown = (repository: RepositoryName, reference: string): WhorlError =>
  new WhorlError('REGISTRY_MANIFEST_UNKNOWN', `the repository ${formatRepositoryName(repository)} has no manifest ${reference}`);
const blobUnknown = (repository: RepositoryName, digest: BlobDigest): WhorlError =>
  new WhorlError('REGISTRY_BLOB_UNKNOWN', `the repository ${formatRepositoryName(repository)} has no blob ${digest}`);
const namesUnknown = (digests: BlobDigest[]): WhorlError =>
  new WhorlError('REGISTRY_MANIFEST_BLOB_UNKNOWN', `the manifest names what the repository does not have: ${digests.join(', ')}`);
const inUse = (digest: BlobDigest): WhorlError => new WhorlError('REGISTRY_CONTENT_IN_USE', `a manifest of the repository names ${digest}`);
