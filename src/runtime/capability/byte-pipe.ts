import { EOF, type ByteSink, type ByteSource, type Headers } from './guest.js';
import { PIECE_BYTES, type HostMemory } from './host-memory.js';

/** Bytes kept for a slow reader before the writer is told to wait. */
const HIGH_WATER_BYTES = 256 * 1024;

/**
 * Bytes from one guest to another in this process, with backpressure. Both sides are told of changes in a microtask of its own: a
 * guest is never entered while the other one is still on the stack.
 */
export class BytePipe implements ByteSink, ByteSource {
  onReadable: (() => void) | null = null;
  onDrain: (() => void) | null = null;
  onClose: (() => void) | null = null;
  /** Nothing more will be written, or nobody reads: called once. */
  onFinish: (() => void) | null = null;
  closed = false;
  private readonly queue: Uint8Array[] = [];
  private queuedBytes = 0;
  private ended = false;
  private full = false;
  private failure: Error | null = null;
  private trailerFields: Headers | null = null;

  /** @param memory the account that what is kept is held on */
  constructor(private readonly memory: HostMemory | null = null) {}

  write(chunk: Uint8Array): boolean {
    if (this.closed || this.ended || this.failure) return true;
    if (chunk.length === 0) return !this.full;
    this.queue.push(chunk);
    this.keep(chunk.length + PIECE_BYTES);
    this.full = this.queuedBytes >= HIGH_WATER_BYTES;
    this.tellReader();
    return !this.full;
  }

  end(trailers?: Headers): void {
    if (this.ended) return;
    this.ended = true;
    this.trailerFields = trailers ?? null;
    this.tellReader();
    this.finish();
  }

  abort(reason: Error): void {
    if (this.ended || this.failure) return;
    this.failure = reason;
    this.clear();
    this.tellReader();
    this.finish();
  }

  read(max: number): Uint8Array | null | typeof EOF {
    if (this.failure) throw this.failure;
    const first = this.queue[0];
    if (first === undefined) return this.ended ? EOF : null;
    const whole = first.length <= max;
    const chunk = whole ? first : first.subarray(0, max);
    if (whole) this.queue.shift();
    else this.queue[0] = first.subarray(max);
    this.keep(whole ? -chunk.length - PIECE_BYTES : -chunk.length);
    if (this.full && this.queuedBytes < HIGH_WATER_BYTES / 2) {
      this.full = false;
      queueMicrotask(() => this.onDrain?.());
    }
    return chunk;
  }

  cancel(): void {
    if (this.closed) return;
    this.closed = true;
    this.clear();
    queueMicrotask(() => this.onClose?.());
    this.finish();
  }

  trailers(): Headers | null {
    return this.trailerFields;
  }

  /** Small pieces are counted with what keeping them costs. */
  private keep(bytes: number): void {
    this.queuedBytes += bytes;
    this.memory?.add(bytes);
  }

  private clear(): void {
    this.queue.length = 0;
    this.keep(-this.queuedBytes);
  }

  private finish(): void {
    const tell = this.onFinish;
    this.onFinish = null;
    tell?.();
  }

  private tellReader(): void {
    queueMicrotask(() => this.onReadable?.());
  }
}

/** A body that has nothing in it. */
export const EMPTY_SOURCE: ByteSource = {
  isEmpty: true,
  read: () => EOF,
  get onReadable() { return null; },
  set onReadable(_callback) { /* nothing ever arrives */ },
  cancel: () => undefined,
  trailers: () => null,
};
