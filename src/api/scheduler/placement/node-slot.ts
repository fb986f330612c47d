import type { Standing } from './judge-fleet.js';
import type { PlacementNode } from './placement-node.js';
import type { Holdings } from './placement.js';
import { seedOf } from './rendezvous.js';
import type { Resources } from './resources.js';

/** Of what is charged to a node. */
export interface Outlook {
  /** About to go: leaving, or with a successor elsewhere. */
  going: Resources;
  /** Could go: of channels that have more replicas than they must have. */
  extra: Resources;
  /** No single channel that could move has more of either. */
  largest: Resources;
}

/** A node with what is charged to it. */
export class NodeSlot {
  /** As last named; undefined: not named any more. */
  node: PlacementNode | undefined;
  standing: Standing = { kind: 'live' };
  /** Into the fleet's zones; -1 while unknown. */
  zone = -1;
  readonly seed: number;
  weight = 0;
  memoryBytes = 0;
  milliCores = 0;
  usedMemoryBytes = 0;
  usedMilliCores = 0;
  /** Keys of the channels that are here, leaving ones included. */
  readonly held = new Set<string>();
  holdings: Holdings = new Map();
  /** What may become free here; null: to be worked out anew. */
  outlook: Outlook | null = null;

  constructor(readonly name: string) {
    this.seed = seedOf(name);
  }

  describe(node: PlacementNode | undefined): void {
    this.node = node;
    const { memoryBytes, milliCores } = node?.capacity ?? { memoryBytes: 0, milliCores: 0 };
    this.memoryBytes = memoryBytes;
    this.milliCores = milliCores;
    // The geometric mean: the same proportions whatever the units.
    this.weight = Math.max(Math.sqrt(memoryBytes * milliCores), Number.MIN_VALUE);
  }

  charge({ memoryBytes, milliCores }: Resources): void {
    this.usedMemoryBytes += memoryBytes;
    this.usedMilliCores += milliCores;
  }

  discharge({ memoryBytes, milliCores }: Resources): void {
    this.usedMemoryBytes -= memoryBytes;
    this.usedMilliCores -= milliCores;
  }

  /** Nothing always fits: what is on disk only may go to a full node. */
  fits({ memoryBytes, milliCores }: Resources): boolean {
    return (memoryBytes === 0 || this.usedMemoryBytes + memoryBytes <= this.memoryBytes)
      && (milliCores === 0 || this.usedMilliCores + milliCores <= this.milliCores);
  }

  free(): Resources {
    return { memoryBytes: this.memoryBytes - this.usedMemoryBytes, milliCores: this.milliCores - this.usedMilliCores };
  }

  /** The fuller of memory and CPU with `need` added, as a share. */
  fillWith({ memoryBytes, milliCores }: Resources): number {
    return Math.max((this.usedMemoryBytes + memoryBytes) / this.memoryBytes, (this.usedMilliCores + milliCores) / this.milliCores);
  }

  isOver(): boolean {
    return this.usedMemoryBytes > this.memoryBytes || this.usedMilliCores > this.milliCores;
  }
}
