import { statSync } from 'node:fs';
import { constants as sqlite, DatabaseSync, type StatementSync } from 'node:sqlite';
import { isShortRead, type Instruction } from './read-program.js';
import type { SqlValue } from './sql.js';

/** Longer statements and larger values are left to the process. */
const MAX_SQL_LENGTH = 4_096;
const MAX_VALUE_BYTES = 256 * 1024;
const MAX_COLUMNS = 256;
const MAX_STATEMENTS = 256;
/** What was no short read may be one when the schema has changed. */
const LOOK_AGAIN_MS = 2_000;
/** What SQLite looks up while it makes a program: views of views of views come to millions. */
const MAX_LOOKUPS = 256;
/** Files kept open; the one unused for longest is closed. */
const MAX_OPEN = 64;
const IDLE_MS = 30_000;
const LOOK_MS = 10_000;

const ACTIONS: ReadonlySet<number> = new Set([sqlite.SQLITE_SELECT, sqlite.SQLITE_READ, sqlite.SQLITE_FUNCTION]);

interface Program {
  statement: StatementSync;
  columns: string[];
}

/**
 * Reads of one database file that surely end soon, on this thread: handing them to a process costs ten times as much. Everything else is
 * answered by null, and then by the process, whose word is the last in any case: no error comes from here.
 *
 * A program is checked once (`isShortRead`). SQLite makes it anew by itself when the schema has changed, and it may then be another: the
 * authorizer is asked at that, and refuses.
 */
export class ShortReads {
  private readonly db: DatabaseSync;
  /** A number: when it was found not to be short. */
  private readonly programs = new Map<string, Program | number>();
  private readonly anything: StatementSync;
  private lookups = MAX_LOOKUPS;
  usedMs = performance.now();

  constructor(path: string, readonly inode: bigint) {
    this.db = new DatabaseSync(path, {
      readOnly: true, timeout: 0, enableDoubleQuotedStringLiterals: true,
      limits: { length: MAX_VALUE_BYTES, sqlLength: MAX_SQL_LENGTH * 2, column: MAX_COLUMNS, exprDepth: 100, compoundSelect: 10, attach: 0, vdbeOp: 5_000 },
    });
    this.db.enableDefensive(true);
    this.db.exec('PRAGMA trusted_schema = OFF; PRAGMA query_only = ON; PRAGMA temp_store = MEMORY');
    this.anything = this.db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1');
    this.db.setAuthorizer((action) => this.authorize(action));
  }

  read(sql: string, params: readonly SqlValue[]): { columns: string[]; rows: SqlValue[][] } | null {
    this.usedMs = performance.now();
    try {
      const program = this.program(sql);
      return program && { columns: program.columns, rows: program.statement.all(...(params as SqlValue[])) as unknown as SqlValue[][] };
    } catch {
      // Most often the schema has changed.
      this.programs.clear();
      return null;
    }
  }

  close(): void {
    this.db.close();
  }

  private program(sql: string): Program | null {
    const known = this.programs.get(sql);
    if (typeof known === 'number' && this.usedMs - known < LOOK_AGAIN_MS) return null;
    const program = typeof known === 'object' ? known : sql.length <= MAX_SQL_LENGTH ? this.prepare(sql) : null;
    this.programs.delete(sql);
    this.programs.set(sql, program ?? this.usedMs);
    if (this.programs.size > MAX_STATEMENTS) this.programs.delete(this.programs.keys().next().value!);
    return program;
  }

  private prepare(sql: string): Program | null {
    this.lookups = 0;
    try {
      // Programs are made by the schema as it was last read: this reads it again where it has changed.
      this.anything.get();
      // In this order: should the schema change in between, the first is refused when it is run.
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
    return this.lookups++ < MAX_LOOKUPS && ACTIONS.has(action) ? sqlite.SQLITE_OK : sqlite.SQLITE_DENY;
  }
}

/** In order of use, the latest last. */
const open = new Map<string, ShortReads>();
let watch: NodeJS.Timeout | null = null;

/** Those of the file at `path`; null: there is none yet. To be asked for by each new connection, since the file may have been replaced. */
export function shortReadsAt(path: string): ShortReads | null {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  const known = open.get(path);
  if (known) {
    open.delete(path);
    if (known.inode === stat?.ino) {
      open.set(path, known);
      return known;
    }
    known.close();
  }
  if (!stat) return null;
  try {
    const made = new ShortReads(path, stat.ino);
    open.set(path, made);
    watch ??= setInterval(look, LOOK_MS).unref();
    if (open.size > MAX_OPEN) drop(open.keys().next().value!);
    return made;
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

function look(): void {
  const nowMs = performance.now();
  for (const [path, { usedMs }] of open) if (nowMs - usedMs > IDLE_MS) drop(path);
  if (open.size > 0 || !watch) return;
  clearInterval(watch);
  watch = null;
}
