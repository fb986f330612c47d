import type { PlacementChannel } from './placement-channel.js';
import type { PlacementNode } from './placement-node.js';
import type { Holdings } from './placement.js';

/** What is known now. For a `Placer` that goes on: channels and reports only as far as they are new. */
export interface News {
  /** By the clock that nodes' `lastSeenMs` is of. */
  nowMs: number;
  /** All of them. */
  nodes: readonly PlacementNode[];
  channels: readonly PlacementChannel[];
  /** Keys of channels that are gone for good. One that is merely not named stays as it is. */
  removed: readonly string[];
  /** What nodes say that they hold, by node. */
  reports: ReadonlyMap<string, Holdings>;
}
