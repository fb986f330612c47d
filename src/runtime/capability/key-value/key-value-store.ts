/**
 * The port of key-value stores: what every backend can do, in plain terms. Each interface version is an adapter over it, and the node answers
 * the API's requests for keys by it. One suite (`test/capability/key-value.suite.ts`) holds for every driver.
 *
 * A driver answers at once where it can and by a promise where it has to wait. What fails throws or rejects with StoreError, whose message
 * is for the guest; anything else is unexpected and names nothing to it.
 */

export type Maybe<T> = T | Promise<T>;

/** Something a guest should read about. */
export class StoreError extends Error {
  override name = 'StoreError';
}

/** How large a backend's keys and values may be. */
export interface StoreLimits {
  keyBytes: number;
  valueBytes: number;
}

export interface KeyPage {
  keys: string[];
  /** Where the next page begins; undefined: this was the last one. Opaque, and good for this store and prefix alone. */
  cursor?: string;
}

export interface ListOptions {
  prefix?: string;
  /** Of the page before. */
  cursor?: string;
  /** Keys of one page, at most MAX_PAGE_KEYS. Redis may give somewhat more. */
  limit?: number;
}

export interface KeyValueStore {
  readonly limits: StoreLimits;
  /** It lies on this node, and whether it can be opened is known at once. */
  readonly isLocal: boolean;
  get(key: string): Maybe<Uint8Array | undefined>;
  exists(key: string): Maybe<boolean>;
  /** With `ttlMs` the key is gone after so long; without it the key stays, whatever it had before. */
  set(key: string, value: Uint8Array, ttlMs?: number): Maybe<void>;
  delete(key: string): Maybe<void>;
  /**
   * Every key that is there from the first page to the last is listed; in byte order where the backend has one (files, PostgreSQL). A key that
   * comes or goes meanwhile may or may not be, and Redis may list one twice.
   */
  list(options: ListOptions): Maybe<KeyPage>;
  /** The values in the order of the keys. */
  getMany(keys: readonly string[]): Maybe<(Uint8Array | undefined)[]>;
  /** All or none where the backend has transactions over keys (not on Cosmos DB and DynamoDB). */
  setMany(entries: readonly (readonly [key: string, value: Uint8Array])[]): Maybe<void>;
  deleteMany(keys: readonly string[]): Maybe<void>;
  /**
   * Adds to a counter of 8 bytes, little endian and signed; a missing one counts as 0. A TTL stays. `operation` names this increment among those
   * of its key: when it was done before (within OPERATION_MEMORY_MS), nothing is added and its result is given again.
   */
  increment(key: string, delta: bigint, operation?: string): Maybe<bigint>;
  /** Puts `value` (undefined: nothing) in the place of `expected` (undefined: nothing), as one step. False: something else was there. */
  swap(key: string, expected: Uint8Array | undefined, value: Uint8Array | undefined, ttlMs?: number): Maybe<boolean>;
  /** Lets connections go. What is under way may fail. */
  close(): Promise<void>;
}

/** Spin's cap on what a host buffers for one call (MAX_HOST_BUFFERED_BYTES): a value, and what one listing or batch comes to. */
export const MAX_RESULT_BYTES = 128 * 1024 * 1024;

export const MAX_PAGE_KEYS = 1_000;

/** A retry comes within seconds; a day of ids would grow a store by more than its counters. */
export const OPERATION_MEMORY_MS = 15 * 60_000;

/** The error text of Spin for a result that is too large. */
export const resultTooLarge = (): StoreError => new StoreError(`query result exceeds limit of ${MAX_RESULT_BYTES} bytes`);
