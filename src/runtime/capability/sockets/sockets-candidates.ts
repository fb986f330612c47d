import { plain, type Capability } from '../capability.js';
import { toEndpoint, toSocketAddress, type IpSocketAddress } from './socket-address.js';
import { SocketFault } from './socket-fault.js';
import { asEnum, guarded, optionFunctions, TCP_OPTIONS } from './socket-functions.js';
import { TCP } from './tcp-02.js';
import type { TcpSocket } from './tcp-socket.js';
import { receiveUpTo, sendAll, UDP, type UdpSocket02 } from './udp-02.js';
import type { UdpSocket } from './udp-socket.js';

/** What the release candidates of 0.2 have otherwise than the release. */

type AnySocket = TcpSocket | UdpSocket;

/** Sockets of IPv6 never carry IPv4 here. */
function ipv6Only(resource: string): Capability['functions'] {
  const check = ({ family }: AnySocket) => {
    if (family !== 'ipv6') throw new SocketFault('not-supported');
  };
  return {
    [`[method]${resource}.ipv6-only`]: plain(guarded(asEnum, (socket: AnySocket) => {
      check(socket);
      return true;
    })),
    [`[method]${resource}.set-ipv6-only`]: plain(guarded(asEnum, (socket: AnySocket, value: boolean) => {
      check(socket);
      if (!value) throw new SocketFault('not-supported');
    })),
  };
}

export const IPV6_ONLY_TCP = ipv6Only('tcp-socket');
export const IPV6_ONLY_UDP = ipv6Only('udp-socket');

/** `tcp` of 2023-10-18. */
export const CANDIDATE_TCP: Capability['functions'] = {
  ...TCP,
  ...IPV6_ONLY_TCP,
  ...optionFunctions<TcpSocket>('tcp-socket', {
    'keep-alive': TCP_OPTIONS['keep-alive-enabled'],
    'no-delay': { get: ({ options }) => options.noDelay, set: ({ options }, value: boolean) => { options.noDelay = value; } },
    'unicast-hop-limit': TCP_OPTIONS['hop-limit'],
    'receive-buffer-size': TCP_OPTIONS['receive-buffer-size'],
    'send-buffer-size': TCP_OPTIONS['send-buffer-size'],
  }, asEnum),
};

interface CandidateDatagram {
  data: Uint8Array;
  remoteAddress: IpSocketAddress;
}

/** What was begun, and not finished yet. */
const connecting = new WeakSet<UdpSocket02>();
const method = (call: (socket: UdpSocket02, ...args: never[]) => unknown) => plain(guarded(asEnum, call));

/** `udp` of 2023-10-18: datagrams go through the socket itself. */
export const CANDIDATE_UDP: Capability['functions'] = {
  ...UDP,
  ...IPV6_ONLY_UDP,
  '[method]udp-socket.start-connect': method((socket, _network: object, remote: IpSocketAddress) => {
    if (!socket.bindDone) throw new SocketFault('invalid-state');
    socket.connect(remote.tag, toEndpoint(remote));
    connecting.add(socket);
  }),
  '[method]udp-socket.finish-connect': method((socket) => {
    if (!connecting.delete(socket)) throw new SocketFault('not-in-progress');
  }),
  '[method]udp-socket.receive': method((socket, max: bigint) => {
    if (!socket.bindDone) throw new SocketFault('invalid-state');
    if (max === 0n) return [];
    const received = receiveUpTo(socket, max);
    if (received.length === 0) throw new SocketFault('would-block');
    return received.map(({ data, from }) => ({ data, remoteAddress: toSocketAddress(from) }));
  }),
  '[method]udp-socket.send': method((socket, datagrams: CandidateDatagram[]) => {
    if (!socket.bindDone) throw new SocketFault('invalid-state');
    if (socket.permit === 0 && datagrams.length > 0) throw new SocketFault('would-block');
    return sendAll(socket, datagrams.slice(0, socket.permit));
  }),
  '[method]udp-socket.subscribe': plain((socket: UdpSocket02) => socket),
};
