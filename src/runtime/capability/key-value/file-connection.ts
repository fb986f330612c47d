import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { add, fromCounter, toCounter } from './counter.js';
import { badCursor, fromCursor, toCursor } from './cursor.js';
import { MAX_RESULT_BYTES, OPERATION_MEMORY_MS, resultTooLarge, type KeyPage } from './key-value-store.js';

/** `PRAGMA user_version` of a file with all that the statements here need. */
const SCHEMA_VERSION = 1;

/** Keys of one page together: a page is handed over at once. */
const MAX_PAGE_BYTES = 16 * 1024 * 1024;

/** After so many writes a few of what is over is deleted, so that no single write pays for many. */
const SWEEP_EVERY = 256;
const SWEEP_ROWS = 512;

const ALIVE = '(expires_at IS NULL OR expires_at > :now)';
const UPSERT = 'INSERT INTO key_value (key, value, expires_at) VALUES (:key, :value, :expires) ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at';

const STATEMENTS = {
  get: 'SELECT value, expires_at FROM key_value WHERE key = ?',
  exists: 'SELECT expires_at FROM key_value WHERE key = ?',
  set: 'INSERT INTO key_value (key, value, expires_at) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at',
  delete: 'DELETE FROM key_value WHERE key = ?',
  list: `SELECT key FROM key_value WHERE key >= :prefix AND ${ALIVE} ORDER BY key`,
  listAfter: `SELECT key FROM key_value WHERE key > :after AND ${ALIVE} ORDER BY key`,
  add: 'INSERT INTO key_value (key, value, expires_at) VALUES (?, ?, NULL) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  replace: `UPDATE key_value SET value = :value, expires_at = :expires WHERE key = :key AND value = :expected AND ${ALIVE}`,
  put: `${UPSERT} WHERE NOT ${ALIVE.replaceAll('expires_at', 'key_value.expires_at')}`,
  remove: `DELETE FROM key_value WHERE key = :key AND value = :expected AND ${ALIVE}`,
  remembered: 'SELECT CAST(result AS TEXT) FROM operation WHERE key = ? AND id = ? AND at > ?',
  remember: 'INSERT INTO operation (key, id, result, at) VALUES (?, ?, ?, ?) ON CONFLICT (key, id) DO UPDATE SET result = excluded.result, at = excluded.at',
  sweepKeys: 'DELETE FROM key_value WHERE key IN (SELECT key FROM key_value WHERE expires_at <= ? LIMIT ?)',
  sweepOperations: 'DELETE FROM operation WHERE (key, id) IN (SELECT key, id FROM operation WHERE at <= ? LIMIT ?)',
} as const;

/**
 * One connection to a store's file. WAL lets any number of processes read while one writes; what was acknowledged survives the death of any of
 * them, and the machine's but for the last moments. It never waits: who meets a lock gets SQLITE_BUSY.
 */
export class FileConnection {
  private readonly db: DatabaseSync;
  private readonly statements: Record<keyof typeof STATEMENTS, StatementSync>;
  private writes = 0;

  /** The file may be made, or brought up to date, by another process at this moment. */
  constructor(path: string) {
    const db = new DatabaseSync(path, { timeout: 0 });
    try {
      db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
      migrate(db);
      this.statements = Object.fromEntries(Object.entries(STATEMENTS).map(([name, sql]) => {
        const statement = db.prepare(sql);
        statement.setReturnArrays(true);
        return [name, statement];
      })) as Record<keyof typeof STATEMENTS, StatementSync>;
    } catch (error) {
      db.close();
      throw error;
    }
    this.db = db;
  }

  get(key: string): Uint8Array | undefined {
    const row = this.statements.get.get(key) as unknown as [Uint8Array, number | null] | undefined;
    if (row === undefined || isOver(row[1])) return undefined;
    return row[0];
  }

  exists(key: string): boolean {
    const row = this.statements.exists.get(key) as unknown as [number | null] | undefined;
    return row !== undefined && !isOver(row[0]);
  }

  set(key: string, value: Uint8Array, ttlMs?: number): void {
    this.statements.set.run(key, value, expiryOf(ttlMs));
    this.wrote();
  }

  delete(key: string): void {
    this.statements.delete.run(key);
  }

