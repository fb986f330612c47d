import { describe, expect, it } from '@jest/globals';
import { type Block, logMean, logRateE, logShareE, logSoundE, logSum } from './e-value.js';

/** Chances of 0 to n events. */
function binomial(n: number, p: number): number[] {
  const chances = [(1 - p) ** n];
  for (let k = 1; k <= n; k++) chances.push(p >= 1 ? Number(k === n) : (chances[k - 1]! * (n - k + 1) * p) / (k * (1 - p)));
  return chances;
}

/** The expectation of an e-value over everything that a block can come to. */
function expectation(sizes: { candidate: number; baseline: number }, rates: { candidate: number; baseline: number }, logE: (block: Block) => number): number {
  const [candidate, baseline] = [binomial(sizes.candidate, Math.min(1, rates.candidate)), binomial(sizes.baseline, rates.baseline)];
  let sum = 0;
  for (const [x, chance] of candidate.entries()) {
    for (const [y, other] of baseline.entries()) {
      sum += chance * other * Math.exp(logE({ candidate: { requests: sizes.candidate, events: x }, baseline: { requests: sizes.baseline, events: y } }));
    }
  }
  return sum;
}

const SIZES = [[1, 1], [3, 30], [10, 90], [50, 50], [5, 200], [60, 20]].map(([candidate, baseline]) => ({ candidate: candidate!, baseline: baseline! }));
const RATES = [0, 0.0001, 0.01, 0.1, 0.3, 0.6];
const SLIGHTLY_MORE = 1 + 1e-9;

describe('e-values', () => {
  it.each(SIZES)('expect at most 1 of a rate within tolerance, $candidate of the candidate beside $baseline', (sizes) => {
    for (const baseline of RATES) {
      for (const lift of [1.5, 3, 10, 100]) {
        for (const bound of [{ factor: 1.25, slack: 0.001 }, { factor: 1, slack: 0 }, { factor: 2, slack: 0.05 }]) {
          for (const part of [1, 0.6]) {
            const candidate = part * bound.factor * (baseline + bound.slack);
            expect(expectation(sizes, { candidate, baseline }, (block) => logRateE(block, lift, bound))).toBeLessThanOrEqual(SLIGHTLY_MORE);
          }
        }
      }
    }
  });

  it.each(SIZES)('expect at most 1 of a rate that is to be refused, $candidate beside $baseline', (sizes) => {
    for (const baseline of RATES) {
      for (const keep of [0.02, 0.25, 0.6, 0.85]) {
        for (const more of [1, 1.3]) {
          const bound = { factor: 1.5, slack: 0.01 };
          const candidate = more * (bound.factor * baseline + bound.slack);
          expect(expectation(sizes, { candidate, baseline }, (block) => logSoundE(block, keep, bound))).toBeLessThanOrEqual(SLIGHTLY_MORE);
        }
      }
    }
  });

  it.each(SIZES)('expect at most 1 of equal or smaller shares, whatever was guessed of them, $candidate beside $baseline', (sizes) => {
    for (const baseline of RATES) {
      for (const odds of [1.3, 5, 25]) {
        for (const guess of [0.001, 0.1, 0.5, 0.9]) {
          for (const part of [1, 0.7]) expect(expectation(sizes, { candidate: part * baseline, baseline }, (block) => logShareE(block, odds, guess))).toBeLessThanOrEqual(SLIGHTLY_MORE);
        }
      }
    }
  });

  it('says nothing of a block that has requests of one version alone', () => {
    const block: Block = { candidate: { requests: 5, events: 5 }, baseline: { requests: 0, events: 0 } };
    expect([logRateE(block, 3, { factor: 1, slack: 0 }), logSoundE(block, 0.5, { factor: 1, slack: 0.1 }), logShareE(block, 3, 0.1)]).toEqual([0, 0, 0]);
  });

  it('adds logarithms of any size', () => {
    expect(logSum([1_000, 1_000])).toBeCloseTo(1_000 + Math.log(2), 12);
    expect(logSum([-Infinity, -Infinity])).toBe(-Infinity);
    expect(logMean([Math.log(4), Math.log(2)])).toBeCloseTo(Math.log(3), 12);
  });
});
