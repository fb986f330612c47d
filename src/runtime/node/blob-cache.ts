import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream, unlinkSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { WhorlError } from '#contract/errors.js';
import type { Digest } from '#contract/ids.js';
import type { Log } from '#platform/log.js';
import { Backoff } from './backoff.js';
import { toBlobPath } from './blob-path.js';

const TRIES = 6;
/** What may wait for the disk: with less, each piece off the network waits for the one before it. */
const WRITE_BYTES = 1024 * 1024;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 3_000;
/** What was fetched just now may belong to an assignment that is not yet held. */
const SWEEP_AFTER_MS = 10 * 60_000;

export interface BlobCacheOptions {
  dir: string;
  /** Throws when the bytes cannot be had now. */
  fetch(digest: Digest): Promise<Readable>;
  log: Log;
  /** Tries before a fetch is given up. */
  tries?: number;
}

/** Immutable bytes on this node's disk, by digest. What `ensure` names has been checked, once in the life of the process. */
export class BlobCache {
  private readonly verified = new Set<Digest>();
  private readonly underWay = new Map<Digest, Promise<void>>();

  private constructor(private readonly options: BlobCacheOptions) {}

  /** Makes the folder where it is missing; what was being fetched when the process ended is thrown away. */
  static async open(options: BlobCacheOptions): Promise<BlobCache> {
    const partial = join(options.dir, 'partial');
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true, mode: 0o700 });
    return new BlobCache(options);
  }

  path(digest: Digest): string {
    return join(this.options.dir, toBlobPath(digest));
  }

  /**
   * Returns when the blob is on disk and has its digest; who asks for the same one shares the work. Throws NODE_BLOB_UNAVAILABLE or
   * NODE_BLOB_CORRUPT.
   */
  ensure(digest: Digest): Promise<void> {
    if (this.verified.has(digest)) return Promise.resolve();
    let work = this.underWay.get(digest);
    if (!work) {
      work = this.make(digest).finally(() => this.underWay.delete(digest));
      this.underWay.set(digest, work);
    }
    return work;
  }

  /** Keeps bytes that were made here. */
  async put(digest: Digest, bytes: Uint8Array): Promise<void> {
    if (this.verified.has(digest)) return;
    if ((await digestOf(this.path(digest))) !== digest) await this.store(digest, [bytes]);
    this.verified.add(digest);
  }

  /** Somebody found the blob missing or damaged: it is checked again before it is next used. */
  doubt(digest: Digest): void {
    this.verified.delete(digest);
  }

  /** Deletes what is not in use and not young. Returns how many. */
  async sweep(isUsed: (digest: Digest) => boolean, nowMs: number = Date.now()): Promise<number> {
    let deleted = 0;
    const root = join(this.options.dir, 'sha256');
    for (const folder of await readdir(root).catch(() => [])) {
      for (const hex of await readdir(join(root, folder))) {
        const digest = `sha256:${hex}` as Digest;
        const { mtimeMs } = await stat(this.path(digest));
        if (isUsed(digest) || this.underWay.has(digest) || nowMs - mtimeMs < SWEEP_AFTER_MS) continue;
        // In one turn with the question whether it is used: nobody begins to use it in between.
        this.verified.delete(digest);
        unlinkSync(this.path(digest));
        deleted++;
      }
    }
    return deleted;
  }

  private async make(digest: Digest): Promise<void> {
    const path = this.path(digest);
    const found = await digestOf(path);
    if (found !== undefined && found !== digest) {
      this.options.log.warn('a blob on disk is damaged and fetched again', { digest });
      await rm(path, { force: true });
    }
    if (found !== digest) await this.fetchPatiently(digest);
    this.verified.add(digest);
  }

  private async fetchPatiently(digest: Digest): Promise<void> {
    const backoff = new Backoff(RETRY_MIN_MS, RETRY_MAX_MS);
    for (let left = (this.options.tries ?? TRIES) - 1; ; left--) {
      try {
        return await this.fetch(digest);
      } catch (error) {
        if (left > 0) {
          this.options.log.debug('a blob could not be fetched, will try again', { digest, error });
          await sleep(backoff.nextMs());
        } else if (error instanceof WhorlError && error.code === 'NODE_BLOB_CORRUPT') {
          throw error;
        } else {
          throw new WhorlError('NODE_BLOB_UNAVAILABLE', `${digest}: ${(error as Error).message}`, { cause: error });
        }
      }
    }
  }

  private async fetch(digest: Digest): Promise<void> {
    await this.store(digest, await this.options.fetch(digest));
  }

  private async store(digest: Digest, source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    const partial = join(this.options.dir, 'partial', randomUUID());
    try {
      const hash = createHash('sha256');
      await pipeline(source, tapInto(hash), createWriteStream(partial, { mode: 0o600, highWaterMark: WRITE_BYTES }));
      const actual = `sha256:${hash.digest('hex')}`;
      if (actual !== digest) throw new WhorlError('NODE_BLOB_CORRUPT', `asked for ${digest}, got bytes of ${actual}`);
      const path = this.path(digest);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      // Not synced: what a power cut leaves behind is checked before it is used.
      await rename(partial, path);
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
  }
}

type Hash = ReturnType<typeof createHash>;

function tapInto(hash: Hash) {
  return async function* (chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      hash.update(chunk);
      yield chunk;
    }
  };
}

/** undefined when there is no such file. */
async function digestOf(path: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return `sha256:${hash.digest('hex')}`;
}
