import type { StoredPart } from './storage-driver.js';

/** S3 takes no smaller part of an object, but for the last one. */
export const MIN_PART_BYTES = 5 * 1024 * 1024;

/**
 * How S3 makes an object of others: a step of one part is copied within the store; the parts of any other step are each too small, or
 * stand before one that is, so they are read and sent as one. No step but the last is smaller than `MIN_PART_BYTES`.
 */
export function toSteps(parts: readonly StoredPart[]): StoredPart[][] {
  const steps: StoredPart[][] = [];
  let open: StoredPart[] = [];
  for (const part of parts) {
    open.push(part);
    if (open.reduce((sum, { bytes }) => sum + bytes, 0) < MIN_PART_BYTES) continue;
    steps.push(open);
    open = [];
  }
  if (open.length > 0) steps.push(open);
  return steps;
}
