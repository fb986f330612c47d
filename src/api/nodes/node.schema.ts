import { z } from 'zod';
import { AssignmentStatus, Engines } from '#contract/assignment.js';
import { ChannelLoad, GatewayAddress, NodeCapacity, NodeLabels, NodeTaint, NodeWish } from '#contract/node-facts.js';
import { NodeName } from '#contract/ids.js';
import { PageQuery } from '#platform/http/page.js';

export const NodeParams = z.object({ node: NodeName.describe('Name of the node.') });

export const EnginesQuery = z.string().regex(/^[0-9]{1,9}(,[0-9]{1,9}){0,7}$/).optional().describe('Versions of the engine whose plans the node can run, the preferred one first, with commas between them.');

export const NodeState = z.enum(['live', 'cordoned', 'draining', 'drained', 'leaving', 'gone', 'lost', 'removed']);
export type NodeState = z.infer<typeof NodeState>;

const ChannelNames = z.array(z.object({ app: z.string(), channel: z.string(), reason: z.string().optional() }));

export const DrainView = z.object({
  operation: z.number().nullable().describe('The operation that it is, where somebody asked for it.'),
  by: z.enum(['operator', 'node']).describe('Who began it: an operator, or the node, which was told to stop by its machine.'),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
  cancelled: z.boolean().describe('It was taken back before it was over.'),
  moved: z.number().describe('Channels that other nodes serve now, and this one no more.'),
  moving: z.number().describe('Channels that another node serves too.'),
  waiting: ChannelNames.describe('Channels that only this node serves.'),
  kept: ChannelNames.describe('Channels that could not move, and why.'),
  ended: z.number().describe('Channels that no node serves any more, such as those of a deleted app.'),
  finished: z.number().describe('Requests that were under way when their channel was let go of, and were answered.'),
  dropped: z.number().describe('Those that were not.'),
  underWay: z.number().describe('Those that are still under way.'),
  complete: z.boolean().describe('Whether `finished` and `dropped` have everything: not after the node was killed meanwhile.'),
});
export type DrainView = z.infer<typeof DrainView>;

export const NodeSummary = z.object({
  name: NodeName,
  state: NodeState,
  wanted: NodeWish.describe('What the operator wants of it.'),
  lastSeenAt: z.iso.datetime(),
  lostSince: z.iso.datetime().nullable(),
  platform: z.string().nullable().describe('The release that it runs.'),
  engines: Engines.describe('Versions of the engine whose builds it runs, the preferred one first.'),
  zone: z.string(),
  labels: NodeLabels,
  taints: z.array(NodeTaint),
  capacity: NodeCapacity.nullable().describe('For apps; null: it does not say.'),
  sickness: z.string().nullable().describe('Why it says that it cannot serve.'),
  runners: z.number(),
  channels: z.number().describe('Channels that it holds.'),
  load: z.object({ inFlight: z.number(), requestsPerSecond: z.number(), milliCores: z.number() }).nullable().describe('What apps asked of it when it last said so; null: it does not say.'),
});
export type NodeSummary = z.infer<typeof NodeSummary>;

export const NodeView = NodeSummary.extend({
  firstSeenAt: z.iso.datetime(),
  startCount: z.number().describe('Its starts so far.'),
  capabilities: z.array(z.string()),
  gateway: GatewayAddress.nullable(),
  unshippedBytes: z.number().describe('Of its journals, not taken yet when it last said so.'),
  holds: z.array(AssignmentStatus.extend({ ready: z.boolean().describe('It serves the channel.'), load: ChannelLoad.omit({ app: true, channel: true }).nullable() })),
  drain: DrainView.nullable().describe('The drain that is under way, or the last one.'),
});
export type NodeView = z.infer<typeof NodeView>;

export const NodeRemoval = z.object({
  node: NodeView,
  lost: z.array(z.string()).describe('What was on the node alone, by name.'),
});
export type NodeRemoval = z.infer<typeof NodeRemoval>;

export const NodeListQuery = PageQuery.extend({
  state: NodeState.optional().describe('Those in this state.'),
  label: z.string().regex(/^[^=,]+=[^=,]+(,[^=,]+=[^=,]+)*$/, 'expected key=value, several with commas between them').optional().describe('Those with these labels, `key=value` with commas between them.'),
});
export type NodeListQuery = z.infer<typeof NodeListQuery>;
