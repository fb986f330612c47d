import type { Readable } from 'node:stream';
import type { Digest } from '#contract/ids.js';

export interface BlobStat {
  digest: Digest;
  bytes: number;
}

/**
 * Where the registry keeps immutable bytes by digest, and small records by name. Drivers: folder, S3, memory; one suite holds them to
 * this text. Every method may be called by several processes at once. What goes wrong below is thrown as REGISTRY_STORAGE_UNAVAILABLE.
 */
export abstract class BlobStorage {
  /**
   * Keeps `content` under its digest; it is there whole or not at all. Does nothing when it is there already (`content` is then not
   * read). Throws REGISTRY_BLOB_MISMATCH when the bytes or their number differ: then nothing is kept.
   */
  abstract put(blob: BlobStat, content: () => AsyncIterable<Uint8Array>): Promise<void>;
  /** Throws REGISTRY_BLOB_UNKNOWN before the first byte. Who needs to be sure checks the digest of what comes. */
  abstract get(digest: Digest): Promise<{ bytes: number; content: Readable }>;
  abstract find(digest: Digest): Promise<BlobStat | undefined>;
  /** Does nothing when it is not there. */
  abstract delete(digest: Digest): Promise<void>;
  /** Blobs whose hex digits begin with `prefix` (`''`: all), in no given order. */
  abstract list(prefix: string): AsyncIterable<BlobStat>;
  /** Keeps a small text under a name (see `recordPath`). The first one stays: a second one with the same name changes nothing. */
  abstract putRecord(name: string, text: string): Promise<void>;
  abstract findRecord(name: string): Promise<string | undefined>;
  abstract deleteRecord(name: string): Promise<void>;
  /** Throws when the store cannot be written to. */
  abstract check(): Promise<void>;
}
