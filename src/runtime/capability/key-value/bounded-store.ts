import { MAX_PAGE_KEYS, MAX_RESULT_BYTES, resultTooLarge, StoreError, type KeyPage, type KeyValueStore, type ListOptions, type Maybe } from './key-value-store.js';
import { andThen } from './and-then.js';

const MAX_OPERATION_BYTES = 256;
/** A hundred years: later is never, and every backend's clock can count to it. */
const MAX_TTL_MS = 100 * 366 * 86_400_000;

/** A store that holds what goes in and comes out against its limits, whoever asks. */
export class BoundedStore implements KeyValueStore {
  constructor(private readonly store: KeyValueStore) {}

  get limits() {
    return this.store.limits;
  }

  get isLocal() {
    return this.store.isLocal;
  }

  get(key: string): Maybe<Uint8Array | undefined> {
    this.checkKey(key);
    return this.store.get(key);
  }

  exists(key: string): Maybe<boolean> {
    this.checkKey(key);
    return this.store.exists(key);
  }

  set(key: string, value: Uint8Array, ttlMs?: number): Maybe<void> {
    this.checkKey(key);
    this.checkValue(value);
    return this.store.set(key, value, checkedTtl(ttlMs));
  }

  delete(key: string): Maybe<void> {
    this.checkKey(key);
    return this.store.delete(key);
  }

  list({ limit = MAX_PAGE_KEYS, ...options }: ListOptions): Maybe<KeyPage> {
    return this.store.list({ ...options, limit: Math.max(1, Math.min(limit, MAX_PAGE_KEYS)) });
  }

  getMany(keys: readonly string[]): Maybe<(Uint8Array | undefined)[]> {
    if (keys.length === 0) return [];
    for (const key of keys) this.checkKey(key);
    return andThen(this.store.getMany(keys), (values) => {
      const bytes = values.reduce((sum, value) => sum + (value?.length ?? 0), 0);
      if (bytes > MAX_RESULT_BYTES) throw resultTooLarge();
      return values;
    });
  }

  setMany(entries: readonly (readonly [string, Uint8Array])[]): Maybe<void> {
    if (entries.length === 0) return undefined;
    for (const [key, value] of entries) {
      this.checkKey(key);
      this.checkValue(value);
    }
    // of two values for one key the later one counts; some backends take a key but once
    return this.store.setMany([...new Map(entries)]);
  }

  deleteMany(keys: readonly string[]): Maybe<void> {
    if (keys.length === 0) return undefined;
    for (const key of keys) this.checkKey(key);
    return this.store.deleteMany([...new Set(keys)]);
  }

  increment(key: string, delta: bigint, operation?: string): Maybe<bigint> {
    this.checkKey(key);
    if (operation !== undefined && (operation === '' || Buffer.byteLength(operation) > MAX_OPERATION_BYTES)) {
      throw new StoreError(`an operation's id has 1 to ${MAX_OPERATION_BYTES} bytes`);
    }
    return this.store.increment(key, delta, operation);
  }

  swap(key: string, expected: Uint8Array | undefined, value: Uint8Array | undefined, ttlMs?: number): Maybe<boolean> {
    this.checkKey(key);
    if (expected) this.checkValue(expected);
    if (value) this.checkValue(value);
    if (!expected && !value) return andThen(this.store.exists(key), (exists) => !exists);
    return this.store.swap(key, expected, value, checkedTtl(ttlMs));
  }

  close(): Promise<void> {
    return this.store.close();
  }

  private checkKey(key: string): void {
    const { keyBytes } = this.store.limits;
    // a UTF-16 unit has at most three bytes in UTF-8: most keys are known to fit without a count
    if (key.length * 3 > keyBytes && Buffer.byteLength(key) > keyBytes) throw new StoreError(`key exceeds limit of ${keyBytes} bytes`);
  }

  private checkValue(value: Uint8Array): void {
    const { valueBytes } = this.store.limits;
    if (value.length > valueBytes) throw new StoreError(`value exceeds limit of ${valueBytes} bytes`);
  }
}

function checkedTtl(ttlMs: number | undefined): number | undefined {
  if (ttlMs === undefined) return undefined;
  if (!(ttlMs >= 1)) throw new StoreError('a time to live is at least one millisecond');
  return Math.min(ttlMs, MAX_TTL_MS);
}
