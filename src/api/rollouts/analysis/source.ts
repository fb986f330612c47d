import { z } from 'zod';
import type { AnalysisPolicy } from './policy.js';

/** What is known of where intervals come from: a node and its start. */

export const Counts = z.strictObject({ candidate: z.number(), baseline: z.number() });
export type Counts = z.infer<typeof Counts>;

export const Source = z.strictObject({
  seq: z.int().nonnegative(),
  candidateSinceMs: z.int().nonnegative().nullable().describe('When its first request to the new version was.'),
  candidateRequests: z.int().nonnegative(),
  lately: Counts.describe('Requests in this step; of the last few hundred when there are more.'),
});
export type Source = z.infer<typeof Source>;

const LATELY = 400;
/** A source is out of line when it should have had so many requests to one version and has had less than a quarter. */
const EXPECTED_LEAST = 10;
const QUARTER = 0.25;

/** The source after one of its intervals. */
export function nextSource(known: Source | undefined, { seq, atMs }: { seq: number; atMs: number }, counts: Counts): Source {
  const before = known ?? { candidateSinceMs: null, candidateRequests: 0, lately: { candidate: 0, baseline: 0 } };
  return {
    seq,
    candidateSinceMs: before.candidateSinceMs ?? (counts.candidate > 0 ? atMs : null),
    candidateRequests: before.candidateRequests + counts.candidate,
    lately: addLately(before.lately, counts),
  };
}

/** Adds requests, and lets go of older ones when there are many. */
export function addLately(lately: Counts, counts: Counts, most = LATELY): Counts {
  const [candidate, baseline] = [lately.candidate + counts.candidate, lately.baseline + counts.baseline];
  const kept = Math.min(1, most / Math.max(1, candidate + baseline));
  return { candidate: candidate * kept, baseline: baseline * kept };
}

/**
 * Whether a source's requests went to both versions as everybody's did. Where all of them went to one version, what they say of it may be said of the
 * node: they are left out. It looks at where requests went, not at how they ended.
 * @param all requests of all sources in this step
 */
export function isMixed({ lately }: Source, all: Counts): boolean {
  if (lately.candidate === 0 || lately.baseline === 0) return false;
  const own = lately.candidate + lately.baseline;
  return (['candidate', 'baseline'] as const).every((arm) => {
    const expected = (own * all[arm]) / (all.candidate + all.baseline);
    return expected < EXPECTED_LEAST || lately[arm] >= QUARTER * expected;
  });
}

/** Whether durations of its requests to the new version count. */
export function isWarm({ candidateSinceMs, candidateRequests }: Source, { warmUpMs, warmUpRequests }: AnalysisPolicy, atMs: number): boolean {
  return candidateSinceMs !== null && candidateRequests > warmUpRequests && atMs - candidateSinceMs >= warmUpMs;
}
