import { Err } from '#engine/run/host.js';
import type { Pipe } from '#engine/run/pipe.js';
import { perSlot, plain, type Capability } from '../capability.js';
import type { GuestState } from '../guest.js';
import { SINCE_2026_03_15, atVersions } from '../versions.js';
import { PENDING, waitFor, type Pollable } from '../wait.js';
import { NameLookup } from './name-lookup.js';
import { toEndpoint, toSocketAddress, type Family, type IpSocketAddress } from './socket-address.js';
import { SocketFault } from './socket-fault.js';
import { addressFunctions, asVariant, guarded, optionFunctions, TCP_OPTIONS, UDP_OPTIONS } from './socket-functions.js';
import { atLeastOne } from './socket-options.js';
import { TcpSocket } from './tcp-socket.js';
import { receiveStream, refusedSend, refusedStream, sendStream } from './tcp-streams.js';
import { UdpSocket } from './udp-socket.js';

type Stoppable<T> = Promise<T> & { abort?: () => void };

/** Waits for `pollable` until `attempt` gives something; a fault becomes the error of the result. `stop`: when the guest cancels. */
function awaiting<T>(state: GuestState, pollable: Pollable, attempt: () => T | typeof PENDING, stop: () => void): Stoppable<T | Err> {
  const promise: Stoppable<T | Err> = waitFor<T | Err>(state, [pollable], guarded(asVariant, attempt));
  promise.abort = stop;
  return promise;
}

/** `tcp-socket` of the 0.3 line: each direction is a stream, and goes on when the socket is dropped. */
class TcpSocket03 extends TcpSocket {
  private sends = false;
  private receives = false;
  private streams = 0;
  private dropped = false;

  send(data: Pipe): Pipe {
    if (!this.isConnected || this.sends) return refusedSend(data, new SocketFault('invalid-state'));
    this.sends = true;
    this.streams++;
    return sendStream(this, data, () => this.streamOver());
  }

  receive(): [Pipe, Pipe] {
    if (!this.isConnected || this.receives) return refusedStream(new SocketFault('invalid-state'));
    this.receives = true;
    this.streams++;
    return receiveStream(this, () => this.streamOver());
  }

  override close(): void {
    this.dropped = true;
    if (this.streams === 0) super.close();
  }

  private streamOver(): void {
    this.streams--;
    if (this.dropped) this.close();
  }
}

function connect(state: GuestState, socket: TcpSocket03, remote: IpSocketAddress): Stoppable<undefined | Err> {
  socket.connect(remote.tag, toEndpoint(remote));
  return awaiting(state, socket, () => {
    if (socket.isConnecting) return PENDING;
    if (!socket.isConnected) throw socket.fault ?? new SocketFault('connection-aborted');
    return undefined;
  }, () => socket.stop());
}

function send(state: GuestState, socket: UdpSocket, data: Uint8Array, remote: IpSocketAddress | undefined): Stoppable<undefined | Err> {
  let outcome: { fault: SocketFault | null } | null = null;
  let begun = false;
  return awaiting(state, socket, () => {
    if (!begun && socket.permit > 0) {
      begun = true;
      socket.send(data, remote ? { family: remote.tag, at: toEndpoint(remote) } : null, (fault) => { outcome = { fault }; });
    }
    if (!outcome) return PENDING;
    if (outcome.fault) throw outcome.fault;
    return undefined;
  }, () => socket.wake());
}

function receive(state: GuestState, socket: UdpSocket): Stoppable<unknown> {
  if (!socket.isBound) throw new SocketFault('invalid-state');
  let cancelled = false;
  return awaiting<unknown>(state, socket, () => {
    if (cancelled) throw new SocketFault('connection-aborted');
    const datagram = socket.receive();
    return datagram ? [datagram.data, toSocketAddress(datagram.from)] : PENDING;
  }, () => {
    cancelled = true;
    socket.wake();
  });
}

function resolve(state: GuestState, name: string): Stoppable<unknown> {
  const lookup = new NameLookup(state, name);
  return awaiting<unknown>(state, lookup, () => (lookup.ready() ? lookup.all : PENDING), () => lookup.stop());
}

const tcp = (call: (socket: TcpSocket03, ...args: never[]) => unknown) => plain(guarded(asVariant, call));
const udp = (call: (socket: UdpSocket, ...args: never[]) => unknown) => plain(guarded(asVariant, call));

const TYPES: Capability['functions'] = {
  ...addressFunctions('tcp-socket', asVariant, 'get-'),
  ...optionFunctions('tcp-socket', TCP_OPTIONS, asVariant, 'get-'),
  '[static]tcp-socket.create': perSlot((state) => (family: Family) => new TcpSocket03(state, family)),
  '[method]tcp-socket.bind': tcp((socket, local: IpSocketAddress) => socket.bind(local.tag)),
  '[method]tcp-socket.connect': perSlot((state) => guarded(asVariant, (socket: TcpSocket03, remote: IpSocketAddress) => connect(state, socket, remote))),
  '[method]tcp-socket.listen': tcp((socket) => socket.listen()),
  '[method]tcp-socket.send': tcp((socket, data: Pipe) => socket.send(data)),
  '[method]tcp-socket.receive': tcp((socket) => socket.receive()),
  '[method]tcp-socket.get-is-listening': plain(() => false),
  '[method]tcp-socket.set-listen-backlog-size': tcp((_socket, value: bigint) => void atLeastOne(value)),
  ...addressFunctions('udp-socket', asVariant, 'get-'),
  ...optionFunctions('udp-socket', UDP_OPTIONS, asVariant, 'get-'),
  '[static]udp-socket.create': perSlot((state) => guarded(asVariant, (family: Family) => new UdpSocket(state, family))),
  '[method]udp-socket.bind': udp((socket, local: IpSocketAddress) => socket.bind(local.tag, toEndpoint(local))),
  '[method]udp-socket.connect': udp((socket, remote: IpSocketAddress) => {
    socket.open();
    socket.connect(remote.tag, toEndpoint(remote));
  }),
  '[method]udp-socket.disconnect': udp((socket) => {
    if (!socket.isConnected) throw new SocketFault('invalid-state');
    socket.disconnect();
  }),
  '[method]udp-socket.send': perSlot((state) => guarded(asVariant, (socket: UdpSocket, data: Uint8Array, remote: IpSocketAddress | undefined) => send(state, socket, data, remote))),
  '[method]udp-socket.receive': perSlot((state) => guarded(asVariant, (socket: UdpSocket) => receive(state, socket))),
};

/** `wasi:sockets` of the 0.3 line. */
export const SOCKETS_03: readonly Capability[] = [
  ...atVersions(SINCE_2026_03_15, 'wasi:sockets/types', TYPES),
  ...atVersions(SINCE_2026_03_15, 'wasi:sockets/ip-name-lookup', {
    'resolve-addresses': perSlot((state) => guarded(asVariant, (name: string) => resolve(state, name))),
  }),
];
