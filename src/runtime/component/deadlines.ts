/** Something that ends at a point in time unless it is taken out before. */
export interface Expiring {
  /** ms since the epoch. */
  readonly deadlineAt: number;
  /** Place among those that wait; kept by `Deadlines`. undefined: it does not wait. */
  deadlinePlace?: number | undefined;
  expire(): void;
}

/** How late an expiry may be: one timer looks after all, so that an invocation does not need one of its own. */
const SWEEP_MS = 25;

/** Ends what has reached its deadline. An array with places, since a set makes garbage at each change. */
export class Deadlines {
  private readonly waiting: Expiring[] = [];
  private timer: NodeJS.Timeout | null = null;

  add(entry: Expiring): void {
    if (entry.deadlinePlace !== undefined) return;
    entry.deadlinePlace = this.waiting.length;
    this.waiting.push(entry);
    this.timer ??= setInterval(() => this.sweep(), SWEEP_MS);
  }

  remove(entry: Expiring): void {
    const place = entry.deadlinePlace;
    if (place === undefined) return;
    entry.deadlinePlace = undefined;
    const last = this.waiting.pop()!;
    if (last === entry) return;
    this.waiting[place] = last;
    last.deadlinePlace = place;
  }

  private sweep(): void {
    const now = Date.now();
    for (const entry of this.waiting.filter(({ deadlineAt }) => deadlineAt <= now)) {
      // one that expired before may have taken it out
      if (entry.deadlinePlace === undefined) continue;
      this.remove(entry);
      entry.expire();
    }
    if (this.waiting.length > 0 || !this.timer) return;
    clearInterval(this.timer);
    this.timer = null;
  }
}
