import { bucketOf, BUCKETS } from '#contract/samples.js';
import { type Block, logRateE, logShareE, logSum } from './e-value.js';
import { bucketsOfFactor, countAbove, type Histogram, middleUs, quantileBucket, totalOf } from './histogram.js';
import type { Division } from './lump.js';
import { type AnalysisPolicy, type Duration, DURATIONS, type Rate, RATES, type Signal } from './policy.js';
import { logWealth, newBets, stepBets } from './stake.js';

/** The evidence that the new version is worse than tolerated: for each signal and level bets on several sizes of the fault. */
export type Harm = Partial<Record<Signal, number[][]>>;

/** Shares of the chance of a false alarm. Traps and limits are errors too, and found as such; by themselves they matter where errors are usual. */
const WEIGHTS: Record<Signal, number> = { errors: 0.4, traps: 0.05, limits: 0.05, latency: 0.4, cpu: 0.1 };

/** What is bet on: rates of so many times what is tolerated. */
const LIFTS = [1.5, 3, 10, 100];

/** Requests above the baseline's quantiles: weight within the signal, and the odds ratios that are bet on. The higher, the sooner a slow tail is found. */
export const LEVELS = [
  { level: 0.5, weight: 0.2, odds: [1.3, 2, 6] },
  { level: 0.95, weight: 0.1, odds: [1.5, 3, 10] },
  { level: 0.99, weight: 0.3, odds: [2, 5] },
  { level: 0.999, weight: 0.4, odds: [5, 25] },
] as const;

/** Requests of the baseline before there is a limit to hold the candidate's against. */
export const LEARNED_LEAST = 200;

/** What is compared of both, once there is enough of each. */
export interface BlockArms {
  candidate: { requests: number } & Record<Rate, number> & Record<Duration, Histogram>;
  baseline: { requests: number } & Record<Rate, number> & Record<Duration, Histogram>;
}

export function newHarm(policy: AnalysisPolicy): Harm {
  const harm: Harm = {};
  for (const rate of RATES) if (policy[rate].judge) harm[rate] = [newBets(LIFTS.length)];
  for (const duration of DURATIONS) if (policy[duration].judge) harm[duration] = LEVELS.map(({ odds }) => newBets(odds.length));
  return harm;
}

/** What the bets of one block are made with; all of it known before the block. */
export interface Terms {
  policy: AnalysisPolicy;
  learned: Record<Duration, Histogram>;
  division: Division;
}

/** @param age in ms, before and after the block */
export function stepHarm(harm: Harm, arms: BlockArms, { policy, learned, division }: Terms, age: { fromMs: number; toMs: number }): Harm {
  const next: Harm = {};
  for (const rate of RATES) {
    const bets = harm[rate]?.[0];
    if (!bets) continue;
    const bound = { factor: policy[rate].tolerated, slack: policy[rate].toleratedSlack };
    const block = rateBlock(arms, rate);
    next[rate] = [stepBets(bets, LIFTS.map((lift) => logRateE(block, lift, bound) / division.rates), age)];
  }
  for (const duration of DURATIONS) {
    const levels = harm[duration];
    if (!levels) continue;
    const usual = learned[duration];
    const known = totalOf(usual) >= LEARNED_LEAST;
    next[duration] = levels.map((bets, i) => {
      const { level, odds } = LEVELS[i]!;
      if (!known) return stepBets(bets, odds.map(() => 0), age);
      const limit = quantileBucket(usual, level);
      const share = shareAbove(usual, limit);
      const block = durationBlock(arms, duration, limit, toleratedBucket(limit, policy[duration]));
      return stepBets(bets, odds.map((each) => logShareE(block, each, share) / division.durations), age);
    });
  }
  return next;
}

/** log of the evidence of each signal, weighted: their sum counts against the chance of a false alarm. */
export function harmBySignal(harm: Harm, ageMs: number): { signal: Signal; log: number }[] {
  const signals = Object.keys(harm) as Signal[];
  const all = signals.reduce((sum, signal) => sum + WEIGHTS[signal], 0);
  return signals.map((signal) => {
    const wealth = harm[signal]!.map((bets, i) => logWealth(bets, ageMs) + (harm[signal]!.length > 1 ? Math.log(LEVELS[i]!.weight) : 0));
    return { signal, log: Math.log(WEIGHTS[signal] / all) + logSum(wealth) };
  });
}

export function rateBlock({ candidate, baseline }: BlockArms, rate: Rate): Block {
  return { candidate: { requests: candidate.requests, events: candidate[rate] }, baseline: { requests: baseline.requests, events: baseline[rate] } };
}

/** The requests above one limit for the candidate, and above another for the baseline. */
function durationBlock({ candidate, baseline }: BlockArms, duration: Duration, limit: number, moved: number): Block {
  return {
    candidate: { requests: totalOf(candidate[duration]), events: countAbove(candidate[duration], moved) },
    baseline: { requests: totalOf(baseline[duration]), events: countAbove(baseline[duration], limit) },
  };
}

/** Where the candidate's requests begin to count as slow, given where the baseline's do. */
export function toleratedBucket(limit: number, { tolerated, toleratedSlackMs }: { tolerated: number; toleratedSlackMs: number }): number {
  return Math.min(BUCKETS - 1, Math.max(limit + bucketsOfFactor(tolerated), bucketOf(middleUs(limit) + toleratedSlackMs * 1_000)));
}

/** The share of the past above a bucket, kept from 0 and 1 where nothing can be bet. */
export function shareAbove(past: Histogram, bucket: number): number {
  return Math.min(0.98, Math.max(1e-4, (countAbove(past, bucket) + 0.5) / (totalOf(past) + 1)));
}
