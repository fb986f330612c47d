/**
 * Runs what is added one at a time, each in a turn of the event loop of its own and after the loop has looked at its sockets again: so
 * that what takes long does not keep from noticing that nobody waits for the next any more.
 */
export class TurnQueue {
  private readonly queue: (() => void)[] = [];
  private running = false;

  add(work: () => void): void {
    this.queue.push(work);
    if (this.running) return;
    this.running = true;
    this.later();
  }

  private later(): void {
    // The first immediate may still belong to the turn in which the work came in; the sockets are looked at between the two.
    setImmediate(() => setImmediate(() => {
      this.queue.shift()!();
      if (this.queue.length > 0) this.later();
      else this.running = false;
    }));
  }
}
