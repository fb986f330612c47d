import type { FleetMemory } from './fleet-memory.js';

/** A channel on a node. */
export interface Replica {
  node: string;
  /**
   * The channel's generation when the node got it. What a node reports counts only when it is of this generation: one that was away and
   * returns with an older one is not taken for holding it.
   */
  generation: number;
  /** It takes requests and counts against the node's capacity. Otherwise the node has it on disk only. */
  active: boolean;
  /** No request is sent to it any more; it is here until the node says that it has let go. */
  leaving: boolean;
  /** The node whose replica leaves as soon as this one is ready: a move under way. */
  replaces: string | null;
  /** Why it is here, or why it leaves, in words with figures. */
  reason: string;
}

export interface ChannelPlacement {
  /** Grows with each change of the replicas, never goes back. */
  generation: number;
  /** By the node's name. */
  replicas: readonly Replica[];
}

/** What was decided so far. Plain data: it is kept in the database and handed back to the next pass. */
export interface Placement {
  /** By the channel's key. */
  channels: ReadonlyMap<string, ChannelPlacement>;
  /** The node that has the files, by state group. Only the operator, who knows what becomes of the files, takes a home away. */
  homes: ReadonlyMap<string, string>;
  fleet: FleetMemory;
}

/** What a node said of one channel. */
export interface Holding {
  /** Of the placement that it acts on. */
  generation: number;
  /** All that the channel serves is prepared. */
  ready: boolean;
}

/** By the channel's key. */
export type Holdings = ReadonlyMap<string, Holding>;
