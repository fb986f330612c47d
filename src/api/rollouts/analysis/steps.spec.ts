import { describe, expect, it } from '@jest/globals';
import { newRandom } from '../../../../bench/canary/world.mjs';
import { DEFAULT_POLICY } from './policy.js';
import { beginSteps, type Decision, isEnded, next, type Progress, type StepEvent, type StepPolicy, stepsOf } from './steps.js';
import { parseStrategy, type Strategy } from './strategy.js';

const seed = Number(process.env['STEPS_SEED'] ?? Date.now() % 2 ** 31);
const strategyOf = (text: string): Strategy => parseStrategy(text) as Strategy;
const POLICY: StepPolicy = { ...DEFAULT_POLICY, holdMs: 60_000, giveUpMs: 600_000 };

const look = (atS: number, verdict: 'pass' | 'fail' | 'insufficient-data'): StepEvent => ({ kind: 'look', atMs: atS * 1_000, verdict: { verdict, reasons: [{ code: 'unproven', message: `it is ${verdict}` }] } });
const served = (atS: number, index: number): StepEvent => ({ kind: 'served', atMs: atS * 1_000, index });
const approve = (atS: number, index: number, by = 'ada'): StepEvent => ({ kind: 'approve', atMs: atS * 1_000, index, by });

/** All events in turn; the last progress and every decision. */
function run(strategy: string, events: StepEvent[], policy = POLICY): { progress: Progress; decisions: Decision[] } {
  const first = beginSteps(strategyOf(strategy), 0);
  return events.reduce(
    ({ progress, decisions }, event) => {
      const outcome = next(progress, event, policy);
      return { progress: outcome.progress, decisions: [...decisions, outcome.decision] };
    },
    { progress: first.progress, decisions: [first.decision] },
  );
}
const kinds = (decisions: Decision[]): string[] => decisions.map(({ kind }) => kind);

describe(next.name, () => {
  it('goes through the steps as each passes, and ends with all requests', () => {
    const { progress, decisions } = run('steps:10@30s,50@30s', [served(1, 0), look(10, 'pass'), look(31, 'pass'), served(32, 1), look(62, 'pass'), served(63, 2)]);
    expect(decisions[0]).toEqual({ kind: 'go-on', index: 0, percent: 10, shadow: false });
    expect(decisions[2]).toMatchObject({ kind: 'hold', untilMs: 31_000 });
    expect(kinds(decisions)).toEqual(['go-on', 'hold', 'hold', 'go-on', 'hold', 'promote', 'finish']);
    expect(progress.state).toBe('promoted');
  });

  it('gives all requests at once by the strategy now', () => {
    const { progress, decisions } = run('now', [served(1, 0)]);
    expect(kinds(decisions)).toEqual(['promote', 'finish']);
    expect(progress.state).toBe('promoted');
  });

  it('sends copies first by the strategy shadow', () => {
    const { decisions } = run('shadow@10s', [served(1, 0), look(11, 'pass')]);
    expect(decisions[0]).toEqual({ kind: 'go-on', index: 0, percent: 100, shadow: true });
    expect(decisions[2]).toEqual({ kind: 'promote', index: 1 });
  });

  it('counts the time of a step from when every node serves it', () => {
    const { decisions } = run('steps:10@30s', [look(40, 'pass'), served(41, 0), look(70, 'pass'), look(71, 'pass')]);
    expect(kinds(decisions)).toEqual(['go-on', 'hold', 'hold', 'hold', 'promote']);
  });

  it.each([
    ['before every node serves the step', [look(1, 'fail')]],
    ['within the time of the step', [served(1, 0), look(2, 'fail')]],
    ['while it waits for an approval', [served(1, 0), look(2, 'pass'), look(3, 'fail')]],
    ['while all nodes switch to it', [served(1, 0), approve(2, 0), look(3, 'fail')]],
  ])('rolls back when the version fails %s', (_, events) => {
    const { progress, decisions } = run('steps:10@manual', events);
    expect(decisions.at(-1)).toEqual({ kind: 'roll-back', reason: 'it is fail' });
    expect(progress.state).toBe('rolled_back');
  });

  it('waits for data beyond the time of the step, then pauses, and goes on by itself when it passes after all', () => {
    const { progress, decisions } = run('steps:10@30s', [served(0, 0), look(30, 'insufficient-data'), look(89, 'insufficient-data'), look(90, 'insufficient-data')]);
    expect(kinds(decisions)).toEqual(['go-on', 'hold', 'hold', 'hold', 'pause']);
    expect(progress).toMatchObject({ state: 'paused', reason: 'it is insufficient-data' });
    expect(next(progress, look(100, 'insufficient-data'), POLICY).decision.kind).toBe('hold');
    expect(next(progress, look(101, 'pass'), POLICY).decision).toEqual({ kind: 'promote', index: 1 });
    expect(next(progress, approve(101, 0), POLICY).decision).toEqual({ kind: 'promote', index: 1 });
  });

  it('sends probes once where the policy says so, and goes on unjudged where it says that', () => {
    const events = [served(0, 0), look(30, 'insufficient-data'), look(31, 'insufficient-data')];
    expect(kinds(run('steps:10@30s', events, { ...POLICY, onInsufficientData: 'probe' }).decisions)).toEqual(['go-on', 'hold', 'probe', 'hold']);
    expect(kinds(run('steps:10@30s', events.slice(0, 2), { ...POLICY, onInsufficientData: 'go-on' }).decisions)).toEqual(['go-on', 'hold', 'promote']);
  });

  it('lets steps go by time in a dry run, whatever is judged', () => {
    expect(kinds(run('steps:10@30s', [served(0, 0), look(10, 'fail'), look(30, 'fail')], { ...POLICY, dryRun: true }).decisions)).toEqual(['go-on', 'hold', 'hold', 'promote']);
  });

  it('takes an approval of the step that waits, once, and of no other', () => {
    const { progress } = run('steps:10@manual,50@manual', [served(1, 0), look(2, 'insufficient-data')]);
    expect(progress.state).toBe('paused');
    const first = next(progress, approve(3, 0), POLICY);
    expect(first.decision).toEqual({ kind: 'go-on', index: 1, percent: 50, shadow: false });
    expect(next(first.progress, approve(4, 0), POLICY).decision).toEqual({ kind: 'refuse', reason: 'the approval is of step 0, the rollout is at step 1' });
    const early = next(first.progress, approve(4, 1), POLICY);
    expect(early.decision.kind).toBe('hold');
    expect(next(early.progress, approve(5, 1, 'bob'), POLICY).decision).toEqual({ kind: 'refuse', reason: 'ada has approved of step 1' });
    expect(next(next(early.progress, served(6, 1), POLICY).progress, look(7, 'insufficient-data'), POLICY).decision).toEqual({ kind: 'promote', index: 2 });
    expect(run('steps:10@30s', [served(1, 0), approve(2, 0)]).decisions.at(-1)).toEqual({ kind: 'refuse', reason: 'step 0 waits for nobody' });
  });

  it('ends by somebody, by nodes that cannot, and when nobody decides in time', () => {
    expect(run('steps:10@30s', [{ kind: 'abort', atMs: 1, by: 'ada', reason: 'too late today' }]).progress).toMatchObject({ state: 'aborted', reason: 'ada ended it: too late today' });
    expect(run('steps:10@30s', [{ kind: 'failed', atMs: 1, reason: 'node-1 cannot' }]).progress).toMatchObject({ state: 'rolled_back', reason: 'node-1 cannot' });
    expect(run('steps:10@manual', [served(0, 0), look(1, 'pass'), look(601, 'pass')]).progress).toMatchObject({ state: 'rolled_back', reason: 'nobody has decided in time: step 0 waits for an approval' });
    expect(run('steps:10@manual', [look(600, 'pass')]).progress).toMatchObject({ state: 'rolled_back', reason: 'not every node has come to serve it in time' });
  });
});

