import { z } from 'zod';
import { AssignmentStatus, Engines, UNSAID_ENGINES } from '#contract/assignment.js';
import { effectiveWish, NodeFacts, NodeWish } from '#contract/node-facts.js';
import { nameOf } from '../placed-index.js';
import type { PlacementNode } from '../placement/placement-node.js';
import type { Holding } from '../placement/placement.js';
import type { ChannelRow } from './channel-row.js';

/** What changes of a node without a report. */
export interface NodePulse {
  node: string;
  wanted: string;
  lastSeenMs: number;
}

/** What a node last said. */
export const NodeRow = z.object({
  node: z.string(),
  facts: NodeFacts.pick({ zone: true, labels: true, taints: true, capacity: true, capabilities: true, sickness: true, farewell: true }).extend({ engines: Engines.default(UNSAID_ENGINES) }),
  statuses: z.array(AssignmentStatus.pick({ app: true, channel: true, generation: true, placement: true, prepared: true })),
});
export type NodeRow = z.infer<typeof NodeRow>;

/** A node that does not say how large it is counts as large enough: whole numbers of which sums stay exact. */
const UNSAID_CAPACITY = { memoryBytes: 2 ** 50, milliCores: 2 ** 40 };

/** A node as placement sees it. One that says that it stops is drained, as if the operator had wished so. */
export function toPlacementNode({ facts }: Pick<NodeRow, 'facts'>, { node, wanted, lastSeenMs }: NodePulse): PlacementNode {
  const { farewell, engines, zone, labels, taints, capacity = UNSAID_CAPACITY, capabilities, sickness } = facts;
  const wish = NodeWish.parse(wanted);
  return { name: node, zone, labels, taints, capacity, engines, capabilities, sickness, wanted: effectiveWish(wish, farewell), lastSeenMs };
}

/**
 * What a node says that it holds, by the channels' ids: of apps that have the names now, not of earlier ones. Ready is what has all that the
 * channel serves prepared. What a node of a release without placement says is of none: it holds the channel and is never ready.
 */
export function toHoldings({ statuses }: Pick<NodeRow, 'statuses'>, byName: ReadonlyMap<string, ChannelRow>): Map<string, Holding> {
  const holdings = new Map<string, Holding>();
  for (const status of statuses) {
    const row = byName.get(nameOf(status));
    if (!row || (status.generation !== 0 && status.generation < row.firstGeneration)) continue;
    const ready = status.generation > 0 && row.serve.every(({ version }) => status.prepared.includes(version));
    holdings.set(row.id, { generation: status.placement ?? 0, ready });
  }
  return holdings;
}
