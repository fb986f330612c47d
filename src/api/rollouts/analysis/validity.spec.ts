import { describe, expect, it } from '@jest/globals';
import { toHistogram } from '#contract/samples.js';
import { newRandom, poisson, World } from '../../../../bench/canary/world.mjs';
import { observe } from './observe.js';
import { AnalysisPolicy } from './policy.js';
import { begin, enterStep } from './state.js';
import { logWealth, newBets, stepBets } from './stake.js';
import { verdict } from './verdict.js';

const seed = Number(process.env['ANALYSIS_SEED'] ?? Date.now() % 2 ** 31);

/** How many of so many tries may come out at a chance of `share`, but for once in several thousand runs. */
const most = (tries: number, share: number): number => tries * share + 4 * Math.sqrt(tries * share * (1 - share));

describe(`looking at every interval and stopping at the worst (ANALYSIS_SEED=${seed})`, () => {
  const chance = newRandom(seed);

  it('finds fault with a version at the very edge of what is tolerated no more often than was promised', () => {
    const policy = AnalysisPolicy.parse({ falseAlarms: 0.1 });
    const rounds = 80;
    let alarms = 0;
    for (let round = 0; round < rounds; round++) {
      const errors = 10 ** (-3 * chance());
      const world = new World(
        { rate: 20 + 200 * chance(), nodes: 1 + Math.floor(3 * chance()), errors, fault: { errors: Math.min(1, 1.25 * (errors + 0.001)), latency: 1.08 }, outages: chance() < 0.5, bursts: chance() < 0.5 },
        Math.floor(chance() * 2 ** 31), toHistogram,
      );
      let state = begin(policy, { candidate: 2, baseline: 1 });
      for (let second = 0; second < 10; second++) for (const interval of world.second(0)) state = observe(state, interval);
      for (let second = 0; second < 60 && !state.failed; second++) {
        if (second % 20 === 0) state = enterStep(state, world.t * 1_000);
        for (const interval of world.second([5, 20, 50][Math.floor(second / 20)]!)) state = observe(state, interval);
      }
      if (verdict(state, world.t * 1_000).verdict === 'fail') alarms++;
    }
    expect(alarms).toBeLessThanOrEqual(most(rounds, 0.1));
  });

  it('passes a version at the edge of what is refused no more often than was promised', () => {
    const policy = AnalysisPolicy.parse({ missed: 0.2, falseAlarms: 0.0001, minRequests: 0, latency: { judge: false }, cpu: { judge: false } });
    const rounds = 80;
    let passed = 0;
    for (let round = 0; round < rounds; round++) {
      const errors = 0.02 * chance();
      const world = new World({ rate: 300, nodes: 1, errors, traps: 0, limits: 0, fault: { errors: 1.5 * errors + 0.0101 } }, Math.floor(chance() * 2 ** 31), toHistogram);
      let state = begin(policy, { candidate: 2, baseline: 1 });
      let ever = false;
      for (let second = 0; second < 30 && !state.failed && !ever; second++) {
        for (const interval of world.second(30)) state = observe(state, interval);
        ever = verdict(state, world.t * 1_000).verdict === 'pass';
      }
      if (ever) passed++;
    }
    expect(passed).toBeLessThanOrEqual(most(rounds, 0.2));
  });

  it('keeps what has not been bet, and what was bet on nothing, at 1', () => {
    let bets = newBets(3);
    let ageMs = 0;
    expect(logWealth(bets, ageMs)).toBeCloseTo(0, 12);
    for (let i = 0; i < 50; i++) {
      const toMs = ageMs + poisson(chance, 20_000);
      bets = stepBets(bets, [0, 0, 0], { fromMs: ageMs, toMs });
      ageMs = toMs;
      expect(logWealth(bets, ageMs)).toBeCloseTo(0, 12);
    }
  });

  it('still has something to bet on a fault after hours of soundness', () => {
    let bets = newBets(1);
    const hoursMs = 6 * 3_600_000;
    for (let ms = 0; ms < hoursMs; ms += 1_000) bets = stepBets(bets, [-0.1], { fromMs: ms, toMs: ms + 1_000 });
    for (let ms = hoursMs; ms < hoursMs + 30_000; ms += 1_000) bets = stepBets(bets, [1.5], { fromMs: ms, toMs: ms + 1_000 });
    expect(logWealth(bets, hoursMs + 30_000)).toBeGreaterThan(Math.log(1 / 0.01));
  });
});
