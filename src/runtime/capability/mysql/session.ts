import type { Socket } from 'node:net';
import mysql from 'mysql2';
import type { GuestGrant } from '../guest.js';
import { clientTlsMaterial } from '../outbound/client-tls.js';
import { lease as takeLease, type ConnectionKind, type Lease } from '../outbound/connection-budget.js';
import { dialLeased } from '../outbound/dial.js';
import { canonicalHost } from '../outbound/outbound-policy.js';
import type { PooledSession } from '../rdbms/app-sessions.js';
import { DEFAULT_MYSQL_PORT, type MysqlAddress } from './address.js';
import type { MysqlField } from './value.js';

/** A parameter in the terms of the interfaces. */
export interface ParameterValue {
  tag: string;
  val?: unknown;
}

/** Where the rows of a statement go. */
export interface RowSink {
  columns(fields: readonly MysqlField[]): void;
  /** Throws when no more is wanted: the rest is dropped, and the statement fails with that. */
  row(values: readonly unknown[]): void;
}

const NO_ROWS: RowSink = { columns: () => undefined, row: () => undefined };
const CONNECT_TIMEOUT_MS = 30_000;
const CANCEL_TIMEOUT_MS = 10_000;
/** Prepared statements that a session keeps at the server. */
const MAX_STATEMENTS = 64;

/**
 * How the library must behave to lose nothing and to do nothing by itself. Without the flags a server could ask for a file of this machine, and
 * spaces before parentheses would mean something else than for other clients. No code is generated for rows.
 */
const CLIENT_OPTIONS: mysql.ConnectionOptions = {
  flags: ['-LOCAL_FILES', '-IGNORE_SPACE', '-ODBC', '-FOUND_ROWS'], charset: 'UTF8MB4_UNICODE_CI', connectTimeout: CONNECT_TIMEOUT_MS,
  supportBigNumbers: true, bigNumberStrings: true, dateStrings: true, jsonStrings: true, rowsAsArray: true, disableEval: true,
  maxPreparedStatements: MAX_STATEMENTS, connectAttributes: {},
};

/** One connection to a MySQL or MariaDB server: prepared statements, one at a time. */
export class MysqlSession implements PooledSession {
  isUsable = true;
  /** A request to stop that is under way: what comes after it must not be hit. */
  private cancelling: Promise<void> | null = null;
  /** What waits for the server. The library forgets some of it when the connection ends. */
  private readonly waiting = new Set<(reason: Error) => void>();
  /** Bytes since the last row: a row that is too large never becomes whole. */
  private unread = 0;

  private constructor(
    private readonly client: mysql.Connection,
    readonly lease: Lease,
    private readonly reopen: () => Promise<MysqlSession>,
    private readonly address: MysqlAddress,
    maxRowBytes: number,
  ) {
    client.on('error', (error) => this.close(error));
    client.on('end', () => this.close());
    this.stream.on('data', (chunk) => {
      this.unread += chunk.length;
      if (this.unread > maxRowBytes) this.stream.destroy(new Error(`query result exceeds limit of ${maxRowBytes} bytes`));
    });
  }

  /**
   * Rejects with the server's or the socket's error.
   * @param kind null: it is not counted among the app's sessions
   */
  static async open(address: MysqlAddress, grant: GuestGrant, maxRowBytes: number, kind: ConnectionKind | null = 'mysql'): Promise<MysqlSession> {
    const { host, user, password, database, tls } = address;
    const lease = await takeLease(grant, kind);
    const socket = await dialLeased(grant, { host, port: address.port ?? DEFAULT_MYSQL_PORT }, lease);
    // the library names the server to TLS only when it has a name; by this a certificate is checked against an address (node:tls, `connect`)
    Object.assign(socket, { _host: host });
    const client = mysql.createConnection({
      ...CLIENT_OPTIONS, stream: socket, host, user, password, database,
      ...(tls && { ssl: { ...(clientTlsMaterial(grant, canonicalHost(host)) as mysql.SslOptions | null), rejectUnauthorized: true, verifyIdentity: true } }),
    });
    return new Promise((resolve, reject) => {
      client.once('connect', () => {
        client.removeListener('error', fail);
        resolve(new MysqlSession(client, lease, () => MysqlSession.open(address, grant, maxRowBytes, null), address, maxRowBytes));
      });
      const fail = (error: Error) => {
        client.on('error', () => undefined);
        socket.destroy();
        reject(error);
      };
      client.once('error', fail);
    });
  }

