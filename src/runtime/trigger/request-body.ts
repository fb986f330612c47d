import type { IncomingMessage, ServerResponse } from 'node:http';
import { EOF, type ByteSource, type Headers } from '#runtime/capability/guest.js';

/** Whether the head announces a body (RFC 9112, section 6). */
export function announcesBody(request: IncomingMessage): boolean {
  const { headers } = request;
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] !== undefined && headers['content-length'] !== '0');
}

const cutOff = (): Error => Object.assign(new Error('the client closed the connection before the body was complete'), { code: 'ECONNRESET' });

/**
 * The body of a request, read when the guest asks: until then the socket's own buffers hold the client back. A client that waits for
 * `100 Continue` gets it at the first read.
 */
export class RequestBody implements ByteSource {
  onReadable: (() => void) | null = null;
  private rest: Buffer | null = null;
  private begun = false;
  private watched = false;
  private ended = false;
  private failure: Error | null = null;

  constructor(private readonly request: IncomingMessage, private readonly continueOn: ServerResponse | null) {}

  read(max: number): Uint8Array | null | typeof EOF {
    if (!this.begun) this.begin();
    const chunk = this.rest ?? (this.request.read() as Buffer | null);
    if (chunk === null) {
      if (this.failure) throw this.failure;
      if (this.ended || this.isRead) return EOF;
      if (this.request.closed) throw cutOff();
      if (!this.watched) this.watch();
      return null;
    }
    if (chunk.length <= max) {
      this.rest = null;
      return chunk;
    }
    this.rest = chunk.subarray(max);
    return chunk.subarray(0, max);
  }

  cancel(): void {
    this.onReadable = null;
    this.rest = null;
    this.request.removeAllListeners('readable');
    // What is still to come is read and dropped, so that the connection stays usable.
    this.request.resume();
  }

  /** Gives what has come and was not read, without waiting for more. True: that was the rest of it. */
  takeRest(give: (chunk: Uint8Array) => void): boolean {
    for (let chunk = this.rest ?? (this.request.read() as Buffer | null); chunk !== null; chunk = this.request.read() as Buffer | null) give(chunk);
    this.rest = null;
    return this.ended || this.isRead;
  }

  trailers(): Headers | null {
    const raw = this.request.rawTrailers;
    if (raw.length === 0) return null;
    return Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i]!, raw[2 * i + 1]!] as const);
  }

  /** All of it has come and was read; `end` is told a tick later, which would keep a guest waiting for nothing. */
  private get isRead(): boolean {
    const { request } = this;
    return request.readableEnded || (request.complete && request.readableLength === 0);
  }

  private begin(): void {
    this.begun = true;
    this.continueOn?.writeContinue();
  }

  /** Only for a body that is still on its way: most are there when they are asked for. */
  private watch(): void {
    this.watched = true;
    const { request } = this;
    const wake = () => this.onReadable?.();
    const fail = (error: Error) => {
      this.failure ??= error;
      wake();
    };
    request
      .on('readable', wake)
      .on('end', () => {
        this.ended = true;
        wake();
      })
      .on('error', fail)
      .on('close', () => {
        if (!request.complete) fail(cutOff());
      });
  }
}
