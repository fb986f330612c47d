import { logMean, logSum } from './e-value.js';

/**
 * When an e-process bets. Two thirds of the stake are put on faults that are there from the start, the rest on faults that come later: after
 * `HALF_LATE_MS` half of that rest, after three times that three quarters, and so on, so that there is always something left to bet.
 */
const LATE = 1 / 3;
const HALF_LATE_MS = 300_000;

/** What has not been bet at an age. */
function restAt(ageMs: number): number {
  return (LATE * HALF_LATE_MS) / (HALF_LATE_MS + ageMs);
}

/** The processes of the bets of one signal, before the first block. */
export function newBets(count: number): number[] {
  return Array.from({ length: count }, () => Math.log(1 - LATE));
}

/**
 * The bets after one block.
 * @param increments log e-values of the block, one for each
 * @param age of the processes in ms, before and after the block
 */
export function stepBets(bets: readonly number[], increments: readonly number[], age: { fromMs: number; toMs: number }): number[] {
  const added = restAt(age.fromMs) - restAt(age.toMs);
  const stake = added > 0 ? Math.log(added) : -Infinity;
  return bets.map((bet, i) => logSum([bet, stake]) + increments[i]!);
}

/** log of what the bets have come to, the stake not yet bet included. It is 0 at first. */
export function logWealth(bets: readonly number[], ageMs: number): number {
  return logSum([logMean(bets), Math.log(restAt(ageMs))]);
}
