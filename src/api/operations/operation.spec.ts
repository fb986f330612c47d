import { describe, expect, it } from '@jest/globals';
import { cannotCancel, type RolloutFacts, stateOfRollout, stepsOfRollout } from './operation.js';

const at = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
const facts: RolloutFacts = { rollout: 1, state: 'progressing', phase: 'preparing', generation: null, steps: [], failure: null, asked: false, decidedAt: null, createdAt: at(0), endedAt: null };
const step = (index: number, percent: number, askedAt: string, servedAt: string | null) => ({ step: index, percent, askedAt, servedAt, approvedBy: null });

describe(stateOfRollout.name, () => {
  it.each([['progressing', 'running'], ['paused', 'running'], ['promoted', 'succeeded'], ['rolled_back', 'failed'], ['aborted', 'cancelled']] as const)('takes %s for %s', (state, expected) => {
    expect(stateOfRollout({ state })).toBe(expected);
  });
});

describe(stepsOfRollout.name, () => {
  it('ends each step where the next one begins', () => {
    const steps = stepsOfRollout({ ...facts, steps: [step(0, 10, at(1), at(2)), step(1, 100, at(32), at(33))], endedAt: at(33) });
    expect(steps.map(({ name, startedAt, endedAt }) => [name, startedAt, endedAt])).toEqual([
      ['prepare', at(0), at(1)], ['switch', at(1), at(2)], ['hold', at(2), at(32)], ['switch', at(32), at(33)],
    ]);
  });

  it('begins with an approval where one is asked for, and prepares nothing before it', () => {
    expect(stepsOfRollout({ ...facts, asked: true }).map(({ name, endedAt }) => [name, endedAt])).toEqual([['approve', null]]);
    expect(stepsOfRollout({ ...facts, asked: true, decidedAt: at(5) }).map(({ name, endedAt }) => [name, endedAt])).toEqual([['approve', at(5)], ['prepare', null]]);
  });

  it('leaves no step under way when it has ended', () => {
    for (const steps of [[], [step(0, 10, at(1), null)], [step(0, 10, at(1), at(2))]]) expect(stepsOfRollout({ ...facts, steps, endedAt: at(9) }).at(-1)!.endedAt).toBe(at(9));
  });
});

describe(cannotCancel.name, () => {
  it('says why: it has ended, or its kind cannot be', () => {
    expect(cannotCancel({ kind: 'deploy', state: 'running' }, true)).toBeUndefined();
    expect(cannotCancel({ kind: 'deploy', state: 'succeeded' }, true)?.code).toBe('API_OPERATION_ENDED');
    expect(cannotCancel({ kind: 'collect', state: 'running' }, false)?.code).toBe('API_OPERATION_NOT_CANCELLABLE');
  });
});
