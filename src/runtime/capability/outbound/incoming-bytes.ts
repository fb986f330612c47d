import { EOF, type ByteSource, type Headers } from '../guest.js';
import { PIECE_BYTES, type HostMemory } from '../host-memory.js';

/** Kept for a guest that reads slowly before the socket is paused. */
const HIGH_WATER_BYTES = 256 * 1024;

/** Bytes that come from the network: the body of a response, or all that a socket gives. `control` pauses and stops the socket. */
export class IncomingBytes implements ByteSource {
  onReadable: (() => void) | null = null;
  private readonly queue: Uint8Array[] = [];
  private queuedBytes = 0;
  private paused = false;
  private ended = false;
  private failure: Error | null = null;
  private trailerFields: Headers | null = null;

  constructor(private readonly control: { pause(): void; resume(): void; cancel(): void }, private readonly memory: HostMemory) {}

  push(chunk: Uint8Array): void {
    this.queue.push(chunk);
    this.keep(chunk.length + PIECE_BYTES);
    if (!this.paused && this.queuedBytes >= HIGH_WATER_BYTES) {
      this.paused = true;
      this.control.pause();
    }
    this.onReadable?.();
  }

  end(trailers: Headers): void {
    this.ended = true;
    this.trailerFields = trailers.length > 0 ? trailers : null;
    this.onReadable?.();
  }

  fail(error: Error): void {
    if (this.ended) return;
    this.failure = error;
    this.onReadable?.();
  }

  /** What had arrived before a failure is still given. */
  read(max: number): Uint8Array | null | typeof EOF {
    const first = this.queue[0];
    if (first === undefined) {
      if (this.failure) throw this.failure;
      return this.ended ? EOF : null;
    }
    const whole = first.length <= max;
    const chunk = whole ? first : first.subarray(0, max);
    if (whole) this.queue.shift();
    else this.queue[0] = first.subarray(max);
    this.keep(whole ? -chunk.length - PIECE_BYTES : -chunk.length);
    if (this.paused && this.queuedBytes < HIGH_WATER_BYTES / 2) {
      this.paused = false;
      this.control.resume();
    }
    return chunk;
  }

  /** Whoever reads sees the end now; what has not been read is dropped. */
  close(): void {
    this.clear();
    this.end([]);
  }

  cancel(): void {
    this.clear();
    if (this.ended || this.failure) return;
    this.control.cancel();
  }

  trailers(): Headers | null {
    return this.trailerFields;
  }

  private clear(): void {
    this.queue.length = 0;
    this.keep(-this.queuedBytes);
  }

  private keep(bytes: number): void {
    this.queuedBytes += bytes;
    this.memory.add(bytes);
  }
}
