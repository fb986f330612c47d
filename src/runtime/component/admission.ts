/** What waits until the runner has room: a gate, for the first in its queue. */
export interface Waiter {
  /** Lets its first in, unless it must wait for something else. True: the next one is ready too. */
  admitNext(): boolean;
}

/**
 * Room for invocations of all components of a runner. Each of them may hold a suspended stack, an instance's memory and its place in the
 * address space, of which a process has only so many. When it is used up, gates take turns, so that no component starves another.
 */
export class Admission {
  private inside = 0;
  /** Those that wait at all gates together. */
  queued = 0;
  private readonly waiters = new Set<Waiter>();
  private isPassing = false;

  constructor(private readonly maxInside: number) {}

  /**
   * Takes a place if there is one. Calls of components by components have as many again: those who wait for their answers hold places
   * already, and would wait for ever.
   */
  take(chained: boolean): boolean {
    if (this.inside >= (chained ? 2 * this.maxInside : this.maxInside)) return false;
    this.inside++;
    return true;
  }

  get running(): number {
    return this.inside;
  }

  /** Gives a place back. */
  leave(): void {
    this.inside--;
  }

  /** Asks for a turn of `waiter`'s as soon as there is room. */
  wait(waiter: Waiter): void {
    this.waiters.add(waiter);
  }

  forget(waiter: Waiter): void {
    this.waiters.delete(waiter);
  }

  /**
   * Gives the room that there is to those who wait. One that was let in may be done at once and call this again: that is noted, so that
   * a long queue does not become a deep stack.
   */
  pass(): void {
    if (this.isPassing || this.waiters.size === 0) return;
    this.isPassing = true;
    try {
      while (this.inside < this.maxInside) {
        const { value: waiter } = this.waiters.values().next();
        if (!waiter) break;
        this.waiters.delete(waiter);
        if (waiter.admitNext()) this.waiters.add(waiter);
      }
    } finally {
      this.isPassing = false;
    }
  }
}
