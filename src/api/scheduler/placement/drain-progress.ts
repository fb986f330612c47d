import type { PlacementChannel } from './placement-channel.js';
import type { Holdings, Placement } from './placement.js';

/** How far a node is with letting go of everything. */
export interface DrainProgress {
  /** Replicas that are here and have no successor yet. */
  waiting: number;
  /** With a successor that is not ready yet. */
  moving: number;
  /** Without requests to come; the node finishes those in flight. */
  leaving: number;
  /** Names of channels that cannot go, since their state is in files of this node. */
  blocked: readonly string[];
  /** Nothing is here any more, and the node says the same. */
  done: boolean;
}

/**
 * Counts what is left on a node. `report`: what the node says that it holds. The counts go to 0 in the order waiting, moving, leaving: a replica leaves only when
 * another is ready.
 */
export function drainProgress(node: string, channels: ReadonlyMap<string, PlacementChannel>, placement: Placement, report: Holdings | undefined): DrainProgress {
  const progress = { waiting: 0, moving: 0, leaving: 0 };
  const blocked: string[] = [];
  for (const [key, { replicas }] of placement.channels) {
    const replica = replicas.find((each) => each.node === node);
    if (!replica) continue;
    const channel = channels.get(key);
    if (replica.leaving) progress.leaving++;
    else if (channel && channel.stateGroup !== null) blocked.push(channel.name);
    else if (replicas.some((each) => each.replaces === node && !each.leaving)) progress.moving++;
    else progress.waiting++;
  }
  const isEmpty = progress.waiting + progress.moving + progress.leaving + blocked.length === 0;
  return { ...progress, blocked: blocked.sort(), done: isEmpty && (report?.size ?? 0) === 0 };
}
