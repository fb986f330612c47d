import { z } from 'zod';
import { AppName, ChannelName } from '#contract/ids.js';

const ReplicaView = z.object({
  node: z.string(),
  generation: z.int().describe("The channel's placement generation when the node got it; what a node says counts when it is of this one."),
  active: z.boolean().describe('It takes room on the node. Otherwise the node has it on disk alone, and loads it for the first request.'),
  leaving: z.boolean().describe('No request goes to it any more; it is here until the node says that it has let go.'),
  replaces: z.string().nullable().describe('The node whose replica leaves as soon as this one is ready.'),
  ready: z.boolean().describe('The node has switched to the channel, and has all that it serves prepared.'),
  reason: z.string(),
});

const NodeReason = z.object({
  node: z.string(),
  chosen: z.boolean(),
  code: z.string().describe('chosen, leaving, home, room, zone, spare; or why it is refused: unknown, removed, lost, sick, draining, cordoned, returned, engine, capability, affinity, taint.'),
  reason: z.string(),
});

const Frozen = z.object({ since: z.iso.datetime(), reason: z.string() }).nullable().describe('Since when and why nothing is decided; null: decisions are made.');

export const PlacementView = z.object({
  app: AppName,
  channel: ChannelName,
  generation: z.int().describe('Grows with each change of the replicas. 0: nobody has placed it yet.'),
  pinnedBy: z.array(z.string()).describe('Stores in files of a node: what keeps the channel at one node.'),
  replicas: z.array(ReplicaView),
  frozen: Frozen,
  summary: z.string().nullable().describe('null: no control plane leads the scheduler at the moment.'),
  scaling: z.string().nullable().describe('Why it has as many replicas, with figures; null: it has had no requests lately.'),
  nodes: z.array(NodeReason).describe('Every node: why it was chosen, or why not.'),
});
export type PlacementView = z.infer<typeof PlacementView>;

export const FleetView = z.object({
  state: z.enum(['deciding', 'frozen', 'leaderless']).describe('`frozen`: most nodes vanished at once, and nothing is moved. `leaderless`: no control plane has looked for some seconds; nodes serve on.'),
  leader: z.string().nullable().describe('The control plane that decides, or decided last.'),
  epoch: z.int().describe('Grows with each leader.'),
  since: z.iso.datetime().nullable().describe('Since when it leads.'),
  passedAt: z.iso.datetime().nullable().describe('When it last looked.'),
  frozen: Frozen,
  short: z.object({ count: z.int(), channels: z.array(z.string()) }).describe('Channels with fewer replicas than they must have: how many, and the first of them.'),
  over: z.array(z.string()).describe('Nodes with more than fits.'),
  moving: z.int().describe('Moves of replicas under way.'),
});
export type FleetView = z.infer<typeof FleetView>;
