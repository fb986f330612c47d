import type { Err } from '#engine/run/host.js';
import { Pollable } from '../wait.js';
import type { StreamError } from './io-error.js';

/** Most that one write may bring. */
export const WRITE_PERMIT_BYTES = 1024 * 1024;
/** Answer of `permit` when nothing will ever be taken again. */
export const NO_MORE = -1;

/** A `wasi:io/streams.output-stream`; what it writes to decides how much it takes. */
export abstract class OutputStream extends Pollable {
  /** Bytes that a write may bring now; 0: wait; NO_MORE: the stream is closed. */
  abstract permit(): number;

  /** Takes at most `permit()` bytes; the view is kept. */
  abstract put(chunk: Uint8Array): Err<StreamError> | undefined;

  /** The guest writes with `blocking-write-and-flush`: the bytes are to go before it is known how many there will be. */
  writesThrough(): void {}

  ready(): boolean {
    return this.permit() !== 0;
  }
}
