import type { ByteSink, ByteSource, Headers, HttpExchange } from '#runtime/capability/guest.js';
import type { WholeAnswer } from './shadow-compare.js';

/** A request that the platform makes by itself. */
export interface MemoryRequest {
  method: string;
  authority: string;
  pathWithQuery: string;
  headers: Headers;
  body: ByteSource;
}

/** An answer that is kept in memory, up to a number of bytes; what comes after them is counted. */
class MemorySink implements ByteSink {
  onDrain: (() => void) | null = null;
  onClose: (() => void) | null = null;
  readonly closed = false;

  constructor(private readonly into: MemoryExchange) {}

  write(chunk: Uint8Array): boolean {
    this.into.take(chunk);
    return true;
  }

  end(): void {
    this.into.isComplete = true;
  }

  abort(): void {}
}

/** An exchange with nobody at the other end: what is answered is kept, to be looked at. */
export class MemoryExchange implements HttpExchange {
  readonly scheme = 'http';
  readonly method: string;
  readonly authority: string;
  readonly pathWithQuery: string;
  readonly headers: Headers;
  readonly body: ByteSource;
  isComplete = false;
  private head: Pick<WholeAnswer, 'status' | 'headers'> = { status: 0, headers: [] };
  private readonly chunks: Uint8Array[] = [];
  private bytes = 0;

  constructor({ method, authority, pathWithQuery, headers, body }: MemoryRequest, private readonly maxBytes: number) {
    this.method = method;
    this.authority = authority;
    this.pathWithQuery = pathWithQuery;
    this.headers = headers;
    this.body = body;
  }

  respond(status: number, headers: Headers): ByteSink {
    this.head = { status, headers };
    return new MemorySink(this);
  }

  take(chunk: Uint8Array): void {
    if (this.method === 'HEAD') return;
    this.bytes += chunk.length;
    if (this.bytes <= this.maxBytes) this.chunks.push(chunk);
  }

  /** More came than was kept. */
  get isTooLarge(): boolean {
    return this.bytes > this.maxBytes;
  }

  get answered(): WholeAnswer {
    return { ...this.head, body: this.chunks, bodyBytes: this.bytes };
  }
}
