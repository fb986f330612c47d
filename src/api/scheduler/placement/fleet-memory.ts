/** What is remembered of the nodes from pass to pass. Plain data, part of the placement. */
export interface FleetMemory {
  lastPassMs: number | null;
  /** Nobody looked before that: silence until then says nothing of a node. */
  observingSinceMs: number;
  nodes: Readonly<Record<string, NodeMemory>>;
  frozen: Frozen | null;
}

export interface NodeMemory {
  /** `in`: its replicas count. `lost`: they were given to others. */
  standing: 'in' | 'lost';
  /** When it was taken for lost; when it came back. Null: never. */
  lostAtMs: number | null;
  returnedAtMs: number | null;
}

/** Most nodes were absent at once: nothing is decided. */
export interface Frozen {
  sinceMs: number;
  /** The earliest end when some nodes stay away. */
  thawAtMs: number;
  /** In words with figures. */
  reason: string;
}

export const NO_FLEET: FleetMemory = { lastPassMs: null, observingSinceMs: 0, nodes: {}, frozen: null };
