import type { Socket } from 'node:net';
import type { GuestState } from '../guest.js';
import { dialLeased } from '../outbound/dial.js';
import type { Lease } from '../outbound/connection-budget.js';
import { IncomingBytes } from '../outbound/incoming-bytes.js';
import { slotOf, type Stoppable } from '../slot.js';
import { Pollable } from '../wait.js';
import { isRemote, type Endpoint, type Family } from './socket-address.js';
import { SocketFault } from './socket-fault.js';
import { TcpOptions } from './socket-options.js';
import { checkRemote, takeSocket } from './socket-rights.js';

/** What was written before a socket was let go of has so long to leave. */
const LINGER_MS = 10_000;

/**
 * A TCP socket of a guest: a client alone, since binding and listening are not allowed (as in Spin). Its life is one way: open, connecting,
 * connected, closed. It is ready, as a pollable, unless it is connecting.
 */
export class TcpSocket extends Pollable implements Stoppable {
  readonly options = new TcpOptions();
  /** What arrives, while it is connected. */
  incoming: IncomingBytes | null = null;
  /** More may be written, or nothing ever will be. */
  onWritable: (() => void) | null = null;
  private socket: Socket | null = null;
  private at: 'open' | 'connecting' | 'connected' | 'closed' = 'open';
  private failure: SocketFault | null = null;
  private sendEnded = false;
  private chargedBytes = 0;

  constructor(private readonly state: GuestState, readonly family: Family) {
    super();
  }

  ready(): boolean {
    return this.at !== 'connecting';
  }

  get isConnecting(): boolean {
    return this.at === 'connecting';
  }

  get isConnected(): boolean {
    return this.at === 'connected';
  }

  /** Why it is closed; null: it is not, or the guest closed it. */
  get fault(): SocketFault | null {
    return this.failure;
  }

  /** Throws in any case: no address may be bound. */
  bind(family: Family): never {
    if (family !== this.family) throw new SocketFault('invalid-argument');
    if (this.at !== 'open') throw new SocketFault('invalid-state');
    throw new SocketFault('access-denied');
  }

  /** Throws in any case: nobody may be waited for. */
  listen(): never {
    throw new SocketFault(this.at === 'open' ? 'access-denied' : 'invalid-state');
  }

  /** Begins to connect; it wakes whoever waits when that is over. Throws a SocketFault when it may not be begun. */
  connect(family: Family, to: Endpoint): void {
    checkRemote(this.state, 'tcp', to);
    if (this.at === 'connecting') throw new SocketFault('concurrency-conflict');
    if (this.at !== 'open') throw new SocketFault('invalid-state');
    if (family !== this.family || !isRemote(to)) throw new SocketFault('invalid-argument');
    const lease = takeSocket(this.state, this);
    this.state.invocation.effect?.();
    this.at = 'connecting';
    void this.open(to, lease);
  }

  /** Both ends' addresses. Throws when it is not connected. */
  get local(): Endpoint {
    const { localAddress, localPort } = this.connection();
    if (localAddress === undefined || localPort === undefined) throw new SocketFault('invalid-state');
    return { address: localAddress, port: localPort };
  }

  get remote(): Endpoint {
    const { remoteAddress, remotePort } = this.connection();
    if (remoteAddress === undefined || remotePort === undefined) throw new SocketFault('invalid-state');
    return { address: remoteAddress, port: remotePort };
  }

  /** Whether the next write is taken at once; it is taken in any case. */
  get isFull(): boolean {
    return this.socket?.writableNeedDrain === true;
  }

  /** Nothing is sent any more: ended, broken or closed. */
  get isSendClosed(): boolean {
    return this.sendEnded || this.at !== 'connected' || this.socket?.writable !== true;
  }

  /** Keeps the view. */
  write(chunk: Uint8Array): void {
    const { socket } = this;
    if (!socket || this.isSendClosed || socket.write(chunk)) return;
    this.charge(chunk.length);
  }

  /** Sends what was written, then the end. `done` is called when it has left, or with what went wrong. */
  endSend(done: (fault: SocketFault | null) => void = () => undefined): void {
    const { socket } = this;
    if (!socket || this.failure) return done(this.failure ?? new SocketFault('connection-aborted'));
    this.sendEnded = true;
    socket.end((error?: Error | null) => done(error ? SocketFault.from(error) : null));
  }

  /** What arrives from now on is dropped. */
  endReceive(): void {
    this.incoming?.close();
    this.socket?.off('data', this.onData).resume();
  }

  /** Puts its options into effect where it is connected already. */
  applyOptions(): void {
    if (this.at === 'connected') this.socket?.setNoDelay(this.options.noDelay).setKeepAlive(...this.options.keepAliveArguments);
  }

  /** Throws when it is not connected. */
  connection(): Socket {
    if (this.at !== 'connected' || !this.socket) throw new SocketFault('invalid-state');
    return this.socket;
  }

  /** The guest needs it no more; what it wrote still leaves. */
  close(): void {
    slotOf(this.state).untrack(this);
    this.release();
  }

  /** The invocation is over. */
  stop(): void {
    this.release();
  }

  private async open(to: Endpoint, lease: Lease): Promise<void> {
    try {
      const socket = await dialLeased(this.state.grant, { host: to.address, port: to.port, allowHalfOpen: true }, lease);
      if (this.at === 'closed') socket.on('error', () => undefined).destroy();
      else this.opened(socket);
    } catch (error) {
      slotOf(this.state).untrack(this);
      if (this.at === 'closed') return;
      this.at = 'closed';
      this.failure = SocketFault.from(error);
    }
    this.wake();
  }

  private opened(socket: Socket): void {
    this.at = 'connected';
    this.socket = socket;
    this.incoming = new IncomingBytes({
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      cancel: () => socket.off('data', this.onData).resume(),
    }, this.state.memory);
    socket.on('data', this.onData);
    socket.on('end', () => this.incoming?.end([]));
    socket.on('drain', () => this.writable());
    socket.on('error', (error) => this.broken(SocketFault.from(error)));
    socket.on('close', () => this.broken(new SocketFault('connection-aborted')));
    this.applyOptions();
  }

  private readonly onData = (chunk: Uint8Array): void => this.incoming?.push(chunk);

  private broken(fault: SocketFault): void {
    slotOf(this.state).untrack(this);
    if (this.at === 'closed') return;
    this.at = 'closed';
    // both sides had ended: nothing went wrong
    const isDone = this.sendEnded && this.socket?.readableEnded === true && fault.cause === undefined;
    this.failure = isDone ? null : fault;
    this.incoming?.fail(fault);
    this.writable();
    this.wake();
  }

  private writable(): void {
    this.charge(-this.chargedBytes);
    this.onWritable?.();
  }

  private charge(bytes: number): void {
    this.chargedBytes += bytes;
    this.state.memory.add(bytes);
  }

  private release(): void {
    const { socket } = this;
    if (this.at === 'closed') return;
    this.at = 'closed';
    this.incoming?.close();
    this.writable();
    this.wake();
    if (!socket || socket.destroyed) return;
    socket.off('data', this.onData).resume().destroySoon();
    const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    socket.once('close', () => clearTimeout(timer));
  }
}
