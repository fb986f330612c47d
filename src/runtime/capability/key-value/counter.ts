import { StoreError } from './key-value-store.js';

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

/** A counter as it is stored on every backend: 8 bytes, little endian, signed, as Spin's file store has it. */
export function toCounter(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, value, true);
  return bytes;
}

/** Throws StoreError when the bytes are no counter. A missing one is 0. */
export function fromCounter(bytes: Uint8Array | undefined): bigint {
  if (bytes === undefined) return 0n;
  if (bytes.length !== 8) throw notACounter();
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, true);
}

/** Throws StoreError when the sum does not fit: Spin's store ends the guest there. */
export function add(value: bigint, delta: bigint): bigint {
  const sum = value + delta;
  if (sum < MIN || sum > MAX) throw counterOverflow();
  return sum;
}

export const notACounter = (): StoreError => new StoreError('the value is not a counter: it does not have 8 bytes');
export const counterOverflow = (): StoreError => new StoreError('the counter would leave the range of 64 bits');
