import { Admission, type Waiter } from './admission.js';
import type { Deadlines, Expiring } from './deadlines.js';

/** What waits at a gate: `enter` or `turnAway` is called, once. */
export interface Entrant {
  enter(): void;
  turnAway(why: string): void;
}

export interface GateOptions {
  /** Entrants inside at a time. */
  concurrency: number;
  maxQueued: number;
  maxWaitMs: number;
}

class Waiting implements Expiring {
  constructor(readonly entrant: Entrant, readonly deadlineAt: number, private readonly onExpire: (waiting: Waiting) => void) {}

  expire(): void {
    this.onExpire(this);
  }
}

/** Lets so many in at a time, as long as the runner has room; the others wait in order, for so long at most. */
export class Gate implements Waiter {
  private inside = 0;
  private readonly queue: Waiting[] = [];

  /** @param admission what the gate shares with others; without one it has room of its own */
  constructor(private readonly options: GateOptions, private readonly deadlines: Deadlines, private readonly admission = new Admission(Infinity)) {}

  get queued(): number {
    return this.queue.length;
  }

  /**
   * Lets `entrant` in, makes it wait or refuses it. Returns a function that takes it out of the queue.
   * @param chained it was called by one that is inside already
   */
  arrive(entrant: Entrant, chained = false): (() => void) | null {
    const { concurrency, maxQueued, maxWaitMs } = this.options;
    const hasPlace = this.inside < concurrency;
    // Behind others that wait for room alone, a chained call would wait for its own caller.
    if (hasPlace && (chained || this.queue.length === 0) && this.admission.take(chained)) {
      this.inside++;
      entrant.enter();
      return null;
    }
    if (this.queue.length >= maxQueued) {
      entrant.turnAway(`${this.inside} are running and ${maxQueued} waiting`);
      return null;
    }
    const waiting = new Waiting(entrant, Date.now() + maxWaitMs, (late) => {
      this.take(late);
      entrant.turnAway(`waited for ${maxWaitMs} ms`);
    });
    this.queue.push(waiting);
    this.admission.queued++;
    this.deadlines.add(waiting);
    if (hasPlace) this.admission.wait(this);
    return () => this.take(waiting);
  }

  /** One that was let in is done. */
  leave(): void {
    this.inside--;
    this.admission.leave();
    if (this.queue.length > 0) this.admission.wait(this);
    this.admission.pass();
  }

  admitNext(): boolean {
    if (this.inside >= this.options.concurrency || this.queue.length === 0) return false;
    if (this.admission.take(false)) {
      const next = this.queue.shift()!;
      this.admission.queued--;
      this.deadlines.remove(next);
      this.inside++;
      next.entrant.enter();
    }
    return this.queue.length > 0 && this.inside < this.options.concurrency;
  }

  private take(waiting: Waiting): void {
    const at = this.queue.indexOf(waiting);
    if (at < 0) return;
    this.queue.splice(at, 1);
    this.admission.queued--;
    this.deadlines.remove(waiting);
    if (this.queue.length === 0) this.admission.forget(this);
  }
}
