/** One look of the control plane's at a time is under way for all who wait, and there are not more than so many. */
const MIN_PAUSE_MS = 200;
const PATIENCE_MS = 2_000;

/**
 * Asks whether there is something newer than the table says: what somebody asks for may have been deployed a moment ago. A look that began
 * before the question is no answer to it.
 */
export class TableNews {
  private lastCall = 0;
  private lastBegunMs = -MIN_PAUSE_MS;
  private waiting: (() => void)[] = [];
  private planned = false;
  private readonly underWay = new Map<number, (() => void)[]>();

  /** @param ask sends the question; `answered` is called with its number */
  constructor(private readonly ask: (call: number) => void, private readonly now: () => number = () => performance.now()) {}

  /** Calls `go` when the table is as new as the control plane has it now, or when that takes too long. */
  await(go: () => void): void {
    let isOver = false;
    const once = (): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      go();
    };
    const timer = setTimeout(once, PATIENCE_MS);
    this.waiting.push(once);
    if (this.planned) return;
    this.planned = true;
    setTimeout(() => this.begin(), Math.max(0, this.lastBegunMs + MIN_PAUSE_MS - this.now()));
  }

  answered(call: number): void {
    const waiting = this.underWay.get(call) ?? [];
    this.underWay.delete(call);
    for (const go of waiting) go();
  }

  private begin(): void {
    this.planned = false;
    this.lastBegunMs = this.now();
    const call = ++this.lastCall;
    this.underWay.set(call, this.waiting);
    this.waiting = [];
    this.ask(call);
  }
}
