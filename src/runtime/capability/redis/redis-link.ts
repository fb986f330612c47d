import type { Socket } from 'node:net';
import { Trap } from '#engine/run/host.js';
import type { GuestGrant } from '../guest.js';
import type { HostMemory } from '../host-memory.js';
import { lease as takeLease, type Lease } from '../outbound/connection-budget.js';
import { dialLeased } from '../outbound/dial.js';
import type { RedisAddress } from './redis-address.js';
import { RedisFault } from './redis-fault.js';
import { RespReader, type RedisReply } from './resp-reader.js';

/** A server that takes the connection and does not answer the greeting is given up then. */
const GREETING_TIMEOUT_MS = 30_000;

export type RedisArgument = string | Uint8Array | bigint;

interface Pending {
  resolve(reply: RedisReply): void;
  reject(error: Error): void;
}

/** One connection to one server. Once it is lost it stays so: nothing is ever sent twice. */
export class RedisLink {
  isOpen = true;
  /** Who is charged for replies on their way: the invocation that has the connection. */
  memory: HostMemory | null = null;
  onClose: (() => void) | null = null;
  private readonly pending: Pending[] = [];
  private readonly reader = new RespReader((reply) => this.take(reply));
  private charged = 0;
  private failure: Error | null = null;

  private constructor(private readonly socket: Socket, private readonly lease: Lease) {
    socket.on('data', (chunk: Buffer) => this.read(chunk));
    socket.on('error', (error) => this.fail(new RedisFault({ tag: 'other', val: `the connection broke: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}` })));
    socket.on('close', () => this.fail(new RedisFault({ tag: 'other', val: 'the server closed the connection' })));
  }

  /** Connects, signs in and chooses the database. Rejects as `lease` and `dial` do, or with a RedisFault in the server's words. */
  static async open(grant: GuestGrant, { scheme, host, port, username, password, db }: RedisAddress): Promise<RedisLink> {
    const lease = await takeLease(grant, 'redis');
    const socket = await dialLeased(grant, { host, port, ...(scheme === 'rediss' && { tls: {} }) }, lease);
    const link = new RedisLink(socket, lease);
    const timer = setTimeout(() => link.fail(new RedisFault({ tag: 'other', val: 'the server does not answer' })), GREETING_TIMEOUT_MS);
    try {
      const signsIn = password !== null || username !== null;
      const greetings = [
        ...(signsIn ? [link.send(['AUTH', ...(username === null ? [] : [username]), password ?? ''])] : []),
        ...(db === 0 ? [] : [link.send(['SELECT', String(db)])]),
      ];
      for (const { error } of await Promise.all(greetings)) if (error !== null) throw new RedisFault({ tag: 'other', val: error });
    } catch (error) {
      link.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    return link;
  }

  /** No command waits for its answer. */
  get hasAnswered(): boolean {
    return this.pending.length === 0;
  }

  /** Sends a command behind those under way. Rejects when the connection is lost before the answer came. */
  send(command: readonly RedisArgument[]): Promise<RedisReply> {
    if (!this.isOpen) return Promise.reject(this.failure!);
    return new Promise((resolve, reject) => {
      this.pending.push({ resolve, reject });
      this.socket.cork();
      for (const chunk of encode(command)) this.socket.write(chunk);
      this.socket.uncork();
    });
  }

  close(): void {
    this.fail(new RedisFault({ tag: 'other', val: 'the connection is closed' }));
  }

  /** While nobody has it, it makes room for another connection of the app's, and does not keep the process alive. */
  setIdle(isIdle: boolean): void {
    this.lease.idle = isIdle ? { isIdle: () => true, close: () => this.close() } : null;
    if (isIdle) this.socket.unref();
    else this.socket.ref();
  }

  private read(chunk: Buffer): void {
    if (!this.isOpen) return;
    try {
      this.reader.feed(chunk);
      this.charge(this.reader.heldBytes);
      this.memory?.check();
    } catch (error) {
      this.fail(error instanceof Trap ? error : new RedisFault({ tag: 'other', val: (error as Error).message }));
    }
  }

  /** Moves what the reader keeps to the account of whoever has the connection. */
  private charge(bytes: number): void {
    this.memory?.add(bytes - this.charged);
    this.charged = bytes;
  }

  private take(reply: RedisReply): void {
    const pending = this.pending.shift();
    // after SUBSCRIBE or MONITOR: nobody asked, and which answer is whose would not be known any more
    if (!pending) return this.fail(new RedisFault({ tag: 'other', val: 'the server said something that nobody asked for' }));
    pending.resolve(reply);
  }

  private fail(error: Error): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.failure = error;
    this.charge(0);
    this.socket.destroy();
    for (const { reject } of this.pending.splice(0)) reject(error);
    this.onClose?.();
  }
}

const CRLF = '\r\n';

/** A command as a list of texts (RESP). Bytes are the host's own copy already and go out as they are. */
function encode(command: readonly RedisArgument[]): (string | Uint8Array)[] {
  const chunks: (string | Uint8Array)[] = [];
  let text = `*${command.length}${CRLF}`;
  for (const argument of command) {
    if (typeof argument === 'object') {
      chunks.push(`${text}$${argument.length}${CRLF}`, argument);
      text = CRLF;
    } else {
      const shown = String(argument);
      text += `$${Buffer.byteLength(shown)}${CRLF}${shown}${CRLF}`;
    }
  }
  chunks.push(text);
  return chunks;
}
