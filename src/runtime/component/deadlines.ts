/** Something that ends at a point in time unless it is taken out before. */
export interface Expiring {
  /** ms since the epoch. */
  readonly deadlineAt: number;
  expire(): void;
}

/** How late an expiry may be: one timer looks after all, so that an invocation does not need one of its own. */
const SWEEP_MS = 25;

/** Ends what has reached its deadline. */
export class Deadlines {
  private readonly waiting = new Set<Expiring>();
  private timer: NodeJS.Timeout | null = null;

  add(entry: Expiring): void {
    this.waiting.add(entry);
    this.timer ??= setInterval(() => this.sweep(), SWEEP_MS);
  }

  remove(entry: Expiring): void {
    this.waiting.delete(entry);
  }

  private sweep(): void {
    const now = Date.now();
    for (const entry of this.waiting) {
      if (entry.deadlineAt > now) continue;
      this.waiting.delete(entry);
      entry.expire();
    }
    if (this.waiting.size > 0 || !this.timer) return;
    clearInterval(this.timer);
    this.timer = null;
  }
}
