import type { ByteSink, HttpExchange } from '#runtime/capability/guest.js';
import { cgiBodyStart, MAX_CGI_HEAD_BYTES, parseCgiHead } from './cgi.js';

/** Stdout of a WAGI component: the head is read off it, the rest is the body, with the client's backpressure. */
export class CgiSink implements ByteSink {
  private head: Buffer | null = Buffer.alloc(0);
  private sink: ByteSink | null = null;
  private drain: (() => void) | null = null;
  private close: (() => void) | null = null;
  /** Why there is no answer: the head was none. */
  fault: (Error & { status?: number }) | null = null;

  constructor(private readonly exchange: HttpExchange) {}

  get closed(): boolean {
    return this.sink?.closed ?? false;
  }

  get onDrain(): (() => void) | null {
    return this.drain;
  }

  set onDrain(callback: (() => void) | null) {
    this.drain = callback;
    if (this.sink) this.sink.onDrain = callback;
  }

  get onClose(): (() => void) | null {
    return this.close;
  }

  set onClose(callback: (() => void) | null) {
    this.close = callback;
    if (this.sink) this.sink.onClose = callback;
  }

  write(chunk: Uint8Array): boolean {
    if (this.fault) return true;
    if (this.sink) return this.sink.write(chunk);
    this.head = Buffer.concat([this.head!, chunk]);
    const start = cgiBodyStart(this.head);
    if (start < 0) {
      if (this.head.length > MAX_CGI_HEAD_BYTES) this.fault = new Error(`the component wrote ${MAX_CGI_HEAD_BYTES} bytes without an end of the head`);
      return true;
    }
    return this.open(start);
  }

  /** The component is done. Without a whole head there is a `fault`. */
  end(): void {
    if (!this.fault && !this.sink) {
      if (this.head!.length === 0) this.fault = new Error('the component wrote nothing');
      else this.open(this.head!.length);
    }
    this.sink?.end();
  }

  abort(reason: Error): void {
    this.sink?.abort(reason);
  }

  private open(start: number): boolean {
    const bytes = this.head!;
    this.head = null;
    try {
      const { status, headers } = parseCgiHead(bytes.toString('latin1', 0, start));
      this.sink = this.exchange.respond(status, headers);
    } catch (error) {
      this.fault = error as Error;
      return true;
    }
    this.sink.onDrain = this.drain;
    this.sink.onClose = this.close;
    return start === bytes.length || this.sink.write(bytes.subarray(start));
  }
}
