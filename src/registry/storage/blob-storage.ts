import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { WhorlError } from '#contract/errors.js';
import type { BlobDigest, Digest } from '#contract/ids.js';
import { RECORDS_PATH, blobPath, blobsPath, deletingPath, digestOfPath, recordPath } from './paths.js';
import type { ByteRange, StorageDriver } from './storage-driver.js';
import { type UploadStat, Uploads } from './uploads.js';
import { verify } from './verify.js';

export interface BlobStat<D extends BlobDigest = Digest> {
  digest: D;
  bytes: number;
}

export interface StoredBlob<D extends BlobDigest = BlobDigest> extends BlobStat<D> {
  /** When it was stored or last touched. */
  modifiedMs: number;
}

export interface BlobStorageTimes {
  /** What was touched less than this ago need not be touched again; a collector's grace time must be longer. */
  touchAfterMs: number;
  /** Whoever deletes is done long before, or has ended in the middle. */
  deletingMs: number;
}

const TIMES: BlobStorageTimes = { touchAfterMs: 60 * 60 * 1000, deletingMs: 60_000 };
/** Of the time that a mark counts, so much is left to the store to do what it was asked. */
const DELETE_WITHIN = 1 / 6;
const POLL_MS = 100;
const PRESIGNED_MS = 10 * 60 * 1000;

/**
 * Where the registry keeps immutable bytes by digest, and small records by name, over any driver. Every method may be called by several
 * processes at once. When the store cannot be used each throws REGISTRY_STORAGE_UNAVAILABLE.
 */
export class BlobStorage {
  private readonly uploads: Uploads;

  constructor(private readonly driver: StorageDriver, private readonly times: BlobStorageTimes = TIMES) {
    this.uploads = new Uploads(driver);
  }

  /**
   * Keeps `content` under its digest; it is there whole or not at all. When it is there already it is only touched (`content` is then
   * not read). Throws REGISTRY_BLOB_MISMATCH when the bytes or their number differ: then nothing is kept.
   */
  async put(blob: BlobStat<BlobDigest>, content: () => AsyncIterable<Uint8Array>): Promise<void> {
    await this.keep(blob.digest, async () => {
      await this.driver.create(blobPath(blob.digest), verify(blob, content()));
    });
  }

  /**
   * `bytes` are those of the whole blob, whatever the range. Throws REGISTRY_BLOB_UNKNOWN before the first byte. Who needs to be sure
   * checks the digest of what comes.
   */
  async get(digest: BlobDigest, range?: ByteRange): Promise<{ bytes: number; content: Readable }> {
    const found = await this.driver.read(blobPath(digest), range);
    if (!found) throw new WhorlError('REGISTRY_BLOB_UNKNOWN', `there is no blob ${digest}`);
    return found;
  }

  /** Says nothing about how long it stays: who goes on to rely on it uses `touch`. */
  async find<D extends BlobDigest>(digest: D): Promise<StoredBlob<D> | undefined> {
    const found = await this.driver.find(blobPath(digest));
    return found && { digest, bytes: found.bytes, modifiedMs: found.modifiedMs };
  }

  /** As `find`; what is there is not deleted by a collector for its grace time, counted from now (see `deleteUntouched`). */
  async touch<D extends BlobDigest>(digest: D): Promise<StoredBlob<D> | undefined> {
    for (;;) {
      const found = await this.find(digest);
      if (!found || Date.now() - found.modifiedMs < this.times.touchAfterMs) return found;
      if (!(await this.driver.touch(blobPath(digest)))) return undefined;
      // Looked for again, since a deletion may have ended after the touch: then there is no mark any more.
      if (!(await this.untilNotBeingDeleted(digest))) return this.find(digest);
    }
  }

  /** Does nothing when it is not there. For bytes that are known to be wrong; a collector uses `deleteUntouched`. */
  async delete(digest: BlobDigest): Promise<void> {
    await this.driver.delete(blobPath(digest));
  }

  /**
   * Deletes a blob that nobody has put or touched since `sinceMs`, which is more than `touchAfterMs` ago; says whether it is gone. Safe
   * beside pushes: it leaves a mark, looks at the time, and deletes; whoever puts or touches does so, and then looks for the mark. One of
   * the two always sees the other.
   */
  async deleteUntouched(digest: BlobDigest, sinceMs: number): Promise<boolean> {
    if (Date.now() - sinceMs <= this.times.touchAfterMs) throw new RangeError(`what was touched less than ${this.times.touchAfterMs} ms ago may be in use`);
    const mark = deletingPath(digest);
    const fromMs = Date.now();
    if (!(await this.driver.create(mark, Readable.from([Buffer.from('1')])))) {
      await this.forgetOldMark(digest);
      return false;
    }
    try {
      const found = await this.find(digest);
      if (!found) return true;
      // A store that took so long to answer may outlive the mark.
      if (found.modifiedMs > sinceMs || Date.now() - fromMs > this.times.deletingMs * DELETE_WITHIN) return false;
      await this.delete(digest);
      return true;
    } finally {
      await this.driver.delete(mark);
    }
  }

