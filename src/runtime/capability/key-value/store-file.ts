import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';

/** Spin's cap on what a host buffers for one call; a value, and the sum of the keys of one listing. */
export const MAX_VALUE_BYTES = 128 * 1024 * 1024;
export const MAX_KEY_BYTES = 64 * 1024;

/** Files kept open in this process; the one unused for longest is closed. */
const MAX_OPEN = 128;

/** How long one call may wait for a writer of another process; the thread waits with it. */
const BUSY_TIMEOUT_MS = 2_000;

/** Something a guest should read about. */
export class StoreError extends Error {
  override name = 'StoreError';
}

/**
 * One key-value store: a SQLite file that every runner of the node opens. WAL lets them read while one writes; a writer waits for
 * another one, up to the busy timeout. What `set` acknowledged survives the death of any process.
 */
export class StoreFile {
  private readonly db: DatabaseSync;
  private readonly statements: Record<'get' | 'set' | 'delete' | 'exists' | 'keys' | 'size', StatementSync>;

  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.db = openShared(path);
    this.statements = {
      get: this.db.prepare('SELECT value FROM key_value WHERE key = ?'),
      set: this.db.prepare('INSERT INTO key_value (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value'),
      delete: this.db.prepare('DELETE FROM key_value WHERE key = ?'),
      exists: this.db.prepare('SELECT 1 FROM key_value WHERE key = ?'),
      keys: this.db.prepare('SELECT key FROM key_value ORDER BY key'),
      size: this.db.prepare('SELECT coalesce(sum(octet_length(key)), 0) AS bytes FROM key_value'),
    };
  }

  get(key: string): Uint8Array | undefined {
    return this.statements.get.get(key)?.value as Uint8Array | undefined;
  }

  /** Throws StoreError when key or value is too large. */
  set(key: string, value: Uint8Array): void {
    if (Buffer.byteLength(key) > MAX_KEY_BYTES) throw new StoreError(`key exceeds limit of ${MAX_KEY_BYTES} bytes`);
    if (value.length > MAX_VALUE_BYTES) throw new StoreError(`value exceeds limit of ${MAX_VALUE_BYTES} bytes`);
    this.statements.set.run(key, value);
  }

  delete(key: string): void {
    this.statements.delete.run(key);
  }

  exists(key: string): boolean {
    return this.statements.exists.get(key) !== undefined;
  }

  /** Throws StoreError when the keys together are too large to be handed over at once. */
  keys(): string[] {
    const { bytes } = this.statements.size.get() as { bytes: number };
    if (bytes > MAX_VALUE_BYTES) throw new StoreError(`query result exceeds limit of ${MAX_VALUE_BYTES} bytes`);
    return this.statements.keys.all().map((row) => row.key as string);
  }

  close(): void {
    this.db.close();
  }
}

/**
 * Opens a file that another process may be making at this moment. The switch to WAL needs the file for itself and does not heed the
 * busy timeout (sqlite.org/wal.html), so it is tried again.
 */
function openShared(path: string): DatabaseSync {
  const until = Date.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    try {
      db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
      db.exec('CREATE TABLE IF NOT EXISTS key_value (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID');
      return db;
    } catch (error) {
      db.close();
      if ((error as { errcode?: number }).errcode !== SQLITE_BUSY || Date.now() >= until) throw error;
      Atomics.wait(SLEEP, 0, 0, 2);
    }
  }
}

const SQLITE_BUSY = 5;
const SLEEP = new Int32Array(new SharedArrayBuffer(4));

/** In order of use, the latest last. */
const open = new Map<string, StoreFile>();

/** The store at a path: one connection with its prepared statements for all slots of this process. */
export function storeAt(path: string): StoreFile {
  const found = open.get(path);
  if (found) {
    open.delete(path);
    open.set(path, found);
    return found;
  }
  const store = new StoreFile(path);
  open.set(path, store);
  if (open.size > MAX_OPEN) {
    const [oldest, file] = open.entries().next().value!;
    open.delete(oldest);
    file.close();
  }
  return store;
}

/** Closes every store of this process, for a clean end. */
export function closeStores(): void {
  for (const store of open.values()) store.close();
  open.clear();
}