  /** Runs a statement. Rejects with the server's error, with what `sink` threw, or with the socket's error. */
  async run(statement: string, params: readonly ParameterValue[], sink: RowSink = NO_ROWS): Promise<void> {
    if (this.cancelling) await this.cancelling;
    if (!this.isUsable) throw new Error('connection closed');
    const prepared = await this.prepare(statement);
    const wanted = (prepared as unknown as { parameters: readonly unknown[] }).parameters.length;
    if (wanted !== params.length) throw new Error(`Statement takes ${wanted} parameters but ${params.length} was supplied.`);
    this.unread = 0;
    await this.execute(prepared, params.map(wireParameter), sink);
  }

  pause(): void {
    this.client.pause();
  }

  resume(): void {
    this.client.resume();
  }

  /** COM_CHANGE_USER: of the resets that there are the one that also goes back to the first database and character set. */
  async clean(): Promise<void> {
    this.client.resume();
    if (this.cancelling) await this.cancelling;
    const { user, password, database } = this.address;
    await this.whileOpen<void>((resolve, reject) => {
      this.client.changeUser({ user, password, database }, (error) => (error ? reject(error) : resolve()));
    });
    // MariaDB keeps the character set
    await this.whileOpen<void>((resolve, reject) => {
      this.client.query('SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci', (error) => (error ? reject(error) : resolve()));
    });
  }

  /** KILL QUERY, which takes a session of its own. Best effort. */
  cancel(): void {
    const { threadId } = this.client;
    if (!this.isUsable || this.cancelling) return;
    this.cancelling = this.kill(threadId).finally(() => { this.cancelling = null; });
  }

  close(reason: Error = new Error('connection closed')): void {
    if (!this.isUsable) return;
    this.isUsable = false;
    this.client.destroy();
    for (const fail of this.waiting) fail(reason);
  }

  private get stream(): Socket {
    return (this.client as unknown as { stream: Socket }).stream;
  }

  private async kill(threadId: number): Promise<void> {
    try {
      const other = await this.reopen();
      const timer = setTimeout(() => other.close(), CANCEL_TIMEOUT_MS);
      await other.whileOpen((resolve) => other.client.query(`KILL QUERY ${threadId}`, resolve)).finally(() => clearTimeout(timer));
      other.close();
    } catch {
      // the session is closed by whoever asked, or goes on to the end of its answer
    }
  }

  /** A promise that rejects when the connection ends before. */
  private whileOpen<T>(work: (resolve: (value: T) => void, reject: (reason: Error) => void) => void): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.waiting.add(reject);
    work(resolve, reject);
    return promise.finally(() => this.waiting.delete(reject));
  }

  private prepare(statement: string): Promise<mysql.PrepareStatementInfo> {
    return this.whileOpen((resolve, reject) => {
      this.client.prepare(statement, (error, prepared) => (error ? reject(error) : resolve(prepared)));
    });
  }

  /** Only the first of several results counts (a procedure gives one for each statement in it). */
  private execute(prepared: mysql.PrepareStatementInfo, values: unknown[], sink: RowSink): Promise<void> {
    return this.whileOpen((resolve, reject) => {
      let failure: Error | null = null;
      const guarded = (work: () => void) => {
        if (failure) return;
        try {
          work();
        } catch (error) {
          failure = error as Error;
          this.cancel();
        }
      };
      const command = (prepared as unknown as { execute(values: unknown[]): NodeJS.EventEmitter }).execute(values);
      command.on('error', (error: Error) => { failure ??= error; });
      command.on('fields', (fields: MysqlField[] | undefined, index: number | undefined) => {
        if (fields && !index) guarded(() => sink.columns(fields));
      });
      command.on('result', (row: unknown, index: number | undefined) => {
        this.unread = 0;
        if (Array.isArray(row) && !index) guarded(() => sink.row(row));
      });
      command.on('end', () => (failure ? reject(failure) : resolve()));
    });
  }
}

/** With the type that the guest gave it, not one that is guessed from a number. */
function wireParameter({ tag, val }: ParameterValue): unknown {
  const { TypedParameter } = mysql;
  if (tag === 'db-null') return null;
  if (tag === 'boolean') return TypedParameter.TINY(val ? 1 : 0);
  if (tag.startsWith('int')) return TypedParameter.LONGLONG(val as number | bigint);
  if (tag.startsWith('uint')) return TypedParameter.LONGLONG.unsigned(val as number | bigint);
  if (tag === 'floating32') return TypedParameter.FLOAT(val as number);
  if (tag === 'floating64') return TypedParameter.DOUBLE(val as number);
  if (tag === 'binary') return Buffer.from(val as Uint8Array);
  return val;
}
