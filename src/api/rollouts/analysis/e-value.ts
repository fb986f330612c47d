/**
 * E-values of one block: numbers whose expectation is at most 1 as long as the new version (candidate) is no worse than tolerated, whatever the rates
 * are and however they change from block to block. So a product of them reaches 1/α with a probability of α at most, whenever and
 * however often one looks (Ville). All are logarithms. Proofs: docs/adr/0027-judging-a-rollout.md; the specs check them by enumeration.
 */

/** Requests of both arms at the same time, and of those the ones that count as events. */
export interface Block {
  candidate: { requests: number; events: number };
  baseline: { requests: number; events: number };
}

/**
 * For rare events (errors, traps, limits). Holds `p(candidate) <= factor * (p(baseline) + slack)` to be true.
 * @param lift what it bets on: the candidate's rate, as a multiple (above 1) of that bound
 */
export function logRateE({ candidate, baseline }: Block, lift: number, { factor, slack }: { factor: number; slack: number }): number {
  if (candidate.requests === 0 || baseline.requests === 0) return 0;
  const weighted = factor * candidate.requests;
  const shrink = (baseline.requests + weighted) / (baseline.requests + weighted * lift);
  return candidate.events * Math.log(lift * shrink) + baseline.events * Math.log(shrink) - slack * baseline.requests * (1 - shrink);
}

/**
 * The reverse, for proving a candidate sound. Holds `p(candidate) >= factor * p(baseline) + slack` to be true: that it IS clearly worse.
 * @param keep between 0 and 1: the factor for each event of the candidate
 */
export function logSoundE({ candidate, baseline }: Block, keep: number, { factor, slack }: { factor: number; slack: number }): number {
  if (candidate.requests === 0 || baseline.requests === 0) return 0;
  const grow = 1 + factor * (candidate.requests / baseline.requests) * (1 - keep);
  return candidate.events * Math.log(keep) + baseline.events * Math.log(grow) + slack * candidate.requests * (1 - keep);
}

/**
 * For shares of any size (requests above a limit). Holds `p(candidate) <= p(baseline)` to be true (Turner, Ly, Grünwald, arXiv 2106.02693).
 * @param odds what it bets on: the odds ratio, above 1
 * @param share what the baseline's share is guessed to be from earlier blocks; a wrong guess costs time, not validity
 */
export function logShareE({ candidate, baseline }: Block, odds: number, share: number): number {
  if (candidate.requests === 0 || baseline.requests === 0) return 0;
  const worse = (odds * share) / (1 - share + odds * share);
  const pooled = (candidate.requests * worse + baseline.requests * share) / (candidate.requests + baseline.requests);
  return (
    candidate.events * Math.log(worse / pooled)
    + (candidate.requests - candidate.events) * (Math.log1p(-worse) - Math.log1p(-pooled))
    + baseline.events * Math.log(share / pooled)
    + (baseline.requests - baseline.events) * (Math.log1p(-share) - Math.log1p(-pooled))
  );
}

/** log(sum(exp(values))) without overflow; of none it is -Infinity. */
export function logSum(values: readonly number[]): number {
  const top = Math.max(...values);
  if (top === -Infinity) return top;
  let sum = 0;
  for (const value of values) sum += Math.exp(value - top);
  return top + Math.log(sum);
}

/** log of the mean. */
export function logMean(values: readonly number[]): number {
  return logSum(values) - Math.log(values.length);
}
