import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import pg from 'pg';
import type { PgAddress } from './address.js';
import { Frames } from './frames.js';

const SIGN_IN_TIMEOUT_MS = 30_000;

/** As far as the client library's types leave them out. */
interface Internals {
  attachListeners(stream: EventEmitter): void;
}

/**
 * The client library's connection on a socket that is connected already, with rows as bytes. The library would connect by itself, and read rows as
 * text, which loses what the server's binary form has.
 */
class RawConnection extends pg.Connection {
  constructor(private readonly socket: Socket, private readonly maxMessageBytes: number) {
    super({ stream: socket } as never);
    // so that an orderly end tells the server
    Object.assign(this, { _connecting: true });
  }

  /** The messages that are to leave in one write. */
  private batch: Buffer[] | null = null;

  /** One write for all that `write` sends: with several the server would begin before it has all. */
  inOneWrite(write: (to: this) => void): void {
    this.batch = [];
    try {
      write(this);
    } finally {
      const bytes = Buffer.concat(this.batch);
      this.batch = null;
      this._send(bytes);
    }
  }

  /** Called by the library for each message. */
  _send(bytes: Buffer): boolean {
    if (this.batch) {
      this.batch.push(bytes);
      return true;
    }
    return this.socket.writable && this.socket.write(bytes);
  }

  /** Called by the library. */
  connect(): void {
    const { socket } = this;
    socket.on('error', (error) => this.emit('error', error));
    socket.on('close', () => this.emit('end'));
    const messages = new EventEmitter();
    (pg.Connection.prototype as unknown as Internals).attachListeners.call(this, messages);
    const frames = new Frames(
      { row: (fields) => this.emit('dataRow', { fields }), messages: (bytes) => messages.emit('data', bytes) },
      this.maxMessageBytes,
    );
    socket.on('data', (chunk: Buffer) => {
      try {
        frames.push(chunk);
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    // whoever asked the server for TLS has paused it
    socket.resume();
    queueMicrotask(() => this.emit('connect'));
  }
}

/** What the library's client has besides its declared types. */
export type WireClient = pg.Client & {
  readonly processID: number | null;
  readonly secretKey: number | Buffer | null;
  readonly _txStatus: 'I' | 'T' | 'E' | null;
};

/** A client of the library that takes nothing from the process's environment, nor from files of the machine. */
class Client extends pg.Client {
  private readonly startup: Record<string, string>;

  constructor({ user, password, database, startup }: PgAddress, socket: Socket, maxMessageBytes: number) {
    super({
      connection: new RawConnection(socket, maxMessageBytes), user, database, host: 'localhost', port: 1, ssl: false, sslnegotiation: 'postgres',
      enableChannelBinding: socket instanceof TLSSocket, connectionTimeoutMillis: SIGN_IN_TIMEOUT_MS,
    } as never);
    // an empty one, too: without any the library would look into the machine's password file
    this.password = password ?? '';
    this.startup = { ...startup, user, database };
  }

  /** Called by the library for the parameters of the startup message. */
  getStartupConf(): Record<string, string> {
    return this.startup;
  }
}

/** Signs in on a connected socket. Rejects with a DatabaseError of the server's, or the socket's error. */
export async function signIn(address: PgAddress, socket: Socket, maxMessageBytes: number): Promise<WireClient> {
  const client = new Client(address, socket, maxMessageBytes);
  // what fails after a failure is nobody's any more, and must not end the process
  client.on('error', () => undefined);
  await client.connect();
  return client as unknown as WireClient;
}
