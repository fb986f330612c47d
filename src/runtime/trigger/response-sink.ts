import type { ServerResponse } from 'node:http';
import type { ByteSink, Headers } from '#runtime/capability/guest.js';
import type { HeldAnswer } from './answer-batch.js';
import type { ClientFront } from './client-call.js';
import { RelayedResponse } from './relay/relayed-response.js';
import { hasField, hasNoContent, toClientHeaders } from './response-headers.js';

/** Bodies up to this are sent as text with the head; above it the copy costs more than it saves. */
const MAX_TEXT_BYTES = 16 * 1024;

const asBuffer = (bytes: Uint8Array): Buffer & { latin1Slice(): string } =>
  (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)) as Buffer & { latin1Slice(): string };

/** The head of an answer as the front writes it. */
export interface AnswerHead {
  status: number;
  headers: Headers;
  /** The connection ends with this answer (drain, or a body that the client was not asked for): the one case that says so. */
  close: boolean;
}

/**
 * An answer on its way to a client. Head and first bytes wait for the rest of this turn of the event loop, so that a small answer is one
 * write, among those of others.
 */
export class ResponseSink implements ByteSink, HeldAnswer {
  onDrain: (() => void) | null = null;
  onClose: (() => void) | null = null;
  private headSent = false;
  private first: Uint8Array | null = null;
  private finished = false;
  /** All of it is there, and nothing was sent. */
  private complete = false;
  private trailers: Headers | undefined;
  private waits = false;

  constructor(
    private readonly response: ServerResponse,
    private readonly head: AnswerHead,
    private readonly front: ClientFront,
  ) {
    front.answers.hold(this);
  }

  get closed(): boolean {
    return this.response.destroyed || this.response.closed;
  }

  write(chunk: Uint8Array): boolean {
    if (this.closed || this.finished) return true;
    if (!this.headSent && this.first === null && chunk.length > 0) {
      this.first = chunk;
      return true;
    }
    this.flush();
    return this.pass(chunk);
  }

  end(trailers?: Headers): void {
    if (this.finished) return;
    this.finished = true;
    this.trailers = trailers;
    if (this.closed) return;
    if (this.headSent) return this.finish();
    this.complete = true;
    this.front.answers.end(this);
  }

  private finish(): void {
    const { first, trailers } = this;
    this.first = null;
    if (trailers && trailers.length > 0) this.response.addTrailers(trailers.map(([name, value]): [string, string] => [name, value]));
    if (!first) this.response.end();
    // Head and body in one string are one buffer for the system, instead of a list of two: that is the most of what a small answer costs.
    else if (first.length > MAX_TEXT_BYTES) this.response.end(first);
    else this.endWithText(asBuffer(first).latin1Slice());
  }

  private endWithText(text: string): void {
    const { response } = this;
    if (response.chunkedEncoding && !this.trailers && response.req.method !== 'HEAD') {
      // The only chunk and the last one (RFC 9112, section 7.1), which Node would write as five pieces.
      response.chunkedEncoding = false;
      response.end(`${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`, 'latin1');
    } else {
      response.end(text, 'latin1');
    }
  }

  /** Before the head has left, nothing of the answer was seen: then it is an empty 500 instead. */
  abort(_reason: Error): void {
    if (this.finished) return;
    this.finished = true;
    if (this.headSent) this.response.destroy();
    else this.answerFault();
  }

  /** The client is gone. */
  hangUp(): void {
    this.onClose?.();
  }

  /** Called for many answers in turn: one that cannot be sent breaks its own connection, and nothing else. */
  flush(): void {
    try {
      if (this.complete) this.sendAll();
      else this.sendBegun();
    } catch (error) {
      this.finished = true;
      this.front.onFault(error as Error);
      this.response.destroy();
    }
  }

  private sendBegun(): void {
    if (this.headSent || this.finished || this.closed || !this.sendHead(false)) return;
    const { first } = this;
    this.first = null;
    if (first) this.pass(first);
    else this.response.flushHeaders();
  }

  private sendAll(): void {
    this.complete = false;
    if (!this.closed && this.sendHead(this.first === null)) this.finish();
  }

  private pass(chunk: Uint8Array): boolean {
    if (chunk.length === 0 || this.finished || this.response.write(chunk)) return true;
    if (!this.waits) {
      this.waits = true;
      this.response.on('drain', () => this.onDrain?.());
    }
    return false;
  }

  /** False: the head cannot be sent, and the client has got a 500. */
  private sendHead(empty: boolean): boolean {
    const { status, headers, close } = this.head;
    const fields = toClientHeaders(headers);
    if (empty && !hasNoContent(status) && this.response.req.method !== 'HEAD' && !hasField(fields, 'content-length')) fields.push('content-length', '0');
    try {
      writeHead(this.response, status, fields, close);
    } catch (error) {
      // A name or value that HTTP cannot carry.
      this.finished = true;
      this.answerFault();
      this.front.onFault(error as Error);
      return false;
    }
    this.headSent = true;
    return true;
  }

  private answerFault(): void {
    writeHead(this.response, 500, ['content-length', '0'], this.head.close);
    this.response.end();
  }
}

/** Writes a head without the connection fields that Node adds: connections stay open without them (RFC 9112, section 9.3). */
export function writeHead(response: ServerResponse, status: number, fields: string[], close: boolean): void {
  if (close) fields.push('connection', 'close');
  else response.removeHeader('connection');
  if (response instanceof RelayedResponse) fields.push(...response.telling());
  // A client of HTTP/1.0 takes a missing field for the end of the connection.
  if (response.req.httpVersionMinor === 0) response.shouldKeepAlive = false;
  response.writeHead(status, fields);
}
