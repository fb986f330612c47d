import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { BlobError } from './blob-error.js';

/** What keeping an object or a container costs besides its bytes and its name. */
const ENTRY_BYTES = 256;

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS containers (name TEXT PRIMARY KEY, created INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS objects (
    container TEXT NOT NULL, name TEXT NOT NULL, file TEXT NOT NULL, bytes INTEGER NOT NULL, created INTEGER NOT NULL, PRIMARY KEY (container, name)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS totals (bytes INTEGER NOT NULL) STRICT;
  INSERT INTO totals SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM totals);
  CREATE TRIGGER IF NOT EXISTS objects_added AFTER INSERT ON objects BEGIN
    UPDATE totals SET bytes = bytes + NEW.bytes + octet_length(NEW.name) + ${ENTRY_BYTES}; END;
  CREATE TRIGGER IF NOT EXISTS objects_gone AFTER DELETE ON objects BEGIN
    UPDATE totals SET bytes = bytes - OLD.bytes - octet_length(OLD.name) - ${ENTRY_BYTES}; END;
  CREATE TRIGGER IF NOT EXISTS containers_added AFTER INSERT ON containers BEGIN
    UPDATE totals SET bytes = bytes + octet_length(NEW.name) + ${ENTRY_BYTES}; END;
  CREATE TRIGGER IF NOT EXISTS containers_gone AFTER DELETE ON containers BEGIN
    UPDATE totals SET bytes = bytes - octet_length(OLD.name) - ${ENTRY_BYTES}; END;`;

/** Runners of the node share the file; each transaction is short. */
const BUSY_TIMEOUT_MS = 2_000;

export interface BlobEntry {
  file: string;
  bytes: number;
  /** Seconds since the epoch. */
  created: number;
}

export interface ObjectId {
  container: string;
  object: string;
}

const nowS = (): number => Math.floor(Date.now() / 1000);

/** Which containers and objects an app has, and the files that hold them. Throws BlobError. */
export class BlobIndex {
  private readonly database: DatabaseSync;
  private readonly statements = new Map<string, StatementSync>();

  constructor(path: string) {
    this.database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    this.database.exec(SCHEMA);
  }

  get totalBytes(): number {
    return this.one<{ bytes: number }>('SELECT bytes FROM totals')!.bytes;
  }

  /** When it was created; undefined: there is none. */
  containerCreated(name: string): number | undefined {
    return this.one<{ created: number }>('SELECT created FROM containers WHERE name = ?', name)?.created;
  }

  createContainer(name: string, maxBytes: number): void {
    this.transaction(() => {
      if (this.containerCreated(name) !== undefined) throw new BlobError('the container exists already');
      this.run('INSERT INTO containers VALUES (?, ?)', name, nowS());
      this.checkRoom(maxBytes);
    });
  }

  /** Files that nobody needs any more. */
  deleteContainer(name: string): string[] {
    return this.transaction(() => {
      this.mustExist(name);
      const files = this.removeAll(name);
      this.run('DELETE FROM containers WHERE name = ?', name);
      return files;
    });
  }

  clear(container: string): string[] {
    return this.transaction(() => {
      this.mustExist(container);
      return this.removeAll(container);
    });
  }

  find(container: string, name: string): BlobEntry | undefined {
    this.mustExist(container);
    return this.one<BlobEntry>('SELECT file, bytes, created FROM objects WHERE container = ? AND name = ?', container, name);
  }

  /** Names after `after`, in order. */
  names(container: string, after: string | null, limit: number): string[] {
    this.mustExist(container);
    const rows = after === null
      ? this.all<{ name: string }>('SELECT name FROM objects WHERE container = ? ORDER BY name LIMIT ?', container, limit)
      : this.all<{ name: string }>('SELECT name FROM objects WHERE container = ? AND name > ? ORDER BY name LIMIT ?', container, after, limit);
    return rows.map(({ name }) => name);
  }

  /** Puts an object in, in place of what has its name. Gives the file that nobody needs any more. */
  put({ container, object }: ObjectId, file: string, bytes: number, maxBytes: number): string[] {
    return this.transaction(() => {
      this.mustExist(container);
      const replaced = this.remove(container, [object]);
      this.run('INSERT INTO objects VALUES (?, ?, ?, ?, ?)', container, object, file, bytes, nowS());
      this.checkRoom(maxBytes);
      return replaced;
    });
  }

  /** Gives an object another name, in place of what has that one. */
  move(from: ObjectId, to: ObjectId, maxBytes: number): string[] {
    return this.transaction(() => {
      this.mustExist(to.container);
      const entry = this.find(from.container, from.object);
      if (!entry) throw new BlobError('there is no such object');
      this.remove(from.container, [from.object]);
      const replaced = this.remove(to.container, [to.object]);
      this.run('INSERT INTO objects VALUES (?, ?, ?, ?, ?)', to.container, to.object, entry.file, entry.bytes, entry.created);
      this.checkRoom(maxBytes);
      return replaced;
    });
  }

  delete(container: string, names: readonly string[]): string[] {
    return this.transaction(() => {
      this.mustExist(container);
      return this.remove(container, names);
    });
  }

  close(): void {
    this.database.close();
  }

  private remove(container: string, names: readonly string[]): string[] {
    return names.flatMap((name) => this.all<{ file: string }>('DELETE FROM objects WHERE container = ? AND name = ? RETURNING file', container, name).map(({ file }) => file));
  }

  private removeAll(container: string): string[] {
    return this.all<{ file: string }>('DELETE FROM objects WHERE container = ? RETURNING file', container).map(({ file }) => file);
  }

  private mustExist(container: string): void {
    if (this.containerCreated(container) === undefined) throw new BlobError('there is no such container');
  }

  private checkRoom(maxBytes: number): void {
    if (this.totalBytes > maxBytes) throw new BlobError(`the app may keep ${maxBytes} bytes of objects`);
  }

  private transaction<T>(work: () => T): T {
    this.database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.database.exec('COMMIT');
      return result;
    } catch (error) {
      this.database.exec('ROLLBACK');
      throw error;
    }
  }

  private one<T>(sql: string, ...values: (string | number)[]): T | undefined {
    return this.statement(sql).get(...values) as T | undefined;
  }

  private all<T>(sql: string, ...values: (string | number)[]): T[] {
    return this.statement(sql).all(...values) as T[];
  }

  private run(sql: string, ...values: (string | number)[]): void {
    this.statement(sql).run(...values);
  }

  private statement(sql: string): StatementSync {
    let statement = this.statements.get(sql);
    if (!statement) this.statements.set(sql, (statement = this.database.prepare(sql)));
    return statement;
  }
}
