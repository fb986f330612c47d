import { describe, expect, it } from '@jest/globals';
import type { NodeSituation } from './rollout-state.js';
import type { StepRecord } from './step-record.js';
import { lastSwitch, nodeSwitches } from './switch-times.js';

const at = (ms: number): Date => new Date(1_000_000 + ms);
const node = (name: string, changedMs: number, switched?: object): NodeSituation =>
  ({ node: name, changedAt: at(changedMs), engines: ['3'], status: { generation: 7, ...(switched && { switched }) } }) as unknown as NodeSituation;

describe(nodeSwitches.name, () => {
  it('takes off what lies between the switch and the news of it', () => {
    expect(nodeSwitches([node('a', 30, { generation: 7, switchedMs: 4, lastOldAnswerMs: 12.5, reportedMs: 14 })], 7, at(0))).toEqual([{ node: 'a', switchedMs: 20, lastOldAnswerMs: 28.5 }]);
  });

  it('says nothing of the last old answer when requests went on, and of nodes that do not say', () => {
    const nodes = [node('a', 1_030, { generation: 7, switchedMs: 4, lastOldAnswerMs: null, reportedMs: 1_014 }), node('b', 9), node('c', 9, { generation: 6, switchedMs: 1, lastOldAnswerMs: 1, reportedMs: 1 })];
    expect(nodeSwitches(nodes, 7, at(0))).toEqual([{ node: 'a', switchedMs: 20, lastOldAnswerMs: null }, { node: 'b', switchedMs: 9, lastOldAnswerMs: null }, { node: 'c', switchedMs: 9, lastOldAnswerMs: null }]);
  });

  it('is never below nothing', () => expect(nodeSwitches([node('a', -5, { generation: 7, switchedMs: 4, lastOldAnswerMs: 12, reportedMs: 14 })], 7, at(0))[0]!.switchedMs).toBe(0));
});

describe(lastSwitch.name, () => {
  const steps = (nodes: StepRecord['nodes']) => [{ askedAt: at(100).toISOString(), nodes }] as StepRecord[];

  it('counts from the beginning of the rollout, and has the slowest node for all', () => {
    const nodes = [{ node: 'a', switchedMs: 5, lastOldAnswerMs: 9 }, { node: 'b', switchedMs: 7, lastOldAnswerMs: 8 }];
    expect(lastSwitch({ createdAt: at(0), steps: steps(nodes) })).toMatchObject({ switchedMs: 107, lastOldAnswerMs: 109, nodes: [{ node: 'a', switchedMs: 105 }, { node: 'b', switchedMs: 107 }] });
  });

  it('knows no last answer when one node does not', () => {
    expect(lastSwitch({ createdAt: at(0), steps: steps([{ node: 'a', switchedMs: 5, lastOldAnswerMs: null }, { node: 'b', switchedMs: 7, lastOldAnswerMs: 8 }]) })).toMatchObject({ lastOldAnswerMs: null });
    expect(lastSwitch({ createdAt: at(0), steps: steps(undefined) })).toBeUndefined();
  });
});
