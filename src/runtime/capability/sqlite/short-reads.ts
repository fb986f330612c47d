import { statSync } from 'node:fs';
import { constants as sqlite, DatabaseSync, type StatementSync } from 'node:sqlite';
import { isPlainSelect, isShortRead, type Instruction } from './read-program.js';
import type { SqlValue } from './sql.js';

/** Larger values are left to the process. */
const MAX_VALUE_BYTES = 256 * 1024;
const MAX_COLUMNS = 256;
const MAX_STATEMENTS = 256;
/** What was no short read may be one when the schema has changed. */
const LOOK_AGAIN_MS = 2_000;
/** Columns and tables that SQLite looks up while it makes a program. */
const MAX_LOOKUPS = 256;
/** Files kept open; the one unused for longest is closed. */
const MAX_OPEN = 64;
const IDLE_MS = 30_000;
const SWEEP_MS = 10_000;

const ACTIONS: ReadonlySet<number> = new Set([sqlite.SQLITE_SELECT, sqlite.SQLITE_READ, sqlite.SQLITE_FUNCTION]);

interface Program {
  statement: StatementSync;
  columns: string[];
}

/**
 * Reads of one database file that surely end soon, on this thread: handing them to a process costs ten times as much. Everything else is
 * answered by null, and then by the process, whose word is the last in any case: no error comes from here.
 *
 * A statement is checked once, by its text (`isPlainSelect`) and then by its program (`isShortRead`). Both depend on the schema: each read
 * looks first whether that is still the same, in the same transaction. So SQLite never makes a program anew by itself.
 */
export class ShortReads {
  private readonly db: DatabaseSync;
  /** A number: when it was found not to be short. */
  private readonly programs = new Map<string, Program | number>();
  private readonly begin: StatementSync;
  private readonly commit: StatementSync;
  private readonly version: StatementSync;
  private readonly viewNames: StatementSync;
  private knownVersion: unknown = null;
  private views: string[] = [];
  /** The platform's own statements run. */
  private trusted = true;
  private lookups = 0;
  usedMs = performance.now();

  constructor(path: string, readonly inode: bigint) {
    this.db = new DatabaseSync(path, {
      readOnly: true, timeout: 0, enableDoubleQuotedStringLiterals: true,
      limits: { length: MAX_VALUE_BYTES, column: MAX_COLUMNS, exprDepth: 100, compoundSelect: 10, attach: 0, vdbeOp: 5_000 },
    });
    this.db.enableDefensive(true);
    this.db.exec('PRAGMA trusted_schema = OFF; PRAGMA query_only = ON; PRAGMA temp_store = MEMORY');
    this.begin = this.db.prepare('BEGIN');
    this.commit = this.db.prepare('COMMIT');
    this.version = this.db.prepare('PRAGMA schema_version');
    this.version.setReturnArrays(true);
    this.viewNames = this.db.prepare('SELECT lower(name) AS name FROM sqlite_schema WHERE type = \'view\'');
    this.db.setAuthorizer((action) => this.authorize(action));
  }

  read(sql: string, params: readonly SqlValue[]): { columns: string[]; rows: SqlValue[][] } | null {
    this.usedMs = performance.now();
    const known = this.programs.get(sql);
    if (typeof known === 'number' && this.usedMs - known < LOOK_AGAIN_MS) return null;
    this.trusted = true;
    try {
      this.begin.run();
      this.look();
      const program = this.program(sql);
      this.trusted = false;
      return program && { columns: program.columns, rows: program.statement.all(...(params as SqlValue[])) as unknown as SqlValue[][] };
    } catch {
      return null;
    } finally {
      this.trusted = true;
      if (this.db.isTransaction) this.commit.run();
    }
  }

  close(): void {
    this.db.close();
  }

  /** What was found out holds for one schema. Asking for the views also has SQLite read the schema again. */
  private look(): void {
    const [version] = this.version.get() as unknown as [unknown];
    if (version === this.knownVersion) return;
    this.programs.clear();
    this.views = this.viewNames.all().map(({ name }) => name as string);
    this.knownVersion = version;
  }

  private program(sql: string): Program | null {
    const known = this.programs.get(sql);
    const program = typeof known === 'object' ? known : isPlainSelect(sql, this.views) ? this.prepare(sql) : null;
    this.programs.delete(sql);
    this.programs.set(sql, program ?? this.usedMs);
    if (this.programs.size > MAX_STATEMENTS) this.programs.delete(this.programs.keys().next().value!);
    return program;
  }

  private prepare(sql: string): Program | null {
    this.trusted = false;
    this.lookups = 0;
    try {
      const statement = this.db.prepare(sql);
      if (statement.sourceSQL.length < sql.trimEnd().length) return null;
      const program = this.db.prepare(`EXPLAIN ${sql}`).all() as unknown as Instruction[];
      if (!isShortRead(program)) return null;
      statement.setReadBigInts(true);
      statement.setReturnArrays(true);
      return { statement, columns: statement.columns().map(({ name }) => name) };
    } catch {
      return null;
    } finally {
      this.lookups = MAX_LOOKUPS;
    }
  }

  private authorize(action: number): number {
    if (this.trusted) return sqlite.SQLITE_OK;
    return this.lookups++ < MAX_LOOKUPS && ACTIONS.has(action) ? sqlite.SQLITE_OK : sqlite.SQLITE_DENY;
  }
}

/** In order of use, the latest last. */
const open = new Map<string, ShortReads>();
let watch: NodeJS.Timeout | null = null;

/** Those of the file at `path`; null: there is none yet. To be asked for by each new connection, since the file may have been replaced. */
export function shortReadsAt(path: string): ShortReads | null {
  const inode = inodeOf(path);
  const known = open.get(path);
  if (known) {
    open.delete(path);
    if (known.inode === inode) {
      open.set(path, known);
      return known;
    }
    known.close();
  }
  if (inode === null) return null;
  try {
    const made = new ShortReads(path, inode);
    open.set(path, made);
    watch ??= setInterval(sweep, SWEEP_MS).unref();
    if (open.size > MAX_OPEN) drop(open.keys().next().value!);
    return made;
  } catch {
    return null;
  }
}

function inodeOf(path: string): bigint | null {
  try {
    return statSync(path, { bigint: true }).ino;
  } catch {
    return null;
  }
}

/** For a clean end of this process. */
export function closeShortReads(): void {
  for (const path of open.keys()) drop(path);
}

function drop(path: string): void {
  open.get(path)?.close();
  open.delete(path);
}

function sweep(): void {
  const nowMs = performance.now();
  for (const [path, { usedMs }] of open) if (nowMs - usedMs > IDLE_MS) drop(path);
  if (open.size > 0 || !watch) return;
  clearInterval(watch);
  watch = null;
}