  list(prefix: string, cursor: string | undefined, limit: number): KeyPage {
    const now = Date.now();
    const after = cursor === undefined ? undefined : fromCursor(cursor);
    if (after !== undefined && !after.startsWith(prefix)) throw badCursor();
    const rows = after === undefined ? this.statements.list.iterate({ prefix, now }) : this.statements.listAfter.iterate({ after, now });
    const keys: string[] = [];
    let bytes = 0;
    for (const [key] of rows as unknown as Iterable<[string]>) {
      if (!key.startsWith(prefix)) break;
      if (keys.length === limit || bytes > MAX_PAGE_BYTES) return { keys, cursor: toCursor(keys.at(-1)!) };
      keys.push(key);
      bytes += key.length;
    }
    return { keys };
  }

  getMany(keys: readonly string[]): (Uint8Array | undefined)[] {
    return this.transaction('BEGIN', () => {
      let bytes = 0;
      return keys.map((key) => {
        const value = this.get(key);
        bytes += value?.length ?? 0;
        if (bytes > MAX_RESULT_BYTES) throw resultTooLarge();
        return value;
      });
    });
  }

  setMany(entries: readonly (readonly [string, Uint8Array])[]): void {
    this.transaction('BEGIN IMMEDIATE', () => {
      for (const [key, value] of entries) this.statements.set.run(key, value, null);
    });
    this.wrote();
  }

  deleteMany(keys: readonly string[]): void {
    this.transaction('BEGIN IMMEDIATE', () => {
      for (const key of keys) this.statements.delete.run(key);
    });
  }

  increment(key: string, delta: bigint, operation?: string): bigint {
    const now = Date.now();
    const result = this.transaction('BEGIN IMMEDIATE', () => {
      const done = operation === undefined ? undefined : this.statements.remembered.get(key, operation, now - OPERATION_MEMORY_MS);
      if (done) return BigInt((done as unknown as [string])[0]);
      const found = this.get(key);
      const sum = add(fromCounter(found), delta);
      if (found) this.statements.add.run(key, toCounter(sum));
      else this.statements.set.run(key, toCounter(sum), null);
      if (operation !== undefined) this.statements.remember.run(key, operation, sum, now);
      return sum;
    });
    this.wrote();
    return result;
  }

  swap(key: string, expected: Uint8Array | undefined, value: Uint8Array | undefined, ttlMs?: number): boolean {
    const { replace, put, remove } = this.statements;
    const now = Date.now();
    const run = (statement: StatementSync, values: Record<string, SQLInputValue>): boolean => Number(statement.run({ key, now, ...values }).changes) === 1;
    if (value === undefined) return run(remove, { expected: expected! });
    const changed = expected === undefined ? run(put, { value, expires: expiryOf(ttlMs) }) : run(replace, { value, expected, expires: expiryOf(ttlMs) });
    this.wrote();
    return changed;
  }

  close(): void {
    this.db.close();
  }

  private transaction<T>(begin: 'BEGIN' | 'BEGIN IMMEDIATE', body: () => T): T {
    this.db.exec(begin);
    try {
      const result = body();
      this.db.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.db.isTransaction) this.db.exec('ROLLBACK');
      throw error;
    }
  }

  /** After a write that is done: what fails here must not undo it for the guest, and is tried again later. */
  private wrote(): void {
    if (++this.writes % SWEEP_EVERY !== 0) return;
    const now = Date.now();
    try {
      this.statements.sweepKeys.run(now, SWEEP_ROWS);
      this.statements.sweepOperations.run(now - OPERATION_MEMORY_MS, SWEEP_ROWS);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SQLITE_ERROR') throw error;
    }
  }
}

const isOver = (expiresAt: number | null): boolean => expiresAt !== null && expiresAt <= Date.now();
const expiryOf = (ttlMs: number | undefined): number | null => (ttlMs === undefined ? null : Date.now() + Math.ceil(ttlMs));

/** Files of before this version have `key_value (key, value)` alone; older runners that have them open go on working with the new tables. */
function migrate(db: DatabaseSync): void {
  const version = (): number => (db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
  if (version() >= SCHEMA_VERSION) return;
  db.exec('BEGIN IMMEDIATE');
  try {
    if (version() < SCHEMA_VERSION) {
      db.exec('CREATE TABLE IF NOT EXISTS key_value (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID');
      db.exec(`
        ALTER TABLE key_value ADD COLUMN expires_at INTEGER;
        CREATE INDEX key_value_expires_at ON key_value (expires_at) WHERE expires_at IS NOT NULL;
        CREATE TABLE operation (key TEXT NOT NULL, id TEXT NOT NULL, result INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (key, id)) WITHOUT ROWID;
        CREATE INDEX operation_at ON operation (at);
        PRAGMA user_version = ${SCHEMA_VERSION};`);
    }
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