  /** Blobs whose hex digits begin with `prefix` (`''`: all), in no given order. */
  async *list(prefix: string): AsyncGenerator<StoredBlob> {
    for (const algorithm of ['sha256', 'sha512'] as const) {
      for await (const { key, bytes, modifiedMs } of this.driver.list(blobsPath(algorithm, prefix))) {
        const digest = digestOfPath(key);
        if (digest) yield { digest, bytes, modifiedMs };
      }
    }
  }

  /** A URL that a node can read the blob from without a token, for some minutes; undefined where there is none. The blob may be unknown. */
  async presign(digest: BlobDigest): Promise<string | undefined> {
    return this.driver.presign(blobPath(digest), PRESIGNED_MS);
  }

  /** Keeps a small text under a name (see `recordPath`). The first one stays: a second one with the same name changes nothing. */
  async putRecord(name: string, content: string): Promise<void> {
    await this.driver.create(recordPath(name), Readable.from([Buffer.from(content)]));
  }

  async findRecord(name: string): Promise<string | undefined> {
    const found = await this.driver.read(recordPath(name));
    return found && text(found.content);
  }

  async deleteRecord(name: string): Promise<void> {
    await this.driver.delete(recordPath(name));
  }

  /** Names of the records in a folder of names (`builds/`), and when each was made. */
  async *listRecords(folder: string): AsyncGenerator<{ name: string; modifiedMs: number }> {
    for await (const { key, modifiedMs } of this.driver.list(`${RECORDS_PATH}/${folder}`)) {
      if (key.endsWith('.json')) yield { name: key.slice(RECORDS_PATH.length + 1, -'.json'.length), modifiedMs };
    }
  }

  /**
   * Adds a chunk to an upload, which begins with its first one; says how many bytes are there now. Of a `content` that fails, what came
   * stays, so that the client can go on from there. Throws REGISTRY_UPLOAD_CONFLICT when `offset` is not the number of bytes that are
   * there, or somebody else adds one now.
   */
  async appendUpload(id: string, offset: number, content: AsyncIterable<Uint8Array>): Promise<number> {
    return this.uploads.append(id, offset, content);
  }

  /** 0 for an upload that nothing came for. */
  async uploadBytes(id: string): Promise<number> {
    return this.uploads.bytes(id);
  }

  /**
   * Makes a blob of an upload when its bytes have the digest, and the number if one is given; they are checked even if there is such a
   * blob, since who has none of the bytes must not get at it. The upload is gone then. Throws REGISTRY_BLOB_MISMATCH, and keeps nothing.
   */
  async finishUpload<D extends BlobDigest>(id: string, { digest, bytes }: { digest: D; bytes?: number }): Promise<BlobStat<D>> {
    const checked = await this.uploads.check(id, { digest, bytes });
    await this.keep(digest, () => this.driver.compose(blobPath(digest), checked.parts));
    await this.uploads.drop(id);
    return { digest, bytes: checked.bytes };
  }

  /** Does nothing when there is none. */
  async dropUpload(id: string): Promise<void> {
    await this.uploads.drop(id);
  }

  /** All that have bytes, whatever became of who sent them. */
  listUploads(): AsyncIterable<UploadStat> {
    return this.uploads.list();
  }

  /** Removes what writes that began before that time, and never ended, have left where nobody sees it. Says how many. */
  async sweep(beforeMs: number): Promise<number> {
    return this.driver.sweep(beforeMs);
  }

  /** Throws when the store cannot be written to. */
  async check(): Promise<void> {
    await this.driver.check();
  }

  /** Runs `make` unless the blob is there; in the end it is, whatever a collector does. */
  private async keep(digest: BlobDigest, make: () => Promise<void>): Promise<void> {
    while (!(await this.touch(digest))) {
      await make();
      if (!(await this.untilNotBeingDeleted(digest))) return;
    }
  }

  /** Whether somebody was deleting it; returns when that has ended. */
  private async untilNotBeingDeleted(digest: BlobDigest): Promise<boolean> {
    for (let was = false; ; was = true) {
      if (!(await this.driver.find(deletingPath(digest)))) return was;
      await this.forgetOldMark(digest);
      await sleep(POLL_MS);
    }
  }

  /** A collector that was killed in the middle must not stop pushes for good. */
  private async forgetOldMark(digest: BlobDigest): Promise<void> {
    const mark = await this.driver.find(deletingPath(digest));
    if (mark && Date.now() - mark.modifiedMs > this.times.deletingMs) await this.driver.delete(deletingPath(digest));
  }
}
