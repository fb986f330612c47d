import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FileConnection } from './file-connection.js';
import { MAX_PAGE_KEYS, MAX_RESULT_BYTES, StoreError, type KeyPage, type KeyValueStore, type ListOptions, type Maybe } from './key-value-store.js';

const MAX_KEY_BYTES = 64 * 1024;

/** How long a call may wait for a writer of another process. It waits without the thread. */
const BUSY_TIMEOUT_MS = 5_000;
const MAX_PAUSE_MS = 16;

/** Another process holds the file; extended codes keep this one in their low byte (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;

/** A store that was deleted through the API is noticed within this time: what is open would go on in a file without a name. */
const RECHECK_MS = 1_000;

/**
 * A store in a SQLite file that every runner of the node opens. Each call is one transaction on the thread, which takes microseconds. Only
 * when another process holds the file does it become a promise, so that the thread serves others meanwhile.
 */
export class FileStore implements KeyValueStore {
  readonly limits = { keyBytes: MAX_KEY_BYTES, valueBytes: MAX_RESULT_BYTES };
  readonly isLocal = true;
  private connection: FileConnection | null = null;
  private inode = 0;
  private checkedAt = 0;

  constructor(private readonly path: string) {}

  get(key: string): Maybe<Uint8Array | undefined> {
    return this.attempt((file) => file.get(key));
  }

  exists(key: string): Maybe<boolean> {
    return this.attempt((file) => file.exists(key));
  }

  set(key: string, value: Uint8Array, ttlMs?: number): Maybe<void> {
    return this.attempt((file) => file.set(key, value, ttlMs));
  }

  delete(key: string): Maybe<void> {
    return this.attempt((file) => file.delete(key));
  }

  list({ prefix = '', cursor, limit = MAX_PAGE_KEYS }: ListOptions): Maybe<KeyPage> {
    return this.attempt((file) => file.list(prefix, cursor, limit));
  }

  getMany(keys: readonly string[]): Maybe<(Uint8Array | undefined)[]> {
    return this.attempt((file) => file.getMany(keys));
  }

  setMany(entries: readonly (readonly [string, Uint8Array])[]): Maybe<void> {
    return this.attempt((file) => file.setMany(entries));
  }

  deleteMany(keys: readonly string[]): Maybe<void> {
    return this.attempt((file) => file.deleteMany(keys));
  }

  increment(key: string, delta: bigint, operation?: string): Maybe<bigint> {
    return this.attempt((file) => file.increment(key, delta, operation));
  }

  swap(key: string, expected: Uint8Array | undefined, value: Uint8Array | undefined, ttlMs?: number): Maybe<boolean> {
    return this.attempt((file) => file.swap(key, expected, value, ttlMs));
  }

  close(): Promise<void> {
    this.connection?.close();
    this.connection = null;
    return Promise.resolve();
  }

  /** Each use leaves nothing behind when it throws, so that it can be tried again from its start. */
  private attempt<T>(use: (file: FileConnection) => T): Maybe<T> {
    try {
      return use(this.connectionNow());
    } catch (error) {
      if (isBusy(error)) return this.tryAgain(use);
      throw toStoreError(error);
    }
  }

  private async tryAgain<T>(use: (file: FileConnection) => T): Promise<T> {
    const until = Date.now() + BUSY_TIMEOUT_MS;
    for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
      // writers that wait for the same one should not come back together
      await sleep(pauseMs * (0.5 + Math.random()));
      try {
        return use(this.connectionNow());
      } catch (error) {
        if (!isBusy(error)) throw toStoreError(error);
        if (Date.now() >= until) throw new StoreError('the store is busy', { cause: error });
      }
    }
  }

  private connectionNow(): FileConnection {
    const { connection } = this;
    const now = Date.now();
    if (connection && now - this.checkedAt < RECHECK_MS) return connection;
    this.checkedAt = now;
    if (connection && inodeOf(this.path) === this.inode) return connection;
    connection?.close();
    this.connection = null;
    mkdirSync(dirname(this.path), { recursive: true });
    const opened = new FileConnection(this.path);
    this.inode = inodeOf(this.path);
    return (this.connection = opened);
  }
}

const inodeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.ino ?? 0;

const isBusy = (error: unknown): boolean => ((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY;

/** SQLite's own words are short and name no path of this machine; anything else might. */
function toStoreError(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ERR_SQLITE_ERROR' ? new StoreError(message, { cause: error }) : error;
}
