import { postJson, ResponseTooLarge } from '../operator-http.js';
import type { ExecuteOptions, SqlConnection, SqlDatabase } from './database.js';
import { MAX_RESULT_BYTES, SqlError, SqlLimit, type SqlResult, type SqlValue } from './sql.js';

/**
 * Hrana over HTTP, version 2 (github.com/tursodatabase/libsql, docs/HRANA_2_SPEC.md and HTTP_V2_SPEC.md): a stream is a connection, kept by
 * the server between two requests and named by the `baton` of its last answer. JSON is used, which every server speaks.
 */
type HranaValue =
  | { type: 'null' }
  | { type: 'integer'; value: string }
  | { type: 'float'; value: number }
  | { type: 'text'; value: string }
  | { type: 'blob'; base64: string };

interface StatementResult {
  cols: { name: string | null }[];
  rows: HranaValue[][];
  affected_row_count: number;
  last_insert_rowid: string | null;
}

type StreamResult =
  | { type: 'ok'; response: { type: 'execute'; result: StatementResult } | { type: 'close' } }
  | { type: 'error'; error: { message: string; code?: string | null } };

interface PipelineAnswer {
  baton: string | null;
  base_url?: string | null;
  results: StreamResult[];
}

type StreamRequest = { type: 'execute'; stmt: { sql: string; args: HranaValue[]; want_rows: true } } | { type: 'close' };

/** JSON and base64 around what a result may be. */
const JSON_FACTOR = 2;
const TIMEOUT_MS = 60_000;

export interface LibsqlOptions {
  /** Whose connections are used. */
  owner: string;
  url: string;
  token: string;
}

class LibsqlConnection implements SqlConnection {
  private baton: string | null = null;
  private base: string;
  private isClosed = false;
  private changes = 0n;
  private lastInsertRowid = 0n;
  private readonly stop = new AbortController();
  /** Statements of one stream must not overtake each other. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: LibsqlOptions) {
    this.base = options.url;
  }

  execute(sql: string, params: readonly SqlValue[], { maxResultBytes = MAX_RESULT_BYTES }: ExecuteOptions = {}): Promise<SqlResult> {
    const work = this.last.then(() => this.run(sql, params, maxResultBytes));
    this.last = work.catch(() => undefined);
    return work;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.stop.abort();
    // The server rolls back what is open, at the latest when it has not heard of the stream for long.
    if (this.baton !== null) void this.pipeline([{ type: 'close' }], 1024, AbortSignal.timeout(TIMEOUT_MS)).catch(() => undefined);
  }

  private async run(sql: string, params: readonly SqlValue[], maxResultBytes: number): Promise<SqlResult> {
    if (this.isClosed) throw new SqlError('io', 'the connection is closed');
    const signal = AbortSignal.any([this.stop.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const [outcome] = await this.pipeline([{ type: 'execute', stmt: { sql, args: params.map(toHrana), want_rows: true } }], maxResultBytes, signal);
    if (outcome?.type === 'error') throw new SqlError('io', outcome.error.message);
    if (outcome?.type !== 'ok' || outcome.response.type !== 'execute') throw new SqlError('io', 'the database server gave an answer that is not understood');
    const { cols, rows, affected_row_count: changes, last_insert_rowid: lastInsertRowid } = outcome.response.result;
    this.changes = BigInt(changes);
    if (lastInsertRowid !== null) this.lastInsertRowid = BigInt(lastInsertRowid);
    return { columns: cols.map(({ name }) => name ?? ''), rows: rows.map((row) => row.map(fromHrana)), changes: this.changes, lastInsertRowid: this.lastInsertRowid };
  }

  private async pipeline(requests: StreamRequest[], maxResultBytes: number, signal: AbortSignal): Promise<StreamResult[]> {
    const { baton } = this;
    try {
      const { status, text } = await postJson({
        owner: this.options.owner, url: new URL('v2/pipeline', this.base.endsWith('/') ? this.base : `${this.base}/`), signal,
        headers: { authorization: `Bearer ${this.options.token}` }, body: JSON.stringify({ baton, requests }), maxResponseBytes: maxResultBytes * JSON_FACTOR,
      });
      if (status !== 200) {
        // The stream is gone with the request.
        this.baton = null;
        throw new SqlError('io', `the database server answered ${status}${errorOf(text)}`);
      }
      const answer = JSON.parse(text) as PipelineAnswer;
      this.baton = answer.baton;
      if (answer.base_url) this.base = movedTo(answer.base_url, this.options.url);
      return answer.results;
    } catch (error) {
      if (error instanceof SqlError) throw error;
      this.baton = null;
      if (error instanceof ResponseTooLarge) throw new SqlError('io', `query result exceeds limit of ${maxResultBytes} bytes`);
      if (signal.aborted && !this.isClosed) throw new SqlLimit('wall', 'the statement took longer than it may');
      throw new SqlError('io', error instanceof SyntaxError ? 'the database server gave an answer that is not understood' : 'the database server cannot be reached');
    }
  }
}

/** Databases of a libSQL server, the operator's own choice: its address is no guest's. */
export class LibsqlDatabase implements SqlDatabase {
  constructor(private readonly options: LibsqlOptions) {}

  connect(): SqlConnection {
    return new LibsqlConnection(this.options);
  }
}

function toHrana(value: SqlValue): HranaValue {
  if (value === null) return { type: 'null' };
  if (typeof value === 'bigint') return { type: 'integer', value: value.toString() };
  // JSON has no word for NaN, which SQLite keeps as NULL.
  if (typeof value === 'number') return Number.isNaN(value) ? { type: 'null' } : { type: 'float', value };
  if (typeof value === 'string') return { type: 'text', value };
  return { type: 'blob', base64: Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64') };
}

function fromHrana(value: HranaValue): SqlValue {
  switch (value.type) {
    case 'null': return null;
    case 'integer': return BigInt(value.value);
    case 'float':
    case 'text': return value.value;
    case 'blob': return new Uint8Array(Buffer.from(value.base64, 'base64'));
  }
}

/** A server may move the stream to another place of its own; the token goes to none that is not encrypted when the first one was. */
function movedTo(moved: string, first: string): string {
  if (new URL(first).protocol === 'https:' && new URL(moved).protocol !== 'https:') throw new SqlError('io', 'the database server leads to a place without encryption');
  return moved;
}

function errorOf(text: string): string {
  try {
    const { error, message = error } = JSON.parse(text) as { error?: unknown; message?: unknown };
    return typeof message === 'string' ? `: ${message.slice(0, 500)}` : '';
  } catch {
    return '';
  }
}