const ENDS: StepEvent[] = [look(0, 'fail'), { kind: 'abort', atMs: 0, by: 'ada' }];

/** What clients get of the version; of copies nothing. */
const shareIn = (decision: Decision): number | undefined => (decision.kind === 'promote' ? 100 : decision.kind === 'go-on' ? (decision.shadow ? 0 : decision.percent) : undefined);

describe(`any order of events (STEPS_SEED=${seed})`, () => {
  it('never gives a version less but by taking everything back, never skips a step nor goes on without a pass or an approval, changes nothing once ended, and always ends', () => {
    const random = newRandom(seed);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
    for (let round = 0; round < 300; round++) {
      const strategy = pick(['now', 'shadow@5s', 'shadow:20@5s,steps:10@30s,50@manual', 'steps:10@30s,50@30s', 'steps:5@manual,20@10s,60@manual', 'steps:50@1s']);
      const policy: StepPolicy = { ...POLICY, onInsufficientData: pick(['pause', 'probe'] as const) };
      let { progress, decision } = beginSteps(strategyOf(strategy), 0);
      let share = shareIn(decision)!;
      let atMs = 0;
      const past: StepEvent[] = [];
      for (let i = 0; i < 2_000 && !isEnded(progress); i++) {
        atMs += Math.floor(random() * 8_000);
        const fresh: StepEvent[] = [
          { kind: 'look', atMs, verdict: { verdict: pick(['pass', 'insufficient-data', 'insufficient-data']), reasons: [] } },
          { kind: 'served', atMs, index: progress.index + pick([0, 0, -1, 1]) },
          { kind: 'approve', atMs, index: progress.index + pick([0, -1, 1]), by: 'ada' },
          ...(random() < 0.01 ? ENDS.map((event): StepEvent => ({ ...event, atMs })) : []),
        ];
        // Doubled and late ones among them; lost ones are those never picked.
        const event = random() < 0.3 && past.length > 0 ? pick(past) : pick(fresh);
        past.push(event);
        const before = progress;
        const copy = JSON.stringify(before);
        ({ progress, decision } = next(before, event, policy));
        const where = `STEPS_SEED=${seed}, round ${round}, ${strategy}, ${copy}, ${JSON.stringify(event)}, ${JSON.stringify(decision)}`;
        const holds = (claim: boolean): void => { if (!claim) throw new Error(where); };
        holds(JSON.stringify(before) === copy);
        holds(progress.index === before.index || progress.index === before.index + 1);
        if (decision.kind === 'go-on' || decision.kind === 'promote') {
          const percent = shareIn(decision)!;
          holds(percent > share || (percent === 0 && share === 0));
          holds(before.servedMs !== null && decision.index === before.index + 1);
          holds(event.kind === 'approve' || before.approvedBy !== null || (event.kind === 'look' && event.verdict.verdict === 'pass' && stepsOf(before.strategy)[before.index]!.pause !== 'manual'));
          share = percent;
        }
        if (decision.kind === 'finish') holds(share === 100 && progress.state === 'promoted');
      }
      expect(isEnded(progress)).toBe(true);
      const ended = progress;
      for (const event of past.slice(-50)) expect(next(ended, event, policy).progress).toEqual(ended);
    }
  });
});
