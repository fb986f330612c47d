import type { Deadlines, Expiring } from '#runtime/component/deadlines.js';

/** Requests that wait for one process to switch, at most. */
const MAX_WAITING = 2_048;

/** What waits for a channel to be switched to a generation: `reached` or `late` is called, once. */
export interface GenerationWaiter {
  generation: number;
  reached(): void;
  late(): void;
}

/** Requests from other nodes that know of a newer generation of a channel than this process has switched to. */
export class GenerationWait {
  private readonly waiting = new Map<string, Set<GenerationWaiter & Expiring>>();
  private count = 0;

  constructor(private readonly deadlines: Deadlines, private readonly maxWaitMs: number) {}

  add(key: string, waiter: GenerationWaiter): void {
    if (this.count >= MAX_WAITING) return waiter.late();
    const entry: GenerationWaiter & Expiring = {
      ...waiter,
      deadlineAt: Date.now() + this.maxWaitMs,
      expire: () => {
        this.drop(key, entry);
        waiter.late();
      },
    };
    const entries = this.waiting.get(key) ?? new Set();
    this.waiting.set(key, entries.add(entry));
    this.count++;
    this.deadlines.add(entry);
  }

  /** A channel was switched. */
  switched(key: string, generation: number): void {
    for (const entry of this.waiting.get(key) ?? []) {
      if (entry.generation > generation) continue;
      this.deadlines.remove(entry);
      this.drop(key, entry);
      entry.reached();
    }
  }

  private drop(key: string, entry: GenerationWaiter & Expiring): void {
    const entries = this.waiting.get(key);
    if (!entries?.delete(entry)) return;
    this.count--;
    if (entries.size === 0) this.waiting.delete(key);
  }
}
