import { z } from 'zod';
import { BUCKETS, BUCKETS_PER_DOUBLING, toHistogram } from '#contract/samples.js';

/**
 * A histogram of durations that can be added up over runners, nodes and time without loss (buckets: `#contract/samples.js`).
 *
 * Bucket i holds the durations from 2^(i/16) to 2^((i+1)/16) µs: 16 to a doubling, each 4.4 % wide, from 1 µs to 71 min, so that a quantile read
 * from it is off by 2.2 % at the most. Only buckets that hold something are kept, in order, as pairs of numbers: the empty buckets
 * left out since the one before, and the count. `[160, 5, 0, 2, 3, 1]` is 5 in bucket 160, 2 in 161, 1 in 165.
 */
export const Histogram = z
  .array(z.int().nonnegative())
  .max(2 * BUCKETS)
  .refine(isWellFormed, `expected pairs of buckets left out and a count above 0, within ${BUCKETS} buckets`)
  .describe('Durations: for each bucket that is not empty, the empty ones before it and its count; 16 buckets to a doubling, from 1 µs.');
export type Histogram = z.infer<typeof Histogram>;

export const NO_DURATIONS: Histogram = [];

function isWellFormed(pairs: readonly number[]): boolean {
  let next = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    next += pairs[i]! + 1;
    if (next > BUCKETS || !(pairs[i + 1]! > 0)) return false;
  }
  return true;
}

/** The duration in the middle of a bucket, in µs. */
export function middleUs(bucket: number): number {
  return 2 ** ((bucket + 0.5) / BUCKETS_PER_DOUBLING);
}

/** Both together. */
export function addHistograms(a: Histogram, b: Histogram): Histogram {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const sum: Histogram = [];
  let next = 0;
  const [left, right] = [new Reader(a), new Reader(b)];
  while (left.bucket < BUCKETS || right.bucket < BUCKETS) {
    const bucket = Math.min(left.bucket, right.bucket);
    sum.push(bucket - next, left.take(bucket) + right.take(bucket));
    next = bucket + 1;
  }
  return sum;
}

/** Goes through the pairs of a histogram; past its end it stands at `BUCKETS`. */
class Reader {
  bucket: number;
  private at = 0;

  constructor(private readonly pairs: Histogram) {
    this.bucket = pairs[0] ?? BUCKETS;
  }

  /** The count of a bucket, which is left behind. */
  take(bucket: number): number {
    if (bucket !== this.bucket) return 0;
    const count = this.pairs[this.at + 1]!;
    this.at += 2;
    this.bucket = this.at < this.pairs.length ? this.bucket + 1 + this.pairs[this.at]! : BUCKETS;
    return count;
  }
}

/** Each count halved, rounded down: how the past is let go of. */
export function halveHistogram(pairs: Histogram): Histogram {
  const counts = Array.from({ length: BUCKETS }, () => 0);
  for (const reader = new Reader(pairs); reader.bucket < BUCKETS; ) {
    const { bucket } = reader;
    counts[bucket] = Math.floor(reader.take(bucket) / 2);
  }
  return toHistogram(counts);
}

export function totalOf(pairs: Histogram): number {
  let total = 0;
  for (let i = 1; i < pairs.length; i += 2) total += pairs[i]!;
  return total;
}

/** The first bucket such that at least the share `level` of all lies in it or below; the last bucket when there are none. */
export function quantileBucket(pairs: Histogram, level: number): number {
  const wanted = level * totalOf(pairs);
  let below = 0;
  let next = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    next += pairs[i]! + 1;
    below += pairs[i + 1]!;
    if (below >= wanted) return next - 1;
  }
  return BUCKETS - 1;
}

/** How many lie in buckets above `limit`. */
export function countAbove(pairs: Histogram, limit: number): number {
  let above = 0;
  let next = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    next += pairs[i]! + 1;
    if (next - 1 > limit) above += pairs[i + 1]!;
  }
  return above;
}

/** How many buckets a factor is, rounded. */
export function bucketsOfFactor(factor: number): number {
  return Math.round(Math.log2(factor) * BUCKETS_PER_DOUBLING);
}
