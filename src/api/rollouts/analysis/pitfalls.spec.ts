import { describe, expect, it } from '@jest/globals';
import { OVERDUE_MS, toHistogram } from '#contract/samples.js';
import { intervalOf } from '../../../../bench/canary/interval.mjs';
import { rollout } from '../../../../bench/canary/rollout.mjs';
import { type Settings } from '../../../../bench/canary/world.mjs';
import { divisionOf } from './lump.js';
import { observe } from './observe.js';
import { AnalysisPolicy, DEFAULT_POLICY } from './policy.js';
import { type AnalysisState, begin, enterStep, type Subject } from './state.js';
import { beginSteps, next } from './steps.js';
import { parseStrategy } from './strategy.js';
import { verdict } from './verdict.js';

/** The ways in which rollouts are judged wrongly. Worlds are simulated: `bench/canary/world.mjs`; the seed of a round is its number. */

const product = { toHistogram, begin, enterStep, observe, verdict, beginSteps, next, parseStrategy };
const SUBJECT = { candidate: 2, baseline: 1 };

interface Options { subject?: Partial<Pick<Subject, 'components' | 'sticky'>>; teachS?: number; atMost?: number; strategy?: string }
const rounds = (count: number, settings: Settings, options: Options = {}): ReturnType<typeof rollout>[] =>
  Array.from({ length: count }, (_, seed) => rollout(product, settings, seed + 1, { policy: DEFAULT_POLICY, ...options }));
const failed = (all: ReturnType<typeof rollout>[]): number => all.filter(({ state }) => state === 'rolled_back').length;
const promoted = (all: ReturnType<typeof rollout>[]): number => all.filter(({ state }) => state === 'promoted').length;

type Arms = Omit<Parameters<typeof intervalOf>[1], 'source' | 'atMs'>;
/** Exact counts, one interval a second. */
function judge(seconds: Arms[], policy = DEFAULT_POLICY, from = 0, state: AnalysisState = begin(policy, SUBJECT)): AnalysisState {
  return seconds.reduce((sum, arms, i) => observe(sum, intervalOf(from + i + 1, arms)), state);
}
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

