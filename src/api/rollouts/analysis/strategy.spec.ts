import { describe, expect, it } from '@jest/globals';
import { formatStrategy, parseStrategy, RolloutStrategy } from './strategy.js';

describe(parseStrategy.name, () => {
  it.each([
    ['now', { kind: 'now' }],
    ['shadow', { kind: 'shadow', percent: 100, pause: { forMs: 60_000 }, steps: [] }],
    ['shadow@5m', { kind: 'shadow', percent: 100, pause: { forMs: 300_000 }, steps: [] }],
    ['shadow:0.5', { kind: 'shadow', percent: 0.5, pause: { forMs: 60_000 }, steps: [] }],
    ['shadow:20@manual', { kind: 'shadow', percent: 20, pause: 'manual', steps: [] }],
    ['shadow:20@5m,steps:10@30s,50@manual', { kind: 'shadow', percent: 20, pause: { forMs: 300_000 }, steps: [{ percent: 10, pause: { forMs: 30_000 } }, { percent: 50, pause: 'manual' }] }],
    ['steps:10@30s,50@30s', { kind: 'steps', steps: [{ percent: 10, pause: { forMs: 30_000 } }, { percent: 50, pause: { forMs: 30_000 } }] }],
    ['steps:1@manual,99@2h', { kind: 'steps', steps: [{ percent: 1, pause: 'manual' }, { percent: 99, pause: { forMs: 7_200_000 } }] }],
    ['steps:0.1@1s,99.9@1s', { kind: 'steps', steps: [{ percent: 0.1, pause: { forMs: 1_000 } }, { percent: 99.9, pause: { forMs: 1_000 } }] }],
  ])('reads %s, and writes it so that it is read again', (text, strategy) => {
    const parsed = parseStrategy(text);
    expect(parsed).toEqual(strategy);
    expect(parseStrategy(formatStrategy(parsed as never))).toEqual(strategy);
  });

  it.each([
    ['', /"" is no strategy: expected now, steps/],
    ['Now', /"Now" is no strategy/],
    ['canary:10', /is no strategy/],
    ['steps', /"steps" is no strategy/],
    ['steps:', /step 0, "": expected a percentage with one decimal at most/],
    ['steps:10', /step 0, "10": expected one @ with how long the step lasts, such as 10@30s or 10@manual/],
    ['steps:10@30s,', /step 1, "": expected a percentage with one decimal at most/],
    ['steps:0.05@30s', /step 0, "0.05@30s": expected a percentage with one decimal at most/],
    ['steps:10%@30s', /step 0, "10%@30s": expected a percentage with one decimal at most/],
    ['steps:0@30s', /a step has from 0\.1 to 99\.9 percent/],
    ['steps:10@30s,100@1s', /step 1, "100@1s": a step has from 0\.1 to 99\.9 percent; after the last one the version gets all requests/],
    ['steps:50@30s,10@30s', /step 1, "10@30s": must be above the 50 percent of the step before/],
    ['steps:10@30s,10@30s', /must be above the 10 percent/],
    ['steps:10@30', /expected a time such as 30s, 5m, 2h or 1d, or manual, got "30"/],
    ['steps:10@soon', /got "soon"/],
    ['steps:10@0s', /expected from 1s to 30d, got 0s/],
    ['steps:10@31d', /expected from 1s to 30d, got 31d/],
    ['steps:10@30s@manual', /expected one @/],
    ['shadow@', /shadow: expected a time/],
    ['shadow:@5m', /shadow, "": expected a percentage/],
    ['shadow:0@5m', /shadow, "0": of the requests from 0\.1 to 100 percent can be copied/],
    ['shadow:101@5m', /from 0\.1 to 100 percent/],
    ['shadow:20@5m,steps:', /step 0, "": expected a percentage/],
    ['shadow:20@5m,10@30s', /is no strategy/],
    ['steps:10@30s,shadow:20@5m', /is no strategy/],
    [`steps:${Array.from({ length: 21 }, (_, i) => `${i + 1}@1s`).join(',')}`, /21 steps are more than 20/],
  ])('refuses %s', (text, problem) => {
    expect(parseStrategy(text)).toEqual({ problem: expect.stringMatching(problem) });
  });

  it('stands as a field of a request', () => {
    expect(RolloutStrategy.parse('now')).toEqual({ kind: 'now' });
    expect(RolloutStrategy.safeParse('steps:0@1s').error?.issues[0]?.message).toMatch(/from 0\.1 to 99\.9 percent/);
    expect(RolloutStrategy.safeParse(7).success).toBe(false);
  });
});
