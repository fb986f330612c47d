import { BUCKETS } from '#contract/samples.js';
import { logMean, logShareE, logSoundE } from './e-value.js';
import { bucketsOfFactor, countAbove, quantileBucket, totalOf } from './histogram.js';
import { type BlockArms, LEARNED_LEAST, rateBlock, shareAbove, type Terms, toleratedBucket } from './harm.js';
import { type AnalysisPolicy, DURATIONS, RATES, type Signal } from './policy.js';

/** The evidence that the new version is sound: that it is not clearly worse. Every signal has to be shown by itself. */
export type Proof = Partial<Record<Signal, number[][]>>;

/** Factors for each event of the candidate; the smaller, the sooner a version without events passes, and the longer one with some takes. */
const KEEPS = [0.02, 0.25, 0.6, 0.85];
const LEVELS = [0.5, 0.9];
const ODDS = [1.3, 2, 4];

export function newProof(policy: AnalysisPolicy): Proof {
  const proof: Proof = {};
  for (const rate of RATES) if (policy[rate].judge) proof[rate] = [KEEPS.map(() => 0)];
  for (const duration of DURATIONS) if (policy[duration].judge) proof[duration] = LEVELS.map(() => ODDS.map(() => 0));
  return proof;
}

/** @param settled whether the step has gone on for some time: right after a change of shares the answers that come first are the quick ones, too good a witness */
export function stepProof(proof: Proof, arms: BlockArms, { policy, learned, division }: Terms, settled: boolean): Proof {
  const next: Proof = {};
  for (const rate of RATES) {
    const logs = proof[rate]?.[0];
    if (!logs) continue;
    const bound = { factor: policy[rate].refused, slack: policy[rate].refusedSlack };
    const block = rateBlock(arms, rate);
    next[rate] = [logs.map((log, i) => log + logSoundE(block, KEEPS[i]!, bound) / division.rates)];
  }
  for (const duration of DURATIONS) {
    const levels = proof[duration];
    if (!levels) continue;
    const usual = learned[duration];
    if (!settled || totalOf(usual) < LEARNED_LEAST) {
      next[duration] = levels;
      continue;
    }
    next[duration] = levels.map((logs, i) => {
      const limit = quantileBucket(usual, LEVELS[i]!);
      const moved = Math.min(BUCKETS - 1, Math.max(limit + bucketsOfFactor(policy[duration].refused), toleratedBucket(limit, policy[duration]) + 1));
      // The arms change sides: what is to be refuted is that the candidate is above the higher limit as often as the baseline above its own.
      const block = {
        candidate: { requests: totalOf(arms.baseline[duration]), events: countAbove(arms.baseline[duration], limit) },
        baseline: { requests: totalOf(arms.candidate[duration]), events: countAbove(arms.candidate[duration], moved) },
      };
      const share = shareAbove(usual, moved);
      return logs.map((log, k) => log + logShareE(block, ODDS[k]!, share) / division.durations);
    });
  }
  return next;
}

/** The signals that are not shown yet, each with how far it is: 0 nothing, 1 shown. */
export function unprovenOf(proof: Proof, missed: number): { signal: Signal; progress: number }[] {
  return (Object.keys(proof) as Signal[])
    .map((signal) => ({ signal, progress: Math.min(...proof[signal]!.map(logMean)) / Math.log(1 / missed) }))
    .filter(({ progress }) => progress < 1)
    .map(({ signal, progress }) => ({ signal, progress: Math.max(0, progress) }));
}