describe('the thirteen pitfalls', () => {
  it('1, Simpson: an outage of both while the candidate has half of the requests does not convict it, though added up it looks far worse', () => {
    const quiet = { candidate: { requests: 10 }, baseline: { requests: 90 } };
    const outage = { candidate: { requests: 50, errors: 15 }, baseline: { requests: 50, errors: 15 } };
    const state = judge([...times(60, quiet), ...times(30, outage)]);
    const { candidate, baseline } = verdict(state, 90_000).figures[0]!;
    expect(candidate.errorRatio! / baseline.errorRatio!).toBeGreaterThan(2.9);
    expect(state.failed).toBeNull();
    expect(failed(rounds(8, { outages: true, bursts: true }, { atMost: 90 }))).toBe(0);
  });

  it('2, sticky clients: where clients stay with a version, how much clients differ is taken off, and clients alike cost nothing', () => {
    const world = { clients: 500, sticky: true };
    const untold = rounds(20, world, { teachS: 120, atMost: 70 });
    const told = rounds(20, world, { teachS: 120, atMost: 70, subject: { sticky: true } });
    expect(failed(untold)).toBeGreaterThan(2 * failed(told));
    expect(failed(told)).toBeLessThanOrEqual(1);
    expect(promoted(rounds(5, { ...world, alike: true }, { teachS: 120, subject: { sticky: true } }))).toBe(5);
    expect(failed(rounds(5, { clients: 500 }))).toBe(0);
  });

  it('3, lumps: errors that come five at a time are not five faults', () => {
    const all = rounds(6, { errors: 0.01, lump: 5 }, { teachS: 120, atMost: 70 });
    expect(failed(all)).toBe(0);
    const { lump } = all[0]!.analysis.units[0]!;
    expect(divisionOf(lump, { sticky: false, candidateRequests: 0 }).rates).toBeGreaterThan(3);
  });

  it('4, lost answers: a candidate that hangs is found by its overdue requests, and before that does not pass', () => {
    for (const each of rounds(5, { fault: { hang: 1 } })) {
      expect(each.state).toBe('rolled_back');
      expect(each.atS * 1_000).toBeLessThanOrEqual(OVERDUE_MS + 3_000);
    }
    const silent = judge(times(4, { candidate: { started: 20, requests: 0 }, baseline: { requests: 180 } }));
    expect(verdict(silent, 4_000)).toMatchObject({ verdict: 'insufficient-data', reasons: [{ code: 'unanswered', message: '80 of 80 requests to version 2 have no answer yet' }, { code: 'no-requests', message: 'version 2 has had no request to its end in this step' }] });
  });

  it('5, choosing by outcomes: blocks are closed by counts alone, limits come from earlier blocks, the policy is that of the beginning', () => {
    const well = { candidate: { requests: 2 }, baseline: { requests: 2 } };
    const ill = { candidate: { requests: 2, errors: 2 }, baseline: { requests: 2, errors: 2 } };
    for (const seconds of [1, 2, 3, 4, 5]) {
      const [a, b] = [judge(times(seconds, well)), judge(times(seconds, ill))];
      expect(a.units[0]!.closedMs).toBe(b.units[0]!.closedMs);
      expect(a.units[0]!.open.candidate.requests).toBe(b.units[0]!.open.candidate.requests);
    }
    const slow = [300, 2];
    const before = judge(times(10, { baseline: { requests: 50, latency: [200, 50] } }));
    const during = judge([{ candidate: { requests: 2, latency: slow }, baseline: { requests: 2, latency: slow } }], DEFAULT_POLICY, 10, before);
    expect(during.units[0]!.learned).toEqual(before.units[0]!.learned);
    expect(during.policy).toBe(before.policy);
  });

  it('6, evidence that begins anew: a restart, another step and an interval sent twice change nothing of what speaks against a version', () => {
    const bad = { candidate: { requests: 10, errors: 1 }, baseline: { requests: 90, errors: 2 } };
    const straight = judge(times(12, bad));
    let restarted = begin(DEFAULT_POLICY, SUBJECT);
    for (let second = 1; second <= 12; second++) {
      restarted = JSON.parse(JSON.stringify(observe(restarted, intervalOf(second, bad)))) as AnalysisState;
      restarted = observe(restarted, intervalOf(second, bad));
      restarted = observe(restarted, intervalOf(Math.max(1, second - 3), bad));
    }
    expect(restarted).toEqual(straight);
    const half = judge(times(6, bad));
    const stepped = judge(times(6, bad), DEFAULT_POLICY, 6, enterStep(half, 6_000));
    expect(stepped.units[0]!.harm).toEqual(straight.units[0]!.harm);
    expect(stepped.failed).toEqual(straight.failed);
  });

  it('7, a pass is no end: a fault that begins after it is found', () => {
    const all = rounds(5, { onsetS: 45, fault: { errors: 0.2 } });
    expect(all.map(({ state, percent }) => [state, percent])).toEqual(times(5, ['rolled_back', 50]));
    for (const { atS } of all) expect(atS).toBeLessThanOrEqual(50);
  });

  it('8, the grey zone: what is tolerated is not rolled back, what is to be refused is not promoted, and between them either may come', () => {
    expect(failed(rounds(6, { fault: { errors: 0.0022 } }))).toBe(0);
    expect(promoted(rounds(6, { fault: { errors: 0.0125 } }, { atMost: 300 }))).toBe(0);
  });

  it('9, few requests: they prove nothing, which is said; the rollout pauses', () => {
    const [{ state, verdict: said, progress }] = rounds(1, { rate: 2 }, { atMost: 800 }) as [ReturnType<typeof rollout>];
    expect(state).toBe('paused');
    expect(said.verdict).toBe('insufficient-data');
    expect(progress.reason).toMatch(/version 2 has had \d+ of at least 100 requests in this step; errors: not enough requests yet/);
  });

  it('10, an error that the baseline never has: a handful of them is enough at a small share, and more are needed at a large one', () => {
    const needed = (candidate: number, baseline: number): number => {
      let state = judge(times(20, { candidate: { requests: candidate }, baseline: { requests: baseline } }));
      let errors = 0;
      while (!state.failed) state = judge([{ candidate: { requests: candidate, errors: 1 }, baseline: { requests: baseline } }], DEFAULT_POLICY, 20 + errors++, state);
      return errors;
    };
    expect(needed(10, 90)).toBeLessThanOrEqual(8);
    expect(needed(50, 50)).toBeGreaterThan(needed(10, 90));
  });

  it('11, different machines: where the candidate is on the slow node alone, it is compared with the baseline of that node', () => {
    expect(promoted(rounds(4, { slowNodes: { 0: 3 }, candidateNodes: [0] }))).toBe(4);
    let apart = begin(DEFAULT_POLICY, SUBJECT);
    for (let second = 1; second <= 60; second++) {
      apart = observe(apart, intervalOf(second, { source: 'slow', candidate: { requests: 50, errors: 20 } }));
      apart = observe(apart, intervalOf(second, { source: 'quick', baseline: { requests: 50 } }));
    }
    expect(verdict(apart, 60_000)).toMatchObject({ verdict: 'insufficient-data', reasons: [{ code: 'one-sided-nodes' }] });
  });

  it('12, a candidate that harms both: nothing is seen beside the other, so nobody is blamed, and nothing goes on', () => {
    const before = judge(times(30, { baseline: { requests: 200 } }));
    const state = judge(times(40, { candidate: { requests: 20, errors: 8 }, baseline: { requests: 180, errors: 72 } }), DEFAULT_POLICY, 30, before);
    const said = verdict(state, 70_000);
    expect(said.verdict).toBe('insufficient-data');
    expect(said.reasons).toContainEqual({ code: 'both-failing', message: 'both versions together fail 39 % of requests now, 0 % before the rollout' });
  });

  it('13, a candidate whose every request fails: no fixed stop is needed, it has failed by its fifth', () => {
    let state = judge(times(5, { baseline: { requests: 50 } }));
    let requests = 0;
    while (!state.failed) {
      state = judge([{ candidate: { requests: 1, errors: 1 }, baseline: { requests: 9 } }], DEFAULT_POLICY, 5 + requests, state);
      requests++;
    }
    expect(requests).toBeLessThanOrEqual(6);
    expect(AnalysisPolicy.parse({ minRequests: 1_000_000 }).minRequests).toBeGreaterThan(requests);
  });
});
