import { Trap } from '#engine/run/host.js';
import { perSlot, plain, type Capability } from '../capability.js';
import { Pollable } from '../wait.js';
import { toEndpoint, toSocketAddress, type Family, type IpSocketAddress } from './socket-address.js';
import { SocketFault } from './socket-fault.js';
import { addressFunctions, asEnum, guarded, optionFunctions, UDP_OPTIONS } from './socket-functions.js';
import { UdpSocket, type Datagram } from './udp-socket.js';

export interface OutgoingDatagram {
  data: Uint8Array;
  remoteAddress: IpSocketAddress | undefined;
}

/** `udp-socket` of the 0.2 line. */
export class UdpSocket02 extends UdpSocket {
  private bindBegun = false;
  bindDone = false;

  startBind(family: Family, to: ReturnType<typeof toEndpoint>): void {
    this.bind(family, to);
    this.bindBegun = true;
  }

  finishBind(): void {
    if (!this.bindBegun) throw new SocketFault('not-in-progress');
    this.bindBegun = false;
    this.bindDone = true;
  }

  stream(remote: IpSocketAddress | undefined): [IncomingDatagrams, OutgoingDatagrams] {
    if (!this.bindDone) throw new SocketFault('invalid-state');
    if (remote) this.connect(remote.tag, toEndpoint(remote));
    else this.disconnect();
    return [new IncomingDatagrams(this), new OutgoingDatagrams(this)];
  }
}

/** Wakes with its socket. */
abstract class DatagramStream extends Pollable {
  private readonly relay = (): void => this.wake();

  constructor(protected readonly socket: UdpSocket) {
    super();
  }

  protected override watch(): void {
    this.socket.subscribe(this.relay);
  }

  protected override unwatch(): void {
    this.socket.unsubscribe(this.relay);
  }
}

export class IncomingDatagrams extends DatagramStream {
  ready(): boolean {
    return this.socket.ready();
  }

  receive(max: bigint): Datagram[] {
    return receiveUpTo(this.socket, max);
  }
}

export class OutgoingDatagrams extends DatagramStream {
  private permitted = 0;

  ready(): boolean {
    return this.socket.permit > 0;
  }

  checkSend(): bigint {
    this.permitted = this.socket.permit;
    return BigInt(this.permitted);
  }

  send(datagrams: readonly OutgoingDatagram[]): bigint {
    if (datagrams.length > this.permitted) throw new Trap('sent more datagrams than check-send permits');
    const sent = sendAll(this.socket, datagrams);
    this.permitted -= Number(sent);
    return sent;
  }
}

export function receiveUpTo(socket: UdpSocket, max: bigint): Datagram[] {
  const datagrams: Datagram[] = [];
  while (datagrams.length < max) {
    const next = socket.receive();
    if (!next) break;
    datagrams.push(next);
  }
  return datagrams;
}

/** How many went out: the first that does not is an error, a later one is left for the next call (wasi:sockets/udp, send). */
export function sendAll(socket: UdpSocket, datagrams: readonly OutgoingDatagram[]): bigint {
  let sent = 0;
  for (const { data, remoteAddress } of datagrams) {
    try {
      socket.send(data, remoteAddress ? { family: remoteAddress.tag, at: toEndpoint(remoteAddress) } : null);
      sent++;
    } catch (error) {
      if (sent === 0) throw error;
      break;
    }
  }
  return BigInt(sent);
}

class Ready extends Pollable {
  ready(): boolean {
    return true;
  }
}

const method = (call: (socket: UdpSocket02, ...args: never[]) => unknown) => plain(guarded(asEnum, call));

/** What all of 0.2 and its candidates have. */
export const UDP: Capability['functions'] = {
  ...addressFunctions('udp-socket', asEnum),
  ...optionFunctions('udp-socket', UDP_OPTIONS, asEnum),
  '[method]udp-socket.start-bind': method((socket, _network: object, local: IpSocketAddress) => socket.startBind(local.tag, toEndpoint(local))),
  '[method]udp-socket.finish-bind': method((socket) => socket.finishBind()),
};

export const UDP_02: Capability['functions'] = {
  ...UDP,
  '[method]udp-socket.stream': method((socket, remote: IpSocketAddress | undefined) => socket.stream(remote)),
  '[method]udp-socket.subscribe': plain(() => new Ready()),
  '[method]incoming-datagram-stream.receive': plain((stream: IncomingDatagrams, max: bigint) =>
    stream.receive(max).map(({ data, from }) => ({ data, remoteAddress: toSocketAddress(from) }))),
  '[method]incoming-datagram-stream.subscribe': plain((stream: IncomingDatagrams) => stream),
  '[method]outgoing-datagram-stream.check-send': plain((stream: OutgoingDatagrams) => stream.checkSend()),
  '[method]outgoing-datagram-stream.send': plain(guarded(asEnum, (stream: OutgoingDatagrams, datagrams: OutgoingDatagram[]) => stream.send(datagrams))),
  '[method]outgoing-datagram-stream.subscribe': plain((stream: OutgoingDatagrams) => stream),
};

export const CREATE_UDP: Capability['functions'] = {
  'create-udp-socket': perSlot((state) => guarded(asEnum, (family: Family) => new UdpSocket02(state, family))),
};
