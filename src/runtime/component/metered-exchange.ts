import { pastRequestLimit, requestTooLarge, responseTooLarge, type BodyLimits } from './body-limit.js';
import type { Failure } from './failure.js';
import { EOF, type ByteSink, type ByteSource, type Headers, type HttpExchange } from '#runtime/capability/guest.js';

/** The body of a request, counted. */
class MeteredSource implements ByteSource {
  constructor(private readonly inner: ByteSource, private readonly exchange: MeteredExchange) {}

  get onReadable(): (() => void) | null {
    return this.inner.onReadable;
  }

  set onReadable(callback: (() => void) | null) {
    this.inner.onReadable = callback;
  }

  get isEmpty(): boolean {
    return this.inner.isEmpty === true;
  }

  read(max: number): Uint8Array | null | typeof EOF {
    if (!this.isEmpty) this.exchange.commit();
    const { exchange } = this;
    if (exchange.isBodyCut) return EOF;
    if (exchange.isPastRequest) throw pastRequestLimit(exchange.limits);
    const chunk = this.inner.read(max);
    if (chunk === null || chunk === EOF) return chunk;
    exchange.bytesIn += chunk.length;
    if (!exchange.isPastRequest) return chunk;
    exchange.overrun = requestTooLarge(exchange.limits.requestBytes);
    this.inner.cancel();
    throw pastRequestLimit(exchange.limits);
  }

  cancel(): void {
    if (!this.isEmpty) this.exchange.commit();
    this.inner.cancel();
  }

  trailers(): Headers | null {
    return this.inner.trailers();
  }
}

/** The body of an answer, counted. */
class MeteredSink implements ByteSink {
  private cut = false;

  constructor(private readonly inner: ByteSink, private readonly exchange: MeteredExchange) {}

  get onDrain(): (() => void) | null {
    return this.inner.onDrain;
  }

  set onDrain(callback: (() => void) | null) {
    this.inner.onDrain = callback;
  }

  /** Past the limit nobody listens any more: a guest that goes on writing is told so, as when its client has left. */
  get closed(): boolean {
    return this.cut || this.inner.closed;
  }

  get onClose(): (() => void) | null {
    return this.inner.onClose;
  }

  set onClose(callback: (() => void) | null) {
    this.inner.onClose = callback;
  }

  write(chunk: Uint8Array): boolean {
    const { exchange } = this;
    if (this.cut) return true;
    if (exchange.method === 'HEAD') return this.inner.write(chunk);
    const bytes = exchange.bytesOut + chunk.length;
    if (bytes > exchange.limits.responseBytes) return this.cutOff();
    exchange.bytesOut = bytes;
    return this.inner.write(chunk);
  }

  end(trailers?: Headers): void {
    if (this.exchange.ended) return;
    this.exchange.ended = true;
    this.inner.end(trailers);
  }

  abort(reason: Error): void {
    if (this.exchange.ended) return;
    this.exchange.ended = true;
    // With nobody there to see it, nothing is broken.
    this.exchange.broken = !this.inner.closed;
    this.inner.abort(reason);
  }

  private cutOff(): true {
    const failure = responseTooLarge(this.exchange.limits.responseBytes);
    this.exchange.overrun = failure;
    this.abort(new Error(failure.message));
    this.cut = true;
    return true;
  }
}

/** Where an answer goes that nobody waits for any more. */
const DISCARD: ByteSink = { write: () => true, onDrain: null, closed: true, onClose: null, end: () => undefined, abort: () => undefined };

/**
 * An exchange as a guest gets it: counts body bytes, allows one answer, and tells when the exchange was touched, which is when it can no
 * longer be given to somebody else.
 */
export class MeteredExchange implements HttpExchange {
  readonly method: string;
  readonly body: ByteSource;
  bytesIn = 0;
  bytesOut = 0;
  /** Of the answer; 0: none yet. */
  status = 0;
  ended = false;
  broken = false;
  touched = false;
  /** The invocation is over: who still reads finds an end. */
  isBodyCut = false;
  /** A body that was longer than allowed. */
  overrun: Failure | null = null;
  /** Called at the first touch. */
  onTouch: (() => void) | null = null;
  private sink: MeteredSink | null = null;
  private detached = false;

  constructor(private readonly inner: HttpExchange, readonly limits: BodyLimits) {
    this.method = inner.method;
    this.body = new MeteredSource(inner.body, this);
  }

  get isPastRequest(): boolean {
    return this.bytesIn > this.limits.requestBytes;
  }

  get pathWithQuery(): string {
    return this.inner.pathWithQuery;
  }

  get scheme(): 'http' | 'https' {
    return this.inner.scheme;
  }

  get authority(): string {
    return this.inner.authority;
  }

  get headers(): Headers {
    return this.inner.headers;
  }

  respond(status: number, headers: Headers): ByteSink {
    if (this.detached) return DISCARD;
    if (this.sink) throw new Error('the exchange is answered already');
    this.commit();
    this.status = status;
    this.sink = new MeteredSink(this.inner.respond(status, headers), this);
    return this.sink;
  }

  inform(status: number, headers: Headers): void {
    if (this.detached || this.sink) return;
    this.commit();
    this.inner.inform?.(status, headers);
  }

  /** What the guest left behind does not reach the exchange any more: it is answered, or somebody else's. */
  detach(): void {
    this.detached = true;
    this.onTouch = null;
  }

  /** What of the body has not been read is not for anybody. */
  cutBody(): void {
    this.isBodyCut = true;
    this.body.onReadable?.();
  }

  commit(): void {
    if (this.touched || this.detached) return;
    this.touched = true;
    this.onTouch?.();
  }

  /** Ends an exchange whose guest is gone: answers with an empty `status` when nothing was sent, else breaks the answer off. */
  fail(status: number, headers: Headers, reason: Error): void {
    if (!this.sink) this.respond(status, [...headers, ['content-length', '0']]).end();
    else this.sink.abort(reason);
  }
}
