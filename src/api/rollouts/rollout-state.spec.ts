import { describe, expect, it } from '@jest/globals';
import type { AssignmentStatus } from '#contract/assignment.js';
import { type NodeSituation, nextStep, PREPARE_TIMEOUT_MS, type RolloutSituation, STALE_FAILURE_MS, SWITCH_TIMEOUT_MS } from './rollout-state.js';

const begun = new Date('2026-01-01T00:00:00Z');
const after = (ms: number): Date => new Date(begun.getTime() + ms);

const rollout = (change: Partial<RolloutSituation> = {}): RolloutSituation => ({
  version: 2, phase: 'preparing', generation: null, begunAt: begun, deadlineAt: null, channelGeneration: 1, builds: [{ engine: '4', failure: null }], ...change,
});
const switching = (change: Partial<RolloutSituation> = {}): RolloutSituation => rollout({ phase: 'switching', generation: 2, channelGeneration: 2, ...change });

const node = (status: Partial<AssignmentStatus> | undefined, name = 'n1', changedAt = after(10)): NodeSituation => ({
  node: name,
  changedAt,
  engines: ['4'],
  status: status && ({ app: 'a', channel: 'production', generation: 1, variablesRevision: 0, prepared: [], failed: [], ...status } as unknown as AssignmentStatus),
});
const failed = [{ version: 2, code: 'COMPONENT_TRAP', message: 'it traps' }] as unknown as AssignmentStatus['failed'];
const versions = (...numbers: number[]): AssignmentStatus['prepared'] => numbers as AssignmentStatus['prepared'];

