/** An answer that is held back for a moment. */
export interface HeldAnswer {
  /** Sends what there is of it. */
  flush(): void;
}

/** Complete answers wait so long at most before they are sent. */
const MAX_HOLD_MS = 0.5;

/**
 * The answers of one turn of the event loop. What is complete is sent together, when the turn ends or a moment has passed: sending right
 * after each guest costs about twice as much, since guests and the network's code then drive each other out of the processor's caches,
 * and the other side is woken for each answer anew. What is not complete at the end of the turn leaves as far as it is.
 */
export class AnswerBatch {
  private open: HeldAnswer[] = [];
  private complete: HeldAnswer[] = [];
  private heldSinceMs = 0;
  private scheduled = false;

  /** An answer has begun; it may be complete before the turn ends. */
  hold(answer: HeldAnswer): void {
    this.open.push(answer);
    this.schedule();
  }

  /** An answer is complete. */
  end(answer: HeldAnswer): void {
    if (this.complete.push(answer) === 1) {
      this.heldSinceMs = performance.now();
      this.schedule();
    } else if (performance.now() - this.heldSinceMs > MAX_HOLD_MS) {
      this.flush();
    }
  }

  /** Sends what is complete: before anything that takes the thread for long. */
  flush(): void {
    const { complete } = this;
    if (complete.length === 0) return;
    this.complete = [];
    for (const answer of complete) answer.flush();
  }

  /** Sends all that there is. */
  endTurn(): void {
    this.flush();
    const { open } = this;
    if (open.length === 0) return;
    this.open = [];
    for (const answer of open) answer.flush();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.endTurn();
    });
  }
}
