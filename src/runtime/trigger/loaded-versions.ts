import type { AppLane } from './version-host.js';

/** A version, as far as letting go of it is concerned. */
export interface Unloadable {
  readonly lane: Pick<AppLane, 'app' | 'channel'>;
  /** When it was last asked for, ms since the epoch. */
  readonly usedAtMs: number;
  /** False when it is in use. */
  unload(): boolean;
}

/** When versions are let go of. */
export interface LoadedBounds {
  /** No request for any version of the channel for so long. */
  idleAfterMs: number;
  /** Versions loaded at a time. */
  maxLoaded: number;
  /** Resident memory of the process from which on the least recently used ones go. */
  memoryBytes: number;
}

/** What the process says of its memory, and does about it. */
export interface ProcessMemory {
  rssBytes(): number;
  /** Something large was let go of. */
  collect(): void;
}

/** When one is too many, this part of what may be loaded goes at a time: giving memory back costs a look at all of it. */
const PART_FOR_ROOM = 10;
/** Of those that could go, this part goes at a time when memory is short: what one gives back is seen at the next look. */
const PART_FOR_MEMORY = 4;

/**
 * The versions of a runner that are loaded. All of a channel with traffic stay: the one that is not served any more is what a rollback
 * needs at once.
 */
export class LoadedVersions {
  private readonly versions = new Set<Unloadable>();

  constructor(private readonly bounds: LoadedBounds, private readonly memory: ProcessMemory) {}

  get size(): number {
    return this.versions.size;
  }

  /** Notes that a version is loaded, and makes room for it. */
  add(version: Unloadable): void {
    this.versions.add(version);
    const { maxLoaded } = this.bounds;
    const surplus = this.versions.size - maxLoaded;
    if (surplus <= 0) return;
    const others = this.leastUsed().filter((each) => each !== version);
    if (this.unload(others, surplus + Math.floor(maxLoaded / PART_FOR_ROOM)) > 0) this.memory.collect();
  }

  delete(version: Unloadable): void {
    this.versions.delete(version);
  }

  /** Lets go of what nobody asks for, and of more when memory is short. To be called now and then. */
  sweep(nowMs: number): void {
    const lastUse = new Map<string, number>();
    for (const version of this.versions) lastUse.set(keyOf(version), Math.max(lastUse.get(keyOf(version)) ?? 0, version.usedAtMs));
    let gone = this.unload([...this.versions].filter((version) => nowMs - lastUse.get(keyOf(version))! >= this.bounds.idleAfterMs), Infinity);
    if (this.memory.rssBytes() > this.bounds.memoryBytes) gone += this.unload(this.leastUsed(), Math.ceil(this.versions.size / PART_FOR_MEMORY));
    if (gone > 0) this.memory.collect();
  }

  private leastUsed(): Unloadable[] {
    return [...this.versions].sort((a, b) => a.usedAtMs - b.usedAtMs);
  }

  /** How many went; at most `count` do. */
  private unload(candidates: readonly Unloadable[], count: number): number {
    let gone = 0;
    for (const version of candidates) {
      if (gone >= count) break;
      if (version.unload()) gone++;
    }
    return gone;
  }
}

function keyOf({ lane }: Unloadable): string {
  return `${lane.app}/${lane.channel}`;
}