describe(nextStep.name, () => {
  it('waits without a deadline while no node is alive', () => {
    expect(nextStep(rollout({ deadlineAt: after(1) }), [], after(10))).toEqual({ kind: 'wait', deadlineAt: null });
    expect(nextStep(switching({ deadlineAt: after(1) }), [], after(10))).toEqual({ kind: 'wait', deadlineAt: null });
  });

  it('waits for approval without a deadline, whatever the nodes say of the version', () => {
    const awaiting = rollout({ phase: 'awaiting-approval', deadlineAt: after(1) });
    for (const nodes of [[], [node({})], [node({ prepared: versions(1, 2) })], [node({ failed })]]) {
      expect(nextStep(awaiting, nodes, after(PREPARE_TIMEOUT_MS * 10))).toEqual({ kind: 'wait', deadlineAt: null });
    }
  });

  it('starts the deadline when it first has a node to wait for, and keeps it', () => {
    expect(nextStep(rollout(), [node({})], after(10))).toEqual({ kind: 'wait', deadlineAt: after(10 + PREPARE_TIMEOUT_MS) });
    expect(nextStep(rollout({ deadlineAt: after(500) }), [node({})], after(10))).toEqual({ kind: 'wait', deadlineAt: after(500) });
    expect(nextStep(switching(), [node({})], after(10))).toEqual({ kind: 'wait', deadlineAt: after(10 + SWITCH_TIMEOUT_MS) });
  });

  it('promotes when every live node has the version prepared, and not before', () => {
    const ready = node({ prepared: versions(1, 2) });
    expect(nextStep(rollout(), [ready, node({ prepared: versions(1) }, 'n2')], after(10)).kind).toBe('wait');
    expect(nextStep(rollout(), [ready, node(undefined, 'n2')], after(10)).kind).toBe('wait');
    expect(nextStep(rollout(), [ready, node({ prepared: versions(2) }, 'n2')], after(10))).toEqual({ kind: 'begin' });
  });

  it('promotes a version that is prepared even when the deadline has passed', () => {
    expect(nextStep(rollout({ deadlineAt: after(1) }), [node({ prepared: versions(2) })], after(10))).toEqual({ kind: 'begin' });
  });

  it('fails with the reason of the node that cannot prepare the version', () => {
    expect(nextStep(rollout(), [node({ prepared: versions(2) }), node({ failed }, 'n2')], after(20))).toEqual({
      kind: 'fail', failure: { code: 'COMPONENT_TRAP', message: 'it traps (node n2)' },
    });
  });

  it('fails at once when a node can run nothing that the version is built for', () => {
    const old: NodeSituation = { ...node({ prepared: versions(1) }, 'n2'), engines: ['3'] };
    expect(nextStep(rollout(), [node({ prepared: versions(2) }), old], after(20))).toEqual({
      kind: 'fail', failure: { code: 'NODE_ENGINE_UNSUPPORTED', message: 'version 2 is built for engine 4, node n2 runs 3' },
    });
    expect(nextStep(rollout({ builds: [{ engine: '3', failure: null }, { engine: '4', failure: null }] }), [old], after(20)).kind).toBe('wait');
  });

  it('fails with the reason why the version cannot be built for a node', () => {
    const refused = { code: 'REGISTRY_COMPONENT_INVALID', message: 'it is bad' };
    const step = nextStep(rollout({ builds: [{ engine: '3', failure: null }, { engine: '4', failure: refused }] }), [node({})], after(20));
    expect(step).toEqual({ kind: 'fail', failure: refused });
  });

  it('takes no notice of a failure that was reported before the rollout began, unless the node insists', () => {
    const stale = node({ failed }, 'n1', after(-1000));
    expect(nextStep(rollout(), [stale], after(20)).kind).toBe('wait');
    expect(nextStep(rollout(), [stale], after(STALE_FAILURE_MS + 1)).kind).toBe('fail');
  });

  it('names the nodes that were not ready in time', () => {
    const step = nextStep(rollout({ deadlineAt: after(100) }), [node({ prepared: versions(2) }), node({}, 'n2'), node({}, 'n3')], after(100));
    expect(step).toEqual({ kind: 'fail', failure: { code: 'API_ROLLOUT_TIMEOUT', message: 'version 2 was not prepared in time by n2, n3' } });
  });

  it('finishes when every live node has switched to its generation or a later one', () => {
    expect(nextStep(switching(), [node({ generation: 2 }), node({ generation: 1 }, 'n2')], after(10)).kind).toBe('wait');
    expect(nextStep(switching(), [node({ generation: 2 }), node({ generation: 3 }, 'n2')], after(10))).toEqual({ kind: 'switched' });
  });

  it('goes back when a node cannot switch, or not in time', () => {
    expect(nextStep(switching(), [node({ generation: 2 }), node({ failed }, 'n2')], after(10)).kind).toBe('revert');
    expect(nextStep(switching({ deadlineAt: after(5) }), [node({ generation: 1 })], after(10)).kind).toBe('revert');
  });

  it('looks at a step that every node serves, waits for no node that comes later, and ends with the reason of one that cannot serve it', () => {
    const holding = (change: Partial<RolloutSituation> = {}) => switching({ phase: 'holding', ...change });
    expect(nextStep(holding(), [node({ generation: 2, prepared: versions(1, 2) }), node(undefined, 'n2')], after(PREPARE_TIMEOUT_MS * 10))).toEqual({ kind: 'look' });
    expect(nextStep(holding(), [node({ generation: 2, prepared: versions(1) }), node({ failed }, 'n2')], after(20))).toEqual({ kind: 'revert', failure: { code: 'COMPONENT_TRAP', message: 'it traps (node n2)' } });
    expect(nextStep(holding({ channelGeneration: 3 }), [node({})], after(20))).toEqual({ kind: 'supersede' });
    expect(nextStep(holding(), [], after(20))).toEqual({ kind: 'wait', deadlineAt: null });
  });

  it('does not go back from a generation that a later rollout has replaced', () => {
    expect(nextStep(switching({ channelGeneration: 3, deadlineAt: after(5) }), [node({ generation: 1 })], after(10))).toEqual({ kind: 'supersede' });
  });
});
