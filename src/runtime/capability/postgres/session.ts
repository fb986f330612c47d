import type { Socket } from 'node:net';
import type { FieldDef } from 'pg';
import { lease as takeLease, type Lease } from '../outbound/connection-budget.js';
import type { PooledSession } from '../rdbms/app-sessions.js';
import type { PgAddress, PgHost } from './address.js';
import type { WireParameter } from './parameter.js';
import { DescribeQuery, PortalQuery, type RowSink } from './portal-query.js';
import { openTransport, type PgRoute } from './transport.js';
import { signIn, type WireClient } from './wire-client.js';

/** A text that PostgreSQL's protocol cannot carry. */
export class BadStatement extends Error {
  override name = 'BadStatement';
}

const MAX_PARAMETERS = 65_535;
const NO_ROWS: RowSink = { columns: () => undefined, row: () => undefined };

/** CancelRequest (PostgreSQL, 54.2.8): on a connection of its own, answered by nothing. */
const CANCEL_CODE = 80_877_102;
const CANCEL_TIMEOUT_MS = 10_000;

/** One connection to a PostgreSQL server: statements one at a time. */
export class PgSession implements PooledSession {
  isUsable = true;
  private readonly typeNames = new Map<number, string>();
  /** A request to cancel that is under way: what comes after it must not be hit. */
  private cancelling: Promise<void> | null = null;

  private constructor(
    private readonly client: WireClient,
    private readonly socket: Socket,
    private readonly host: PgHost,
    private readonly route: PgRoute,
    readonly lease: Lease,
  ) {
    client.on('error', () => this.close());
    client.on('end', () => this.close());
  }

  /** Connects to the first host that answers and is of the kind that is wanted. Rejects with the error of the last one. */
  static async open(address: PgAddress, route: PgRoute, maxMessageBytes: number): Promise<PgSession> {
    let failure: unknown;
    for (const host of address.hosts) {
      try {
        return await PgSession.openAt(host, address, route, maxMessageBytes);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  private static async openAt(host: PgHost, address: PgAddress, route: PgRoute, maxMessageBytes: number): Promise<PgSession> {
    const lease = await takeLease(route.grant, 'pg');
    const socket = await openTransport(host, route, lease);
    try {
      const client = await signIn(address, socket, maxMessageBytes);
      const session = new PgSession(client, socket, host, route, lease);
      if (address.writable !== 'any') await session.require(address.writable);
      return session;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /** Runs a statement; gives the number of rows that it counted. Rejects with a DatabaseError, with what `sink` threw, or with the socket's error. */
  async run(text: string, values: readonly WireParameter[], sink: RowSink = NO_ROWS): Promise<bigint> {
    if (values.length > MAX_PARAMETERS) throw new BadStatement(`a statement has at most ${MAX_PARAMETERS} parameters`);
    await this.begin(text);
    return new Promise((resolve, reject) => {
      const done = (failure: Error | null, affected: bigint) => (failure ? reject(failure) : resolve(affected));
      this.client.query(new PortalQuery(text, values, sink, done, () => this.cancel()));
    });
  }

  /** The columns that a statement will give, without running it. */
  async describe(text: string): Promise<readonly FieldDef[]> {
    await this.begin(text);
    return new Promise((resolve, reject) => {
      this.client.query(new DescribeQuery(text, (failure, fields) => (failure ? reject(failure) : resolve(fields))));
    });
  }

  /** The names of types, as this database has them. */
  async namesOf(oids: readonly number[]): Promise<ReadonlyMap<number, string>> {
    const missing = oids.filter((oid) => !this.typeNames.has(oid));
    if (missing.length > 0) {
      await this.run('SELECT oid::int8, typname::text FROM pg_catalog.pg_type WHERE oid = ANY ($1::oid[])', [`{${missing.join(',')}}`], {
        columns: () => undefined,
        row: ([oid, name]) => this.typeNames.set(Number(oid!.readBigInt64BE()), name!.toString()),
      });
    }
    return this.typeNames;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  async clean(): Promise<void> {
    this.socket.resume();
    if (this.cancelling) await this.cancelling;
    if (this.client._txStatus !== 'I') await this.client.query('ROLLBACK');
    await this.client.query('DISCARD ALL');
    this.typeNames.clear();
  }

  private async begin(text: string): Promise<void> {
    if (text.includes('\0')) throw new BadStatement('string contains embedded null');
    if (this.cancelling) await this.cancelling;
    if (!this.isUsable) throw new Error('connection closed');
  }

  /** Best effort: when the request cannot be made, the server learns it from the connection that goes away. */
  cancel(): void {
    const { processID, secretKey } = this.client;
    if (!this.isUsable || processID === null || secretKey === null) return;
    const key = typeof secretKey === 'number' ? int32(secretKey) : secretKey;
    const request = Buffer.concat([int32(12 + key.length), int32(CANCEL_CODE), int32(processID), key]);
    this.cancelling = this.sendCancel(request).finally(() => { this.cancelling = null; });
  }

  /** Settles when the server has taken the request, which it says by closing the connection. */
  private async sendCancel(request: Buffer): Promise<void> {
    // the server that the session is at, which the name need not lead to again; asked now, since the session may be closed right after
    const { remoteAddress } = this.socket;
    try {
      const socket = await openTransport(this.host, this.route, await takeLease(this.route.grant, null), remoteAddress);
      socket.on('error', () => undefined).setTimeout(CANCEL_TIMEOUT_MS, () => socket.destroy());
      socket.end(request);
      socket.resume();
      await new Promise((resolve) => { socket.once('close', resolve); });
    } catch {
      // the session is closed by whoever asked, or goes on to the end of its answer
    }
  }

  close(): void {
    if (!this.isUsable) return;
    this.isUsable = false;
    this.client.end().catch(() => undefined);
    this.socket.destroySoon();
  }

  private async require(kind: 'read-write' | 'read-only'): Promise<void> {
    let isReadOnly = false;
    await this.run('SHOW transaction_read_only', [], { columns: () => undefined, row: ([value]) => { isReadOnly = value!.toString() === 'on'; } });
    if (isReadOnly !== (kind === 'read-only')) throw new Error(`the server is not ${kind}`);
  }
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
