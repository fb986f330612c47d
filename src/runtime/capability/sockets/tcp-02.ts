import { perSlot, plain, type Capability } from '../capability.js';
import type { GuestState } from '../guest.js';
import { InputStream } from '../io/input-stream.js';
import { toEndpoint, type Family, type IpSocketAddress } from './socket-address.js';
import { SocketFault } from './socket-fault.js';
import { addressFunctions, asEnum, guarded, optionFunctions, TCP_OPTIONS } from './socket-functions.js';
import { atLeastOne } from './socket-options.js';
import { TcpSocket } from './tcp-socket.js';
import { TcpOutput } from './tcp-streams.js';

/** `tcp-socket` of the 0.2 line: what takes time is begun and finished. */
class TcpSocket02 extends TcpSocket {
  private awaited = false;

  constructor(private readonly slot: GuestState, family: Family) {
    super(slot, family);
  }

  startConnect(family: Family, to: ReturnType<typeof toEndpoint>): void {
    this.connect(family, to);
    this.awaited = true;
  }

  finishConnect(): [InputStream, TcpOutput] {
    if (!this.awaited) throw new SocketFault('not-in-progress');
    if (this.isConnecting) throw new SocketFault('would-block');
    this.awaited = false;
    if (!this.incoming) throw this.fault ?? new SocketFault('connection-aborted');
    return [new InputStream(this.incoming, this.slot.memory), new TcpOutput(this, this.slot.memory)];
  }

  shutdown(type: 'receive' | 'send' | 'both'): void {
    this.connection();
    if (type !== 'send') this.endReceive();
    if (type !== 'receive' && !this.isSendClosed) this.endSend();
  }
}

const method = (call: (socket: TcpSocket02, ...args: never[]) => unknown) => plain(guarded(asEnum, call));
const notInProgress = method(() => {
  throw new SocketFault('not-in-progress');
});

/** What all of 0.2 and its candidates have. */
export const TCP: Capability['functions'] = {
  ...addressFunctions('tcp-socket', asEnum),
  '[method]tcp-socket.start-bind': method((socket, _network: object, local: IpSocketAddress) => socket.bind(local.tag)),
  '[method]tcp-socket.finish-bind': notInProgress,
  '[method]tcp-socket.start-connect': method((socket, _network: object, remote: IpSocketAddress) => socket.startConnect(remote.tag, toEndpoint(remote))),
  '[method]tcp-socket.finish-connect': method((socket) => socket.finishConnect()),
  '[method]tcp-socket.start-listen': method((socket) => socket.listen()),
  '[method]tcp-socket.finish-listen': notInProgress,
  '[method]tcp-socket.accept': method(() => {
    throw new SocketFault('invalid-state');
  }),
  '[method]tcp-socket.set-listen-backlog-size': method((_socket, value: bigint) => void atLeastOne(value)),
  '[method]tcp-socket.subscribe': plain((socket: TcpSocket02) => socket),
  '[method]tcp-socket.shutdown': method((socket, type: 'receive' | 'send' | 'both') => socket.shutdown(type)),
};

export const TCP_02: Capability['functions'] = {
  ...TCP,
  ...optionFunctions('tcp-socket', TCP_OPTIONS, asEnum),
  '[method]tcp-socket.is-listening': plain(() => false),
};

export const CREATE_TCP: Capability['functions'] = {
  'create-tcp-socket': perSlot((state) => (family: Family) => new TcpSocket02(state, family)),
};
