import type { Readable } from 'node:stream';

/** One stored object, as it is named when others are made of it. */
export interface StoredPart {
  key: string;
  bytes: number;
  /** Differs when the object under this key is another one. */
  tag: string;
}

export interface StoredObject extends StoredPart {
  /** When it was created or last touched. */
  modifiedMs: number;
}

export interface ByteRange {
  offset: number;
  /** Without it: up to the end. What goes over the end is cut. */
  bytes?: number;
}

/**
 * Bytes under keys (see paths.ts): what a store must be able to do so that `BlobStorage` can be built on it. Drivers: folder, S3,
 * memory; one suite holds them to this text. An object is there whole or not at all, and never changes. Every method may be called by
 * several processes at once. What goes wrong below is thrown as REGISTRY_STORAGE_UNAVAILABLE.
 */
export abstract class StorageDriver {
  /** Largest object that `create` makes without holding more than that in memory, and that is first for certain; uploads are cut into such. */
  abstract readonly partBytes: number;

  /**
   * Makes an object; undefined when there is one: the first one stays. Up to `partBytes` exactly one of many at once is told that it was
   * the first, where the store knows conditional writes. What `content` throws is thrown, and nothing is there.
   */
  abstract create(key: string, content: AsyncIterable<Uint8Array>): Promise<StoredPart | undefined>;
  /** Makes an object of others, in their order, which stay; does nothing when there is one. Throws when a part is gone or is another one. */
  abstract compose(key: string, parts: readonly StoredPart[]): Promise<void>;
  /** `bytes` are those of the whole object. */
  abstract read(key: string, range?: ByteRange): Promise<{ bytes: number; content: Readable } | undefined>;
  abstract find(key: string): Promise<StoredObject | undefined>;
  /** Objects whose keys begin with `prefix`; those of one folder in the order of their names. */
  abstract list(prefix: string): AsyncIterable<StoredObject>;
  /** Makes now the time that it was modified; false when it is not there. */
  abstract touch(key: string): Promise<boolean>;
  /** Does nothing when it is not there. */
  abstract delete(key: string): Promise<void>;
  /** A URL that lets its holder read the object, and nothing else, for so long; undefined where the store has none or may give none. */
  abstract presign(key: string, expiresMs: number): Promise<string | undefined>;
  /** Removes what was begun before that time and never became an object; nobody can be at it any more. Says how many. */
  abstract sweep(beforeMs: number): Promise<number>;
  /** Throws when the store cannot be written to. */
  abstract check(): Promise<void>;
}
