import { Err, type HostFunction } from '#engine/run/host.js';
import type { Capability } from '../capability.js';
import { plain } from '../capability.js';
import { toSocketAddress, type Endpoint } from './socket-address.js';
import { SocketFault } from './socket-fault.js';
import type { TcpSocket } from './tcp-socket.js';
import type { UdpSocket } from './udp-socket.js';

/** How a version words a fault. */
export type ToError = (fault: SocketFault) => unknown;
export const asEnum: ToError = (fault) => fault.code02;
export const asVariant: ToError = (fault) => fault.code03;

/** The function with a `SocketFault` that it throws as the error of its result. */
export const guarded = (toError: ToError, call: HostFunction): HostFunction => (...args) => {
  try {
    return call(...args);
  } catch (error) {
    if (error instanceof SocketFault) return new Err(toError(error));
    throw error;
  }
};

interface Option<T> {
  get(socket: T): unknown;
  set(socket: T, value: never): void;
}

/** Options of TCP sockets, by 0.2's names for reading them. */
export const TCP_OPTIONS = {
  'keep-alive-enabled': { get: ({ options }) => options.keepAlive, set: ({ options }, value: boolean) => { options.keepAlive = value; } },
  'keep-alive-idle-time': { get: ({ options }) => options.keepAliveIdleNs, set: ({ options }, value: bigint) => { options.keepAliveIdleNs = value; } },
  'keep-alive-interval': { get: ({ options }) => options.keepAliveIntervalNs, set: ({ options }, value: bigint) => { options.keepAliveIntervalNs = value; } },
  'keep-alive-count': { get: ({ options }) => options.keepAliveCount, set: ({ options }, value: number) => { options.keepAliveCount = value; } },
  'hop-limit': { get: ({ options }) => options.hopLimit, set: ({ options }, value: number) => { options.hopLimit = value; } },
  'receive-buffer-size': { get: ({ options }) => options.receiveBufferBytes, set: ({ options }, value: bigint) => { options.receiveBufferBytes = value; } },
  'send-buffer-size': { get: ({ options }) => options.sendBufferBytes, set: ({ options }, value: bigint) => { options.sendBufferBytes = value; } },
} as const satisfies Record<string, Option<TcpSocket>>;

export const UDP_OPTIONS = {
  'unicast-hop-limit': { get: (socket) => socket.hopLimit, set: (socket, value: number) => { socket.hopLimit = value; } },
  'receive-buffer-size': { get: (socket) => socket.receiveBufferBytes, set: (socket, value: bigint) => { socket.receiveBufferBytes = value; } },
  'send-buffer-size': { get: (socket) => socket.sendBufferBytes, set: (socket, value: bigint) => { socket.sendBufferBytes = value; } },
} as const satisfies Record<string, Option<UdpSocket>>;

/** `set-…` and its counterpart for each option, as methods of a resource. `reading`: what stands before a name that reads. */
export function optionFunctions<T extends object>(resource: string, options: Readonly<Record<string, Option<T>>>, toError: ToError, reading = ''): Capability['functions'] {
  return Object.fromEntries(Object.entries(options).flatMap(([name, { get, set }]) => [
    [`[method]${resource}.${reading}${name}`, plain(get)],
    [`[method]${resource}.set-${name}`, plain(guarded(toError, (socket: T, value: never) => {
      set(socket, value);
      (socket as Partial<TcpSocket>).applyOptions?.();
    }))],
  ]));
}

/** `local-address` and `remote-address`. */
export function addressFunctions(resource: string, toError: ToError, reading = ''): Capability['functions'] {
  const reader = (of: (socket: TcpSocket | UdpSocket) => Endpoint) => plain(guarded(toError, (socket: TcpSocket | UdpSocket) => toSocketAddress(of(socket))));
  return {
    [`[method]${resource}.${reading}local-address`]: reader((socket) => socket.local),
    [`[method]${resource}.${reading}remote-address`]: reader((socket) => socket.remote),
    [`[method]${resource}.${reading}address-family`]: plain((socket: TcpSocket | UdpSocket) => socket.family),
    [`[resource-drop]${resource}`]: plain((socket: TcpSocket | UdpSocket) => socket.close()),
  };
}
