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

/** Lets so many in at a time; the others wait in order, for so long at most. */
export class Gate {
  private inside = 0;
  private readonly queue: Waiting[] = [];

  constructor(private readonly options: GateOptions, private readonly deadlines: Deadlines) {}

  get queued(): number {
    return this.queue.length;
  }

  /** Lets `entrant` in, makes it wait or refuses it. Returns a function that takes it out of the queue. */
  arrive(entrant: Entrant): (() => void) | null {
    const { concurrency, maxQueued, maxWaitMs } = this.options;
    if (this.inside < concurrency) {
      this.inside++;
      entrant.enter();
      return null;
    }
    if (this.queue.length >= maxQueued) {
      entrant.turnAway(`${concurrency} are running and ${maxQueued} waiting`);
      return null;
    }
    const waiting = new Waiting(entrant, Date.now() + maxWaitMs, (late) => {
      this.take(late);
      entrant.turnAway(`waited for ${maxWaitMs} ms`);
    });
    this.queue.push(waiting);
    this.deadlines.add(waiting);
    return () => this.take(waiting);
  }

  /** One that was let in is done. */
  leave(): void {
    const next = this.queue.shift();
    if (!next) {
      this.inside--;
      return;
    }
    this.deadlines.remove(next);
    next.entrant.enter();
  }

  private take(waiting: Waiting): void {
    const at = this.queue.indexOf(waiting);
    if (at < 0) return;
    this.queue.splice(at, 1);
    this.deadlines.remove(waiting);
  }
}
