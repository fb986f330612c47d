import { z } from 'zod';
import { AppName, ChannelName, VersionNumber } from './ids.js';
import { ShadowReport } from './shadow.js';

/**
 * Arrow component ──samples──▶ rollouts: what became of requests while several versions of a channel are served, a second at a time. A node
 * sends each report again until it is taken; it is taken once.
 */

/**
 * Durations are counted in buckets: bucket i holds those from 2^(i/16) to 2^((i+1)/16) µs. A histogram names the buckets that hold something, as
 * pairs: the empty ones since the last, and the count.
 */
export const BUCKETS_PER_DOUBLING = 16;
export const BUCKETS = 512;
/** Requests of a version are told apart by the eighth of the hash that chose it, to see how much clients differ. */
export const GROUPS = 8;
/** A request without an answer for so long counts as an error, and not again when it ends: a version that hangs is seen before its requests time out. */
export const OVERDUE_MS = 5_000;

/** Requests beyond this share of a version's are its slow ones. */
export const SLOW_LEVEL = 0.95;

/** The bucket of a duration; what lies outside of the range goes to its first or last one. */
export function bucketOf(us: number): number {
  return us > 1 ? Math.min(BUCKETS - 1, Math.floor(Math.log2(us) * BUCKETS_PER_DOUBLING)) : 0;
}

/** The histogram of counts by bucket, as whoever measures keeps them. */
export function toHistogram(counts: ArrayLike<number>): number[] {
  const pairs: number[] = [];
  let next = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    if (counts[bucket] === 0) continue;
    pairs.push(bucket - next, counts[bucket]!);
    next = bucket + 1;
  }
  return pairs;
}

const count = z.int().nonnegative();
const DurationPairs = z.array(count).max(2 * BUCKETS);

/** Of one component of one version: requests that a trigger began. The counts add up over time and nodes. */
export const VersionSample = z.strictObject({
  version: VersionNumber,
  component: z.string().min(1).max(64),
  started: count,
  /** Those that ended or grew overdue. */
  requests: count,
  /** Of those: 500 and above, traps, limits, overdue, lost with their runner. */
  errors: count,
  traps: count,
  limits: count,
  overdue: count,
  latency: DurationPairs,
  cpu: DurationPairs,
  /** By group: requests, errors, and how many are among the slowest twentieth of the version. */
  groups: z.array(count).length(3 * GROUPS),
});
export type VersionSample = z.infer<typeof VersionSample>;

export const NodeSamples = z.strictObject({
  /** The start of the node. */
  incarnation: z.string().min(1).max(64),
  /** Counts 1, 2, 3 within it. */
  seq: z.int().min(1),
  channels: z.array(z.strictObject({ app: AppName, channel: ChannelName, samples: z.array(VersionSample).max(256), shadow: ShadowReport.optional() })).max(10_000),
});
export type NodeSamples = z.infer<typeof NodeSamples>;
