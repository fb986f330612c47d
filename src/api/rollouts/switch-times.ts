import type { NodeSituation } from './rollout-state.js';
import type { NodeSwitch, StepRecord } from './step-record.js';

/** How long a switch took, on each node and in all. */
export interface SwitchSummary {
  switchedMs: number;
  lastOldAnswerMs: number | null;
  nodes: NodeSwitch[];
}

/**
 * How long each node took since `askedAt`, of nodes that have all switched to a generation. The news of a node carry durations by its own clock, and came at
 * `changedAt` by the database's: what lies between the switch and the news is taken off, what they took on their way is not, so that no
 * figure is too small. Pure.
 */
export function nodeSwitches(nodes: readonly NodeSituation[], generation: number, askedAt: Date): NodeSwitch[] {
  return nodes.map(({ node, changedAt, status }) => {
    const toldMs = Math.max(0, changedAt.getTime() - askedAt.getTime());
    const said = status?.switched?.generation === generation ? status.switched : undefined;
    if (!said) return { node, switchedMs: toldMs, lastOldAnswerMs: null };
    const since = (ownMs: number): number => tenths(Math.max(0, toldMs - (said.reportedMs - ownMs)));
    return { node, switchedMs: since(said.switchedMs), lastOldAnswerMs: said.lastOldAnswerMs === null ? null : since(said.lastOldAnswerMs) };
  });
}

/** The last switch of a rollout, counted from its beginning; undefined: not all nodes have switched, or nobody noted it. Pure. */
export function lastSwitch({ createdAt, steps }: { createdAt: Date; steps: readonly StepRecord[] | null }): SwitchSummary | undefined {
  const last = steps?.at(-1);
  if (!last?.nodes || last.nodes.length === 0) return undefined;
  const beforeMs = Math.max(0, Date.parse(last.askedAt) - createdAt.getTime());
  const later = (ms: number): number => tenths(ms + beforeMs);
  const nodes = last.nodes.map(({ node, switchedMs, lastOldAnswerMs }) => ({ node, switchedMs: later(switchedMs), lastOldAnswerMs: lastOldAnswerMs === null ? null : later(lastOldAnswerMs) }));
  const answers = nodes.map(({ lastOldAnswerMs }) => lastOldAnswerMs);
  return { switchedMs: Math.max(...nodes.map(({ switchedMs }) => switchedMs)), lastOldAnswerMs: answers.includes(null) ? null : Math.max(...(answers as number[])), nodes };
}

const tenths = (ms: number): number => Math.round(ms * 10) / 10;
