import type { Resources } from './resources.js';

/** What keeps channels off a node unless they tolerate it. `move` also moves those away that are there. */
export interface Taint {
  key: string;
  value: string;
  effect: 'no-new' | 'move';
}

/** One node as placement sees it: what the operator wants of it, and what it last said of itself. */
export interface PlacementNode {
  name: string;
  zone: string;
  labels: Readonly<Record<string, string>>;
  taints: readonly Taint[];
  /** For apps, what the node's own processes need taken off. */
  capacity: Resources;
  /** Versions of the engine whose builds it runs. */
  engines: readonly string[];
  /** Names of what it supports beyond the engine, such as triggers and kinds of stores. */
  capabilities: readonly string[];
  /**
   * The operator's wish. Cordoned: keeps what it has, gets nothing new. Draining: what it has moves away. Removed: it is gone for good,
   * which is the only way to say so; a node that is merely not named counts as lost.
   */
  wanted: 'active' | 'cordoned' | 'draining' | 'removed';
  /** Why it says that it cannot serve; null: it can. */
  sickness: string | null;
  /** When it was last heard of, by the clock that `nowMs` is of. */
  lastSeenMs: number;
}
