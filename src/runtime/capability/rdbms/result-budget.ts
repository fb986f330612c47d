import type { HostMemory } from '../host-memory.js';

/** Spin's cap on what a host buffers for one call. */
export const MAX_RESULT_BYTES = 128 * 1024 * 1024;

/** What a value costs in this process besides its bytes: the object, its tag, a place in the row. */
export const VALUE_BYTES = 64;

/** In how large steps the account of the invocation is told, since rows are many. */
const STEP_BYTES = 64 * 1024;

/** More came than may be kept for one call. */
export class ResultTooLarge extends Error {
  override name = 'ResultTooLarge';
  constructor(maxBytes: number) {
    super(`query result exceeds limit of ${maxBytes} bytes`);
  }
}

/** Counts the rows of one result while they come, on the account of the invocation. */
export class ResultBudget {
  private bytes = 0;
  private told = 0;

  constructor(private readonly memory: HostMemory, private readonly maxBytes = MAX_RESULT_BYTES) {}

  /** Throws ResultTooLarge, or a LimitTrap when the invocation holds too much. */
  add(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes > this.maxBytes) throw new ResultTooLarge(this.maxBytes);
    if (this.bytes - this.told < STEP_BYTES) return;
    this.memory.take(this.bytes - this.told);
    this.told = this.bytes;
  }

  /** The rows were handed over, or dropped. */
  close(): void {
    this.memory.give(this.told);
    this.told = 0;
    this.bytes = 0;
  }
}
