import { leastOf, needOf, type PlacementChannel, targetOf } from './placement-channel.js';
import type { ChannelPlacement, Replica } from './placement.js';
import { classKeyOf } from './fleet-table.js';
import { seedOf } from './rendezvous.js';
import type { Resources } from './resources.js';

/** A channel with what follows from it alone. */
export class ChannelFacts {
  readonly need: Resources;
  readonly target: number;
  /** Nodes that should have it: as many as its target, and so many more that have it on disk that it is at hand where a node is lost. */
  readonly copies: number;
  readonly least: number;
  readonly isPinned: boolean;
  readonly seed: number;
  readonly classKey: string;
  /** Orders channels: large ones are placed first, while there are large gaps. */
  readonly size: number;

  constructor(readonly channel: PlacementChannel, diskCopies: number) {
    this.need = needOf(channel);
    this.target = targetOf(channel);
    this.least = leastOf(channel);
    this.isPinned = channel.stateGroup !== null;
    this.seed = seedOf(channel.key);
    this.classKey = classKeyOf(channel);
    // A core weighs as much as 2 GB, as on common machines.
    this.size = Math.max(this.need.memoryBytes / 2e9, this.need.milliCores / 1000);
    this.copies = channel.replicas.max === 0 ? 0 : this.isPinned ? 1 : Math.max(this.target, diskCopies);
  }

  compare(other: ChannelFacts): number {
    return other.size - this.size || (this.channel.key < other.channel.key ? -1 : 1);
  }
}

/** One channel in one pass: its replicas as they become. */
export class ChannelWork {
  readonly replicas: Replica[];
  /** Of the replicas that this pass adds, and of the placement if it changes anything. */
  readonly generation: number;
  changed = false;

  constructor(readonly facts: ChannelFacts, before: ChannelPlacement | undefined) {
    this.replicas = before?.replicas.map((replica) => ({ ...replica })) ?? [];
    this.generation = (before?.generation ?? 0) + 1;
  }

  get key(): string {
    return this.facts.channel.key;
  }

  /** Those that are to stay or have no successor yet: what counts against the target. */
  ordinary(): Replica[] {
    return this.replicas.filter(({ leaving, replaces }) => !leaving && replaces === null);
  }

  /** Of these, the ones that count: with a target, the active ones. */
  counted(): Replica[] {
    const ordinary = this.ordinary();
    return this.facts.target > 0 ? ordinary.filter(({ active }) => active) : ordinary;
  }

  /** Those on disk only beside active ones. */
  spares(): Replica[] {
    return this.facts.target > 0 ? this.ordinary().filter(({ active }) => !active) : [];
  }

  successors(): Replica[] {
    return this.replicas.filter(({ leaving, replaces }) => !leaving && replaces !== null);
  }

  /** What `counted` should come to. */
  get wanted(): number {
    return this.facts.target > 0 ? this.facts.target : this.facts.copies;
  }

  hasSuccessor({ node }: Replica): boolean {
    return this.replicas.some(({ leaving, replaces }) => !leaving && replaces === node);
  }
}
