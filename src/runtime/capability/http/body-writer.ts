import type { ByteSink, Headers } from '../guest.js';
import { PIECE_BYTES, type HostMemory } from '../host-memory.js';
import { NO_MORE, WRITE_PERMIT_BYTES } from '../io/output-stream.js';
import type { HeldBody } from '../slot.js';
import { HttpError, type ErrorCode } from './error-code.js';

/** Where a message goes. */
export interface BodyDestination {
  /**
   * The head leaves now. `length` is that of the body when all of it is known, else null (then it is what the fields declare, or the
   * body is chunked). Called once.
   */
  start(length: number | null): ByteSink;
  /** Instead of `start`: the body broke before anything was sent. */
  abandon(reason: Error): void;
  /** The answer to HEAD, or a status that has no content: a declared length says nothing about what is written. */
  readonly bodiless: boolean;
}

/** Kept back at most, until the head goes out. */
const HOLD_BYTES = 64 * 1024;

/** Up to here pieces are copied into one. */
const MAX_JOINED_BYTES = 16 * 1024;

/** Pieces that stand one behind the other in memory, as those do that a guest wrote at a time, are one. */
function runsOf(pieces: readonly Uint8Array[]): Uint8Array[] {
  const runs: Uint8Array[] = [];
  let last: Uint8Array | null = null;
  for (const piece of pieces) {
    const isNext: boolean = last !== null && last.buffer === piece.buffer && last.byteOffset + last.length === piece.byteOffset;
    last = isNext ? new Uint8Array(piece.buffer, last!.byteOffset, last!.length + piece.length) : piece;
    if (isNext) runs[runs.length - 1] = last;
    else runs.push(last);
  }
  return runs;
}

/**
 * The body of an outgoing message of either version: keeps the first bytes back so that a small message is one write with a
 * content-length, checks the declared length (RFC 9110, section 8.6), and passes backpressure on.
 */
export class BodyWriter implements HeldBody {
  /** More may be written, or the other side went away. */
  onDrain: (() => void) | null = null;
  /** The body is complete or broken off. */
  onDone: (() => void) | null = null;
  /**
   * The guest did not want to wait for the end: an answer is chunked then, as it is where nothing is kept back, so that it does not depend on how
   * fast the guest was.
   */
  streamed = false;
  private destination: BodyDestination | null = null;
  private sink: ByteSink | null = null;
  private held: Uint8Array[] = [];
  private heldBytes = 0;
  /** What the account was told of. */
  private chargedBytes = 0;
  private writtenBytes = 0;
  private full = false;
  private ended = false;
  private trailers: Headers | undefined;
  private failure: Error | null = null;

  /**
   * @param declaredBytes the content-length of the fields, null without one
   * @param memory the account of the guest that writes; null: it has one such body
   */
  constructor(private readonly kind: 'request' | 'response', private readonly declaredBytes: number | null, private readonly memory: HostMemory | null) {}

  get done(): boolean {
    return this.ended || this.failure !== null;
  }

  /** Bytes that may be written now; 0: wait for `onDrain`; NO_MORE: ended, broken, or nobody listens any more. */
  permit(): number {
    if (this.ended || this.failure) return NO_MORE;
    const { sink } = this;
    if (sink === null) return this.destination ? WRITE_PERMIT_BYTES : Math.max(0, WRITE_PERMIT_BYTES - this.heldBytes);
    if (sink.closed) return NO_MORE;
    return this.full ? 0 : WRITE_PERMIT_BYTES;
  }

  /** An error when it is more than the fields declare; the body is broken then. */
  write(chunk: Uint8Array): ErrorCode | undefined {
    if (this.ended || this.failure) return undefined;
    this.writtenBytes += chunk.length;
    if (this.declaredBytes !== null && this.writtenBytes > this.declaredBytes && !this.destination?.bodiless) {
      return this.fail(this.sizeError());
    }
    if (chunk.length === 0) return undefined;
    if (this.sink) {
      this.pass(this.sink, chunk);
      return undefined;
    }
    this.held.push(chunk);
    this.heldBytes += chunk.length;
    this.charge(chunk.length + PIECE_BYTES);
    if (this.destination && this.heldBytes > HOLD_BYTES) this.flush();
    return undefined;
  }

  /** Says where it goes; may come before, between and after writes. */
  attach(destination: BodyDestination): void {
    this.destination = destination;
    if (this.failure) destination.abandon(this.failure);
    else if (this.ended) this.finish();
  }

  /** Sends the head and what is held, at the latest when the guest starts to wait. */
  flush(): void {
    if (this.sink || !this.destination || this.ended || this.failure) return;
    const sink = this.open(this.destination, null);
    if (this.held.length === 0) sink.write(new Uint8Array(0));
    this.release(sink);
  }

  /** The body is complete. An error when it is shorter than declared: then it is broken instead. */
  end(trailers?: Headers): ErrorCode | undefined {
    if (this.ended || this.failure) return undefined;
    if (this.declaredBytes !== null && this.writtenBytes < this.declaredBytes && !this.destination?.bodiless) {
      return this.fail(this.sizeError());
    }
    this.ended = true;
    this.trailers = trailers;
    if (this.destination) this.finish();
    return undefined;
  }

  /** The body will not be complete; the other side must see that. */
  abort(reason: Error): void {
    if (this.ended || this.failure) return;
    this.failure = reason;
    this.held = [];
    this.refund();
    if (this.sink) this.sink.abort(reason);
    else this.destination?.abandon(reason);
    this.onDone?.();
  }

  /** The message that it belongs to is gone: what was written goes nowhere. */
  discard(): void {
    if (this.destination) return;
    this.held = [];
    this.refund();
  }

  private charge(bytes: number): void {
    if (!this.memory) return;
    this.chargedBytes += bytes;
    this.memory.add(bytes);
  }

  private refund(): void {
    this.memory?.give(this.chargedBytes);
    this.chargedBytes = 0;
  }

  private fail(code: ErrorCode): ErrorCode {
    this.abort(new HttpError(code));
    return code;
  }

  private sizeError(): ErrorCode {
    return { tag: this.kind === 'request' ? 'HTTP-request-body-size' : 'HTTP-response-body-size', val: BigInt(this.writtenBytes) };
  }

  private finish(): void {
    const sink = this.sink ?? this.open(this.destination!, this.isLengthSaid ? this.heldBytes : null);
    this.release(sink);
    sink.end(this.trailers);
    this.onDone?.();
  }

  private get isLengthSaid(): boolean {
    return !this.trailers && !(this.streamed && this.kind === 'response' && this.heldBytes > 0);
  }

  private open(destination: BodyDestination, length: number | null): ByteSink {
    const sink = (this.sink = destination.start(length));
    sink.onClose = () => this.onDrain?.();
    return sink;
  }

  private release(sink: ByteSink): void {
    const { held } = this;
    if (held.length === 0) return;
    this.held = [];
    const bytes = this.heldBytes;
    this.heldBytes = 0;
    this.refund();
    if (bytes <= MAX_JOINED_BYTES) this.pass(sink, held.length === 1 ? held[0]! : Buffer.concat(held, bytes));
    else for (const run of runsOf(held)) this.pass(sink, run);
  }

  private pass(sink: ByteSink, chunk: Uint8Array): void {
    if (sink.closed || sink.write(chunk)) return;
    this.full = true;
    this.charge(chunk.length);
    sink.onDrain = () => {
      this.full = false;
      this.refund();
      this.onDrain?.();
    };
  }
}
