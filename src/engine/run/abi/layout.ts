import { Trap } from '#engine/run/host.js';

export type CoreType = 'i32' | 'i64' | 'f32' | 'f64';
/** Core values in the order of the flattened types: numbers, and bigints for i64. */
export type Flat = (number | bigint)[];

export const MAX_FLAT_PARAMS = 16;
export const MAX_FLAT_ASYNC_PARAMS = 4;
/** MAX_STRING_BYTE_LENGTH, MAX_LIST_BYTE_LENGTH and Buffer.MAX_LENGTH of the specification. */
export const MAX_BYTES = 2 ** 28 - 1;

export function trap(message: string): never {
  throw new Trap(message);
}

export function alignTo(offset: number, align: number): number {
  return Math.ceil(offset / align) * align;
}

/** Appends flat types, and stops once there are too many to travel flat. */
export function pushFlat(flat: CoreType[], more: readonly CoreType[]): void {
  for (const type of more) {
    if (flat.length > MAX_FLAT_PARAMS) return;
    flat.push(type);
  }
}
