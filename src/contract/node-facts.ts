import { z } from 'zod';
import { AppName, ChannelName } from './ids.js';

/** What a node says of itself, beside what it holds: placement goes by it. All of it may be left out, as nodes of older releases do. */

export const MAX_LABELS = 64;
export const MAX_TAINTS = 32;
/** Channels that a node names with their load at most: those with the most requests. */
export const MAX_LOADED_CHANNELS = 2_000;

/** Letters, digits and `-_./` inside, at most 63: what Kubernetes takes as a label's value (and its name, with one `/`). */
export const LabelText = z.string().regex(/^[A-Za-z0-9](?:[A-Za-z0-9_./-]{0,61}[A-Za-z0-9])?$/, 'expected letters, digits and inner - _ . /, at most 63');

export const NodeLabels = z.record(LabelText, LabelText).refine((labels) => Object.keys(labels).length <= MAX_LABELS, `at most ${MAX_LABELS} labels`);
export type NodeLabels = z.infer<typeof NodeLabels>;

/** What keeps channels off a node unless they tolerate it. `move` also moves those away that are there. */
export const NodeTaint = z.object({ key: LabelText, value: LabelText, effect: z.enum(['no-new', 'move']) });
export type NodeTaint = z.infer<typeof NodeTaint>;

/** For apps: what the node's own processes need taken off. */
export const NodeCapacity = z.object({ memoryBytes: z.int().nonnegative(), milliCores: z.int().nonnegative() });
export type NodeCapacity = z.infer<typeof NodeCapacity>;

/** Where other nodes' gateways reach this node's. */
export const GatewayAddress = z.object({ host: z.string().min(1).max(255), port: z.int().min(1).max(65_535) });
export type GatewayAddress = z.infer<typeof GatewayAddress>;

/**
 * A node that was told to stop by its own machine. `leaving`: it answers until others have its channels; `gone`: its last word, before its
 * sockets close. A node that starts again says neither.
 */
export const NodeFarewell = z.enum(['leaving', 'gone']);
export type NodeFarewell = z.infer<typeof NodeFarewell>;

/**
 * What became of the channels that the node has let go of since its start, and of the requests that were under way then: they end by
 * themselves (`finished`), are cut off (`dropped`), or are still under way.
 */
export const LetGo = z.object({ channels: z.int().nonnegative(), finished: z.int().nonnegative(), dropped: z.int().nonnegative(), underWay: z.int().nonnegative() });
export type LetGo = z.infer<typeof LetGo>;
export const NOTHING_LET_GO: LetGo = { channels: 0, finished: 0, dropped: 0, underWay: 0 };

/** What one channel asks of a node, over the span of the report that names it. */
export const ChannelLoad = z.object({
  app: AppName,
  channel: ChannelName,
  /** Requests under way, on average, waiting ones included. */
  inFlight: z.number().nonnegative(),
  /** Requests that ended. */
  requests: z.int().nonnegative(),
  cpuMs: z.number().nonnegative(),
});
export type ChannelLoad = z.infer<typeof ChannelLoad>;

/** Channels without requests are not named: complete measures, in which what is absent is 0. */
export const NodeLoad = z.object({
  /** What it is counted over: since the last that the control plane took. */
  spanMs: z.number().nonnegative(),
  channels: z.array(ChannelLoad).max(MAX_LOADED_CHANNELS),
});
export type NodeLoad = z.infer<typeof NodeLoad>;

export const NodeFacts = z.object({
  zone: LabelText.default('default'),
  labels: NodeLabels.default({}),
  taints: z.array(NodeTaint).max(MAX_TAINTS).default([]),
  /** Absent: it does not say; it is taken for as large as is asked for. */
  capacity: NodeCapacity.optional(),
  /** Names of what it supports beyond the engine, such as triggers and kinds of stores. */
  capabilities: z.array(z.string().min(1).max(64)).max(64).default([]),
  /** Why it cannot serve, in words; null: it can. */
  sickness: z.string().max(500).nullable().default(null),
  /** null: it has none; only itself answers for what it holds. */
  gateway: GatewayAddress.nullable().default(null),
  farewell: NodeFarewell.nullable().default(null),
  letGo: LetGo.default(NOTHING_LET_GO),
  /** Usage and logs of its journals that the control plane has not taken yet. */
  unshippedBytes: z.int().nonnegative().default(0),
  /** The release that it runs. */
  platform: z.string().max(64).optional(),
});
export type NodeFacts = z.infer<typeof NodeFacts>;

/**
 * The order of what a node says: `startCount` is kept on its disk and grows with each start, `sequence` grows with each message of that start.
 * 0: a node of an older release, which does not count.
 */
export const MessageOrder = z.object({ startCount: z.int().nonnegative().default(0), sequence: z.int().nonnegative().default(0) });
export type MessageOrder = z.infer<typeof MessageOrder>;

/** Nothing has changed since the report of this sequence; the rest is said each time. */
export const NodeHeartbeat = z.object({
  startCount: z.int().min(1),
  sequence: z.int().min(1),
  /** The last report of this start that was taken. */
  reported: z.int().min(1),
  load: NodeLoad.optional(),
});
export type NodeHeartbeat = z.infer<typeof NodeHeartbeat>;

/** What the control plane says to a report or a heartbeat. */
export const NodeReceipt = z.object({
  /** `old`: a later message of this start came first. `superseded`: there was a later start; this one is ignored. */
  taken: z.enum(['taken', 'old', 'superseded']),
  /** The newest start that it knows of. */
  startCount: z.int().nonnegative(),
  /** It does not have the report that the heartbeat names. */
  wants: z.enum(['nothing', 'report']),
  /** To a node that is leaving: nothing is to be waited for any more. */
  mayGo: z.boolean(),
  /** Another live node could take over what this one has. */
  others: z.boolean(),
  /** Its clock, ms since the epoch. */
  nowMs: z.number(),
});
export type NodeReceipt = z.infer<typeof NodeReceipt>;

/** What the operator wants of a node. Cordoned: it keeps what it has and gets nothing new. Draining: what it has moves away. Removed: it is gone for good. */
export const NodeWish = z.enum(['active', 'cordoned', 'draining', 'removed']);
export type NodeWish = z.infer<typeof NodeWish>;

/** The wish as placement takes it: a node that is leaving is drained, whoever began it. */
export function effectiveWish(wanted: NodeWish, farewell: NodeFarewell | null): NodeWish {
  return farewell !== null && wanted !== 'removed' ? 'draining' : wanted;
}
