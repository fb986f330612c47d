import type { Err } from '#engine/run/host.js';
import { EOF as PIPE_EOF, hostFuture, hostStream, type Pipe } from '#engine/run/pipe.js';
import { EOF } from '../guest.js';
import type { HostMemory } from '../host-memory.js';
import type { StreamError } from '../io/io-error.js';
import { NO_MORE, OutputStream, WRITE_PERMIT_BYTES } from '../io/output-stream.js';
import { SocketFault } from './socket-fault.js';
import type { TcpSocket } from './tcp-socket.js';

/** What a 0.2 guest writes to a connection. */
export class TcpOutput extends OutputStream {
  constructor(private readonly socket: TcpSocket, private readonly memory: HostMemory) {
    super();
    socket.onWritable = () => this.wake();
  }

  permit(): number {
    if (this.socket.isSendClosed) return NO_MORE;
    return this.socket.isFull ? 0 : WRITE_PERMIT_BYTES;
  }

  put(chunk: Uint8Array): Err<StreamError> | undefined {
    this.socket.write(chunk);
    this.memory.check();
    return undefined;
  }
}

const OK = { tag: 'ok' as const, val: undefined };
const failed = (fault: SocketFault) => ({ tag: 'err' as const, val: fault.code03 });

/** `send` of 0.3: all that the guest's stream gives, then the end. The future tells how it went; `done` is called once, when it does. */
export function sendStream(socket: TcpSocket, data: Pipe, done: () => void): Pipe {
  const sent = hostFuture();
  let over = false;
  const settle = (fault: SocketFault | null) => {
    if (over) return;
    over = true;
    socket.onWritable = null;
    sent.resolve(fault ? failed(fault) : OK);
    done();
  };
  const breakOff = () => {
    settle(socket.fault ?? new SocketFault('connection-aborted'));
    data.hostDrop();
  };
  socket.onWritable = () => (socket.isSendClosed ? breakOff() : data.drained());
  data.attach({
    write: (chunk) => {
      if (socket.isSendClosed) queueMicrotask(breakOff);
      else socket.write(chunk as Uint8Array);
      return !socket.isFull;
    },
    end: () => {
      if (!over) socket.endSend(settle);
    },
  });
  return sent;
}

/** `receive` of 0.3: the stream of what arrives, and how it ended; `done` is called once, when it has. */
export function receiveStream(socket: TcpSocket, done: () => void): [Pipe, Pipe] {
  const { incoming } = socket;
  if (!incoming) return refusedStream(new SocketFault('invalid-state'));
  const ended = hostFuture();
  const settle = (outcome: typeof OK | ReturnType<typeof failed>) => {
    incoming.onReadable = null;
    ended.resolve(outcome);
    done();
  };
  const stream = hostStream({
    pull: (_pipe, max) => {
      try {
        const chunk = incoming.read(max);
        if (chunk !== EOF) return chunk;
        settle(OK);
      } catch (error) {
        settle(failed(SocketFault.from(error)));
      }
      return PIPE_EOF;
    },
    cancel: () => {
      socket.endReceive();
      settle(OK);
    },
  });
  incoming.onReadable = () => stream.more();
  return [stream, ended];
}

/** A stream that gives nothing, and why. */
export function refusedStream(fault: SocketFault): [Pipe, Pipe] {
  return [hostStream({ pull: () => PIPE_EOF }), hostFuture(failed(fault))];
}

/** The guest's bytes are not taken, and why. */
export function refusedSend(data: Pipe, fault: SocketFault): Pipe {
  data.hostDrop();
  return hostFuture(failed(fault));
}
