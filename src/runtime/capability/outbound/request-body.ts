import { Readable } from 'node:stream';
import type { ByteSink, Headers } from '../guest.js';

/** A request body on its way to undici while the guest still writes it. */
export class StreamedBody implements ByteSink {
  closed = false;
  onDrain: (() => void) | null = null;
  onClose: (() => void) | null = null;
  readonly readable: Readable;
  /** Known when the body has ended. */
  trailers: Headers | undefined;

  constructor() {
    this.readable = new Readable({ highWaterMark: 64 * 1024, read: () => this.onDrain?.() });
    // undici reports the failure; without a listener it would end the process
    this.readable.on('error', () => undefined);
    this.readable.on('close', () => this.close());
  }

  write(chunk: Uint8Array): boolean {
    return this.closed || chunk.length === 0 || this.readable.push(chunk);
  }

  end(trailers?: Headers): void {
    this.trailers = trailers;
    if (!this.closed) this.readable.push(null);
  }

  abort(reason: Error): void {
    this.readable.destroy(reason);
  }

  private close(): void {
    if (this.closed) return;
    this.closed = true;
    this.onClose?.();
  }
}

/** A body that is complete: it leaves in one piece, by `send`. */
export class WholeBody implements ByteSink {
  readonly closed = false;
  onDrain: (() => void) | null = null;
  onClose: (() => void) | null = null;
  private readonly chunks: Uint8Array[] = [];

  constructor(private readonly send: (body: Uint8Array | null) => void) {}

  write(chunk: Uint8Array): boolean {
    this.chunks.push(chunk);
    return true;
  }

  end(): void {
    this.send(this.chunks.length === 0 ? null : this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks));
  }

  abort(): void {
    this.chunks.length = 0;
  }
}

/** Takes and forgets the body of a request that was refused: the guest learns it from the response, not from its writes. */
export const DISCARD: ByteSink = {
  closed: false,
  get onDrain() { return null; },
  set onDrain(_callback) { /* never full */ },
  get onClose() { return null; },
  set onClose(_callback) { /* never closed */ },
  write: () => true,
  end: () => undefined,
  abort: () => undefined,
};
