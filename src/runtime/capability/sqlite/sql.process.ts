import { mkdirSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { constants as sqlite, DatabaseSync, type StatementSync } from 'node:sqlite';
import { deserialize, serialize } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { ProcessReply, ProcessRequest } from './sql-process.js';
import type { SqlValue } from './sql.js';

/**
 * The program of a process that runs SQL of one app. SQLite knows no limit of time or memory here and cannot be interrupted: whoever
 * started this process ends it instead (docs/adr/0016). It reads a request, runs it, writes the reply, and holds nothing else: no
 * event loop, no network, no secret. It imports nothing but Node's own modules, so that it starts fast.
 */

const CHANNEL = 3;
const MAX_CACHED_STATEMENTS = 64;
/** Text of all tables, indexes, views and triggers of a database: every runner that reads it parses that when it changes. */
const MAX_SCHEMA_BYTES = 1024 * 1024;
/** What a value is taken to need beside its text or bytes. */
const VALUE_BYTES = 32;
const MAX_KEEPERS = 8;
const SWITCH_TO_WAL_MS = 2_000;
const SQLITE_BUSY = 5;

/** Pragmas that say something, or change something of the database or of the connection alone. */
const PRAGMAS: ReadonlySet<string> = new Set([
  'application_id', 'automatic_index', 'case_sensitive_like', 'collation_list', 'compile_options', 'data_version', 'defer_foreign_keys',
  'foreign_key_check', 'foreign_key_list', 'foreign_keys', 'freelist_count', 'function_list', 'ignore_check_constraints', 'index_info', 'index_list',
  'index_xinfo', 'integrity_check', 'legacy_alter_table', 'module_list', 'optimize', 'page_count', 'pragma_list', 'query_only', 'quick_check',
  'recursive_triggers', 'reverse_unordered_selects', 'table_info', 'table_list', 'table_xinfo', 'user_version',
]);
/** Only to be asked for: their values are the platform's. */
const READABLE_PRAGMAS: ReadonlySet<string> = new Set(['encoding', 'journal_mode', 'max_page_count', 'page_size', 'schema_version', 'synchronous', 'auto_vacuum']);
/** What programs set out of habit: nothing comes of it, and no error either. */
const IGNORED_PRAGMAS: ReadonlySet<string> = new Set([
  'auto_vacuum', 'busy_timeout', 'cache_size', 'cache_spill', 'journal_mode', 'journal_size_limit', 'locking_mode', 'mmap_size', 'page_size', 'secure_delete',
  'synchronous', 'temp_store', 'threads', 'wal_autocheckpoint', 'wal_checkpoint',
]);
const MODULES: ReadonlySet<string> = new Set(['fts3', 'fts4', 'fts4aux', 'fts5', 'fts5vocab', 'rtree', 'rtree_i32', 'geopoly']);
const DENIED_FUNCTIONS: ReadonlySet<string> = new Set(['load_extension', 'fts3_tokenizer']);
const SCHEMA_ACTIONS: ReadonlySet<number> = new Set([sqlite.SQLITE_CREATE_TABLE, sqlite.SQLITE_CREATE_INDEX, sqlite.SQLITE_CREATE_VIEW, sqlite.SQLITE_CREATE_TRIGGER, sqlite.SQLITE_CREATE_VTABLE, sqlite.SQLITE_ALTER_TABLE]);
const TEMP_ACTIONS: ReadonlySet<number> = new Set([sqlite.SQLITE_CREATE_TEMP_INDEX, sqlite.SQLITE_CREATE_TEMP_TABLE, sqlite.SQLITE_CREATE_TEMP_TRIGGER, sqlite.SQLITE_CREATE_TEMP_VIEW]);

const pause = new Int32Array(new SharedArrayBuffer(4));

/** What a failed statement says of itself. */
class Fault extends Error {}

class Connection {
  readonly db: DatabaseSync;
  /** Has what another connection would not: temporary tables, settings. */
  private hasState = false;
  private changesSchema = false;
  private analyzes = false;
  /** The platform's own statements, at opening. */
  private trusted = true;
  private readonly statements = new Map<string, StatementSync>();
  private readonly counters: StatementSync;
  private readonly schemaSize: StatementSync;

  constructor({ path, readOnly, maxBytes, maxResultBytes }: ProcessRequest) {
    if (!readOnly) mkdirSync(dirname(path), { recursive: true });
    this.db = openShared(path, readOnly, maxResultBytes);
    this.db.enableDefensive(true);
    this.db.exec('PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON');
    const { page_size: pageBytes } = this.db.prepare('PRAGMA page_size').get() as { page_size: number };
    this.db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxBytes / pageBytes))}`);
    this.counters = this.db.prepare('SELECT last_insert_rowid(), changes()');
    this.schemaSize = this.db.prepare('SELECT total(octet_length(sql)) AS bytes FROM sqlite_schema');
    this.counters.setReadBigInts(true);
    this.counters.setReturnArrays(true);
    this.db.setAuthorizer((action, first, second) => this.authorize(action, first, second));
    this.trusted = false;
  }

  execute({ sql, params, maxResultBytes }: ProcessRequest): Omit<Extract<ProcessReply, { rows: unknown }>, 'cpuMs'> {
    const statement = this.statement(sql);
    const rows: SqlValue[][] = [];
    let bytes = 0;
    for (const row of statement.iterate(...(params as SqlValue[])) as unknown as Iterable<SqlValue[]>) {
      bytes += sizeOf(row);
      if (bytes > maxResultBytes) throw new Fault(`query result exceeds limit of ${maxResultBytes} bytes`);
      rows.push(row);
    }
    const [lastInsertRowid, changes] = this.own(() => this.counters.get()) as unknown as [bigint, bigint];
    return { columns: statement.columns().map(({ name }) => name), rows, lastInsertRowid, changes, keep: this.hasState || this.db.isTransaction };
  }

  close(): void {
    this.db.close();
  }

  private statement(sql: string): StatementSync {
    const known = this.statements.get(sql);
    if (known) {
      this.statements.delete(sql);
      this.statements.set(sql, known);
      return known;
    }
    this.changesSchema = false;
    this.analyzes = false;
    const statement = this.db.prepare(sql);
    if (!isBlank(sql.slice(statement.sourceSQL.length))) throw new Fault('Multiple statements provided');
    if (this.changesSchema && (this.own(() => this.schemaSize.get()) as { bytes: number }).bytes + sql.length > MAX_SCHEMA_BYTES) {
      throw new Fault(`the schema exceeds limit of ${MAX_SCHEMA_BYTES} bytes`);
    }
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    // It is to be looked at again each time.
    if (this.changesSchema) return statement;
    this.statements.set(sql, statement);
    if (this.statements.size > MAX_CACHED_STATEMENTS) this.statements.delete(this.statements.keys().next().value!);
    return statement;
  }

  private own<T>(use: () => T): T {
    this.trusted = true;
    try {
      return use();
    } finally {
      this.trusted = false;
    }
  }

  /** sqlite.org/c3ref/c_alter_table.html has what `first` and `second` are for each action. */
  private authorize(action: number, first: string | null, second: string | null): number {
    if (this.trusted) return sqlite.SQLITE_OK;
    if (SCHEMA_ACTIONS.has(action)) this.changesSchema = true;
    if (TEMP_ACTIONS.has(action)) this.hasState = true;
    switch (action) {
      case sqlite.SQLITE_ANALYZE:
        this.analyzes = true;
        return sqlite.SQLITE_OK;
      case sqlite.SQLITE_INSERT:
      case sqlite.SQLITE_UPDATE:
        // What ANALYZE has found is read with the schema, and must not be as long as a guest likes.
        return !this.analyzes && first!.toLowerCase().startsWith('sqlite_stat') ? sqlite.SQLITE_DENY : sqlite.SQLITE_OK;
      case sqlite.SQLITE_ATTACH:
        // VACUUM attaches an empty name, which is a database in memory.
        this.hasState = true;
        return first === '' ? sqlite.SQLITE_OK : sqlite.SQLITE_DENY;
      case sqlite.SQLITE_PRAGMA: return this.authorizePragma(first!.toLowerCase(), second);
      case sqlite.SQLITE_CREATE_VTABLE: return MODULES.has(second!.toLowerCase()) ? sqlite.SQLITE_OK : sqlite.SQLITE_DENY;
      case sqlite.SQLITE_FUNCTION: return DENIED_FUNCTIONS.has(second!.toLowerCase()) ? sqlite.SQLITE_DENY : sqlite.SQLITE_OK;
      default: return sqlite.SQLITE_OK;
    }
  }

  private authorizePragma(name: string, value: string | null): number {
    if (value === null && READABLE_PRAGMAS.has(name)) return sqlite.SQLITE_OK;
    if (IGNORED_PRAGMAS.has(name)) return sqlite.SQLITE_IGNORE;
    if (!PRAGMAS.has(name)) return sqlite.SQLITE_DENY;
    if (value !== null) this.hasState = true;
    return sqlite.SQLITE_OK;
  }
}

/** The switch to WAL needs the file for itself and does not heed a busy timeout (sqlite.org/wal.html), so it is tried again. */
function openShared(path: string, readOnly: boolean, maxResultBytes: number): DatabaseSync {
  const until = Date.now() + SWITCH_TO_WAL_MS;
  for (;;) {
    // Without a timeout: a writer that another one keeps waiting would keep that one from its end, if it is in this process. The asker tries again.
    const db = new DatabaseSync(path, {
      readOnly, timeout: 0, enableForeignKeyConstraints: true, enableDoubleQuotedStringLiterals: true, limits: { length: maxResultBytes, sqlLength: 1024 * 1024 },
    });
    try {
      if (!readOnly) db.exec('PRAGMA journal_mode = WAL');
      return db;
    } catch (error) {
      db.close();
      if ((error as { errcode?: number }).errcode !== SQLITE_BUSY || Date.now() >= until) throw error;
      Atomics.wait(pause, 0, 0, 2);
    }
  }
}

/** As `rowBytes` of sql.ts. */
function sizeOf(row: readonly SqlValue[]): number {
  let bytes = 0;
  for (const value of row) bytes += VALUE_BYTES + (typeof value === 'string' ? Buffer.byteLength(value) : value instanceof Uint8Array ? value.length : 0);
  return bytes;
}

/** Nothing but white space, comments and semicolons. */
function isBlank(tail: string): boolean {
  return /^(?:[\s;]|--[^\n]*(?:\n|$)|\/\*[^]*?(?:\*\/|$))*$/.test(tail);
}

const connections = new Map<number, Connection>();
/** One for each database that is never used: SQLite clears up after the last connection, which costs a write through to the disk. */
const keepers = new Map<string, DatabaseSync>();

function keep({ path, readOnly }: ProcessRequest): void {
  if (readOnly || keepers.has(path)) return;
  keepers.set(path, new DatabaseSync(path, { timeout: 0 }));
  if (keepers.size <= MAX_KEEPERS) return;
  const [oldest, keeper] = keepers.entries().next().value!;
  keepers.delete(oldest);
  keeper.close();
}

function connect(request: ProcessRequest): Connection {
  const connection = new Connection(request);
  connections.set(request.connection, connection);
  keep(request);
  return connection;
}

function run(request: ProcessRequest): ProcessReply {
  const before = process.cpuUsage();
  const cpuMs = () => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e3;
  };
  let connection = connections.get(request.connection);
  try {
    connection ??= connect(request);
    return { ...connection.execute(request), cpuMs: cpuMs() };
  } catch (error) {
    const { message, errcode, code } = error as Error & { errcode?: number; code?: string };
    // SQLite's own words are short and name no path of this machine; anything else might.
    const known = error instanceof Fault || errcode !== undefined || code === 'ERR_INVALID_ARG_VALUE' || code === 'ERR_SQLITE_ERROR';
    return { error: known ? message : 'the database cannot be reached', code: errcode ?? 0, keep: connection?.db.isTransaction ?? false, cpuMs: cpuMs() };
  }
}

/** False: the channel was closed. */
function fill(buffer: Buffer): boolean {
  for (let at = 0; at < buffer.length; ) {
    const count = readSync(CHANNEL, buffer, at, buffer.length - at, null);
    if (count === 0) return false;
    at += count;
  }
  return true;
}

function send(reply: ProcessReply): void {
  const body = serialize(reply);
  const frame = Buffer.allocUnsafe(4 + body.length);
  frame.writeUInt32LE(body.length);
  body.copy(frame, 4);
  for (let at = 0; at < frame.length; ) at += writeSync(CHANNEL, frame, at);
}

/** A statement that runs when the starter dies would run on for ever: nobody else could tell. */
const ORPHAN_WATCH = `setInterval(() => { if (process.ppid !== ${process.ppid}) process.kill(process.pid, 'SIGKILL'); }, 500);`;
new Worker(ORPHAN_WATCH, { eval: true, stdin: false, resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 } }).unref();

/** Should memory run out, this process is the one to go. */
try {
  writeFileSync('/proc/self/oom_score_adj', '1000');
} catch {
  // Only Linux has it.
}
const head = Buffer.alloc(4);
while (fill(head)) {
  const body = Buffer.allocUnsafe(head.readUInt32LE());
  if (!fill(body)) break;
  const request = deserialize(body) as ProcessRequest | { close: number };
  if ('close' in request) {
    connections.get(request.close)?.close();
    connections.delete(request.close);
  } else {
    send(run(request));
  }
}
