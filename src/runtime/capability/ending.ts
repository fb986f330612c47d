/**
 * The end of an invocation, for whoever waits on its behalf. An AbortSignal in a small form: making, listening to and ending one costs
 * a request next to nothing, while the platform's makes events and an error for each.
 */
export class Ending {
  isOver = false;
  private listeners: (() => void)[] = [];

  /** `listener` is called once, at the end; not at all when that has been. */
  on(listener: () => void): void {
    this.listeners.push(listener);
  }

  off(listener: () => void): void {
    const at = this.listeners.indexOf(listener);
    if (at >= 0) this.listeners.splice(at, 1);
  }

  /** What a listener takes off is not called any more. */
  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    while (this.listeners.length > 0) this.listeners.shift()!();
  }
}
