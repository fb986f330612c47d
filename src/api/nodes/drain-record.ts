import { z } from 'zod';
import type { LetGo, NodeFarewell } from '#contract/node-facts.js';

/** Of one channel: served here alone, served elsewhere too, let go of and served elsewhere, bound to this node, or not served any more at all. */
const ChannelState = z.enum(['waiting', 'moving', 'moved', 'kept', 'ended']);
type ChannelState = z.infer<typeof ChannelState>;

/** How a node lets go of what it has. It is kept when it is over, as the proof of it. */
export const DrainRecord = z.object({
  /** `node`: it was told to stop by its own machine. */
  by: z.enum(['operator', 'node']),
  /** The operation that it is, where somebody asked for it. */
  operation: z.number().nullable(),
  startedAtMs: z.number(),
  endedAtMs: z.number().nullable(),
  /** It was taken back before it was over. */
  cancelled: z.boolean(),
  /** By `<app>/<channel>`, what it held when the drain began or has held since. */
  channels: z.record(z.string(), z.object({ state: ChannelState, reason: z.string().optional() })),
  /** Requests that were under way when their channel was let go of. */
  finished: z.number(),
  dropped: z.number(),
  /** The node started anew meanwhile: what it had under way then is not counted. */
  restarted: z.boolean(),
  /** Up to where the node's own counts are in the sums. */
  counted: z.object({ startCount: z.number(), finished: z.number(), dropped: z.number() }),
});
export type DrainRecord = z.infer<typeof DrainRecord>;

/** A node, as its newest report has it. */
export interface DrainingNode {
  startCount: number;
  farewell: NodeFarewell | null;
  letGo: LetGo;
  /** Channels that it holds, by `<app>/<channel>`. */
  holds: ReadonlySet<string>;
}

/** What others say of the channels. */
export interface DrainSurroundings {
  /** Served by another live node that stays. */
  elsewhere: ReadonlySet<string>;
  /** Bound to the node, and why. */
  bound: ReadonlyMap<string, string>;
}

/** The beginning of a drain. Counts of before do not belong to it. */
export function beginDrain(by: DrainRecord['by'], { startCount, letGo: { finished, dropped } }: DrainingNode, nowMs: number): DrainRecord {
  return { by, operation: null, startedAtMs: nowMs, endedAtMs: null, cancelled: false, channels: {}, finished: 0, dropped: 0, restarted: false, counted: { startCount, finished, dropped } };
}

/**
 * A drain after another look. It is over when the node holds nothing but what is bound to it and nothing that it has let go of is under way;
 * that of a node which stops by itself, when it is gone.
 */
export function advanceDrain(before: DrainRecord, node: DrainingNode, { elsewhere, bound }: DrainSurroundings, nowMs: number): DrainRecord {
  const isGone = node.farewell === 'gone';
  const stateOf = (key: string): DrainRecord['channels'][string] => {
    const isElsewhere = elsewhere.has(key);
    const isHere = node.holds.has(key) && !isGone;
    if (!isHere && (isElsewhere || before.channels[key]?.state === 'moved')) return { state: 'moved' };
    if (isElsewhere) return { state: 'moving' };
    if (bound.has(key)) return { state: 'kept', reason: bound.get(key)! };
    if (isHere) return { state: 'waiting' };
    return isGone && node.holds.has(key) ? { state: 'kept', reason: 'no other node served it when this one stopped' } : { state: 'ended' };
  };
  const keys = [...new Set([...Object.keys(before.channels), ...node.holds])].sort();
  const channels = Object.fromEntries(keys.map((key) => [key, stateOf(key)]));
  const record = { ...before, ...count(before, node), channels };
  const isOpen = Object.values(channels).some(({ state }) => state === 'waiting' || state === 'moving');
  const isOver = isGone || (before.by === 'operator' && !isOpen && node.letGo.underWay === 0);
  return { ...record, endedAtMs: isOver ? nowMs : null };
}

/** The node's counts begin anew with each of its starts. */
function count({ finished, dropped, restarted, counted }: DrainRecord, { startCount, letGo }: DrainingNode): Pick<DrainRecord, 'finished' | 'dropped' | 'restarted' | 'counted'> {
  const isSameStart = startCount === counted.startCount;
  const base = isSameStart ? counted : { finished: 0, dropped: 0 };
  return {
    finished: finished + Math.max(0, letGo.finished - base.finished),
    dropped: dropped + Math.max(0, letGo.dropped - base.dropped),
    restarted: restarted || !isSameStart,
    counted: { startCount, finished: letGo.finished, dropped: letGo.dropped },
  };
}

/** How many channels are in each state. */
export function countStates({ channels }: DrainRecord): Record<ChannelState, number> {
  const counts: Record<ChannelState, number> = { waiting: 0, moving: 0, moved: 0, kept: 0, ended: 0 };
  for (const { state } of Object.values(channels)) counts[state]++;
  return counts;
}

/** The channels in a state, by name. */
export function inState({ channels }: DrainRecord, wanted: ChannelState): { app: string; channel: string; reason?: string }[] {
  return Object.entries(channels).filter(([, { state }]) => state === wanted).map(([key, { reason }]) => {
    const [app, channel] = key.split('/') as [string, string];
    return { app, channel, ...(reason !== undefined && { reason }) };
  });
}
