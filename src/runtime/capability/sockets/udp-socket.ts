import { createSocket, type Socket } from 'node:dgram';
import type { GuestState } from '../guest.js';
import { PIECE_BYTES } from '../host-memory.js';
import type { Lease } from '../outbound/connection-budget.js';
import { slotOf, type Stoppable } from '../slot.js';
import { Pollable } from '../wait.js';
import { isRemote, isUnspecified, type Endpoint, type Family } from './socket-address.js';
import { SocketFault } from './socket-fault.js';
import { atLeastOne, toBufferBytes } from './socket-options.js';
import { checkRemote, mayHear, takeSocket } from './socket-rights.js';

export interface Datagram {
  data: Uint8Array;
  from: Endpoint;
}

/** What one packet of IP holds. */
const MAX_DATAGRAM_BYTES = 65_507;
/** Kept for a guest that does not read; what comes when it is full is lost, as UDP may. */
const MAX_QUEUED_BYTES = 256 * 1024;
/** Datagrams on their way to the system at a time. */
const MAX_SENDING = 16;

/**
 * A UDP socket of a guest: it may send to, and hear from, whom the component's policy names. The system chooses its own address. It wakes whoever
 * waits when something has come, or was sent.
 */
export class UdpSocket extends Pollable implements Stoppable {
  private socket: Socket | null = null;
  private closed = false;
  private peer: Endpoint | null = null;
  private readonly queue: Datagram[] = [];
  private queuedBytes = 0;
  private sending = 0;
  private hops = 64;
  private receiveBytes = 65_536n;
  private sendBytes = 65_536n;
  private readonly lease: Lease;

  /** Throws `new-socket-limit`. */
  constructor(private readonly state: GuestState, readonly family: Family) {
    super();
    this.lease = takeSocket(state, this);
  }

  ready(): boolean {
    return this.closed || this.queue.length > 0;
  }

  get isConnected(): boolean {
    return this.peer !== null;
  }

  get isBound(): boolean {
    return this.socket !== null;
  }

  /** To an address and a port of the system's choice; any other is `access-denied`. */
  bind(family: Family, to: Endpoint): void {
    if (this.socket || this.closed) throw new SocketFault('invalid-state');
    if (family !== this.family) throw new SocketFault('invalid-argument');
    if (!isUnspecified(to) || to.port !== 0) throw new SocketFault('access-denied');
    this.open();
  }

  /** Binds it when that has not been done. */
  open(): Socket {
    if (this.closed) throw new SocketFault('invalid-state');
    if (this.socket) return this.socket;
    const socket = createSocket({ type: this.family === 'ipv4' ? 'udp4' : 'udp6', ipv6Only: this.family === 'ipv6' });
    socket.on('error', () => undefined);
    socket.on('message', (data, { address, port }) => this.heard(data, { address, port }));
    try {
      socket.bindSync({ port: 0 });
      socket.setTTL(this.hops);
    } catch (error) {
      socket.close();
      throw SocketFault.from(error);
    }
    return (this.socket = socket);
  }

  /** Whom alone it speaks with from now on. */
  connect(family: Family, to: Endpoint): void {
    this.checkTarget(family, to);
    this.peer = to;
    // what others sent before is not from the peer
    const kept = this.queue.filter(({ from }) => isSame(from, to));
    this.clear();
    for (const datagram of kept) this.keep(datagram);
  }

  disconnect(): void {
    this.peer = null;
  }

  /** Throws when there is none. */
  get local(): Endpoint {
    if (!this.socket) throw new SocketFault('invalid-state');
    const { address, port } = this.socket.address();
    return { address, port };
  }

  get remote(): Endpoint {
    if (!this.peer) throw new SocketFault('invalid-state');
    return this.peer;
  }

  /** The next datagram; undefined: there is none now. */
  receive(): Datagram | undefined {
    const datagram = this.queue.shift();
    if (datagram) this.count(-datagram.data.length - PIECE_BYTES);
    return datagram;
  }

  /** How many datagrams may be sent now; 0: wait. */
  get permit(): number {
    return MAX_SENDING - this.sending;
  }

  /** Keeps the view. `done` is called when the system has it. Throws when it may not be sent. */
  send(data: Uint8Array, to: { family: Family; at: Endpoint } | null, done: (fault: SocketFault | null) => void = () => undefined): void {
    const target = to?.at ?? this.peer;
    if (!target || (this.peer && !isSame(target, this.peer))) throw new SocketFault('invalid-argument');
    if (to) this.checkTarget(to.family, to.at);
    if (data.length > MAX_DATAGRAM_BYTES) throw new SocketFault('datagram-too-large');
    const socket = this.open();
    this.state.invocation.effect?.();
    this.sending++;
    socket.send(data, target.port, target.address, (error) => {
      this.sending--;
      done(error ? SocketFault.from(error) : null);
      this.wake();
    });
  }

  get hopLimit(): number {
    return this.hops;
  }

  set hopLimit(hops: number) {
    this.hops = atLeastOne(hops);
    this.socket?.setTTL(hops);
  }

  get receiveBufferBytes(): bigint {
    return this.receiveBytes;
  }

  set receiveBufferBytes(bytes: bigint) {
    this.receiveBytes = toBufferBytes(bytes);
    this.socket?.setRecvBufferSize(Number(this.receiveBytes));
  }

  get sendBufferBytes(): bigint {
    return this.sendBytes;
  }

  set sendBufferBytes(bytes: bigint) {
    this.sendBytes = toBufferBytes(bytes);
    this.socket?.setSendBufferSize(Number(this.sendBytes));
  }

  /** The guest needs it no more. */
  close(): void {
    slotOf(this.state).untrack(this);
    this.stop();
  }

  /** The invocation is over. */
  stop(): void {
    if (this.closed) return;
    this.closed = true;
    this.clear();
    this.lease.release();
    this.socket?.close();
    this.wake();
  }

  private checkTarget(family: Family, to: Endpoint): void {
    checkRemote(this.state, 'udp', to);
    if (family !== this.family || !isRemote(to)) throw new SocketFault('invalid-argument');
  }

  private heard(data: Uint8Array, from: Endpoint): void {
    if (this.closed || (this.peer ? !isSame(from, this.peer) : !mayHear(this.state, 'udp', from))) return;
    if (this.queuedBytes + data.length > MAX_QUEUED_BYTES) return;
    this.keep({ data, from });
    this.wake();
  }

  private keep(datagram: Datagram): void {
    this.queue.push(datagram);
    this.count(datagram.data.length + PIECE_BYTES);
  }

  private clear(): void {
    this.queue.length = 0;
    this.count(-this.queuedBytes);
  }

  private count(bytes: number): void {
    this.queuedBytes += bytes;
    this.state.memory.add(bytes);
  }
}

const isSame = (one: Endpoint, other: Endpoint): boolean => one.address === other.address && one.port === other.port;
