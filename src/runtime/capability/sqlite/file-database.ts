import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecuteOptions, SqlConnection, SqlDatabase } from './database.js';
import { shortReadsAt, type ShortReads } from './short-reads.js';
import { MAX_RESULT_BYTES, SqlError, type SqlResult, type SqlValue } from './sql.js';
import { processFor } from './sql-processes.js';
import type { Job, ProcessReply, ProcessRequest, SqlProcess } from './sql-process.js';

const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;
/** How long a writer waits for others, as with Spin. */
const BUSY_TIMEOUT_MS = 5_000;
const BUSY_PAUSE_MS = 2;
const BUSY_LONGEST_PAUSE_MS = 25;

export interface FileOptions {
  path: string;
  /** Whose process runs the statements. */
  owner: string;
  readOnly: boolean;
  maxBytes: number;
}

let lastConnection = 0;

/**
 * A connection to a SQLite file. Reads that surely end soon are answered on this thread; all else runs in a process of the app's own,
 * which is ended when a statement takes too much (docs/adr/0016). As soon as the connection has something that another would not have,
 * such as a transaction, that process answers everything.
 */
class FileConnection implements SqlConnection {
  private readonly id = ++lastConnection;
  private process: SqlProcess | null = null;
  private keep = false;
  /** Statements that are not answered yet: none overtakes them. */
  private pending = 0;
  private isClosed = false;
  private reads: ShortReads | null = null;
  private hasLooked = false;
  private readonly jobs = new Set<Job>();
  private lastInsertRowid = 0n;
  private changes = 0n;

  constructor(private readonly options: FileOptions) {}

  execute(sql: string, params: readonly SqlValue[], { maxResultBytes = MAX_RESULT_BYTES, charge }: ExecuteOptions = {}): SqlResult | Promise<SqlResult> {
    if (!this.keep && this.pending === 0) {
      const { lastInsertRowid, changes } = this;
      const result = this.shortReads()?.read(sql, params);
      if (result) return { ...result, lastInsertRowid, changes };
    }
    const { path, readOnly, maxBytes } = this.options;
    this.pending++;
    return this.ask({ connection: this.id, path, readOnly, maxBytes, maxResultBytes, sql, params }, charge).finally(() => { this.pending--; });
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const { process } = this;
    if (!process) return;
    for (const job of this.jobs) process.abandon(job);
    process.close(this.id);
    process.connections--;
  }

  private shortReads(): ShortReads | null {
    if (this.hasLooked) return this.reads;
    this.reads = shortReadsAt(this.options.path);
    this.hasLooked = this.reads !== null;
    return this.reads;
  }

  /** Again and again while another connection writes. */
  private async ask(request: ProcessRequest, charge: Job['charge']): Promise<SqlResult> {
    const until = performance.now() + BUSY_TIMEOUT_MS;
    for (let pauseMs = BUSY_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, BUSY_LONGEST_PAUSE_MS)) {
      const reply = await this.once(request, charge);
      this.keep = reply.keep;
      if (!('error' in reply)) {
        const { columns, rows, lastInsertRowid, changes } = reply;
        this.lastInsertRowid = lastInsertRowid;
        this.changes = changes;
        return { columns, rows, lastInsertRowid, changes };
      }
      if (reply.code !== SQLITE_BUSY || performance.now() > until || this.isClosed) {
        throw new SqlError(reply.code === SQLITE_FULL ? 'full' : 'io', reply.error);
      }
      await sleep(pauseMs);
    }
  }

  private once(request: ProcessRequest, charge: Job['charge']): Promise<ProcessReply> {
    return new Promise((resolve, reject) => {
      const settled = <T>(settle: (value: T) => void) => (value: T) => {
        this.jobs.delete(job);
        settle(value);
      };
      const job: Job = { request, charge, done: settled(resolve), fail: settled(reject) };
      const process = this.attached();
      this.jobs.add(job);
      process.run(job);
    });
  }

  /** A connection that has nothing of its own goes on in another process when its own has ended. */
  private attached(): SqlProcess {
    if (this.isClosed) throw new SqlError('io', 'the connection is closed');
    if (this.process && (!this.process.hasEnded || this.keep)) return this.process;
    this.process = processFor(this.options.owner);
    this.process.connections++;
    return this.process;
  }
}

/** Databases in files of this machine. */
export class FileDatabase implements SqlDatabase {
  constructor(private readonly options: FileOptions) {}

  connect(): SqlConnection {
    return new FileConnection(this.options);
  }
}
