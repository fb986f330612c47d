import type { Err } from '#engine/run/host.js';
import { EOF, type ByteSource, type GuestState, type Invocation } from '../guest.js';
import { InputStream } from '../io/input-stream.js';
import type { StreamError } from '../io/io-error.js';
import { NO_MORE, OutputStream, WRITE_PERMIT_BYTES } from '../io/output-stream.js';

/**
 * Standard streams. A guest may take them while it is made ready, long before its first invocation, and keep them over resets: so they
 * hold the slot's state and look the invocation up at each use.
 */

/** stdin of whatever invocation the slot is at. */
export function stdinSource(state: GuestState): ByteSource {
  return {
    read: (max) => state.invocation.stdin?.read(max) ?? (state.invocation.stdin ? null : EOF),
    get onReadable() {
      return state.invocation.stdin?.onReadable ?? null;
    },
    set onReadable(callback) {
      if (state.invocation.stdin) state.invocation.stdin.onReadable = callback;
    },
    cancel: () => state.invocation.stdin?.cancel(),
    trailers: () => null,
  };
}

/** Forgets what it read ahead when the next invocation begins: that belongs to the one before. */
export class StdinStream extends InputStream {
  private readFor: Invocation | null = null;

  constructor(private readonly state: GuestState) {
    super(stdinSource(state));
  }

  override ready(): boolean {
    this.renew();
    return super.ready();
  }

  override read(len: bigint): Uint8Array | Err<StreamError> {
    this.renew();
    return super.read(len);
  }

  private renew(): void {
    if (this.readFor === this.state.invocation) return;
    this.readFor = this.state.invocation;
    this.forget();
  }
}

/** stdout and stderr: into the log, or (stdout of WAGI) into the answer with its backpressure. */
export class LogStream extends OutputStream {
  private fullFor: Invocation | null = null;

  constructor(private readonly state: Pick<GuestState, 'invocation'>, private readonly stream: 'stdout' | 'stderr') {
    super();
  }

  permit(): number {
    const sink = this.stream === 'stdout' ? this.state.invocation.stdout : null;
    if (sink === null) return WRITE_PERMIT_BYTES;
    if (sink.closed) return NO_MORE;
    return this.fullFor === this.state.invocation ? 0 : WRITE_PERMIT_BYTES;
  }

  put(chunk: Uint8Array): undefined {
    const { invocation } = this.state;
    const sink = this.stream === 'stdout' ? invocation.stdout : null;
    if (sink === null) {
      invocation.write(this.stream, chunk);
      return undefined;
    }
    sink.onClose ??= () => this.wake();
    if (sink.write(chunk)) return undefined;
    this.fullFor = invocation;
    sink.onDrain = () => {
      this.fullFor = null;
      this.wake();
    };
    return undefined;
  }
}
