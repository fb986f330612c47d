/** The CPU clock of the thread that runs guests. */
export interface CpuClock {
  /** Shared, one page; i64 at 0: CPU time of this thread in ns, written by a ticker thread. Compiled-in checks read it. */
  memory: WebAssembly.Memory;
  /** Exact CPU time of this thread in ns. */
  now(): bigint;
}

/** The ticking clock counts in ns, the one that is asked in µs: the guest may have been stopped by the one before the other shows it. */
const ROUNDING_NS = 5_000n;

/**
 * CPU time of one slot. The checks in its modules compare the ticking clock with the deadline of their own instance, so a deadline is
 * set whenever control goes from the host into the guest, and what is left is kept when it comes back.
 */
export class Meter {
  private deadlines: WebAssembly.Global[] = [];
  private depth = 0;
  private remainingNs = 0n;
  private usedNs = 0n;
  private enteredAtNs = 0n;
  private deadlineNs = 0n;

  constructor(private readonly clock: CpuClock) {}

  /** New core instances: their deadlines replace all that are known. */
  detachAll(): void {
    this.deadlines = [];
  }

  attach(deadline: WebAssembly.Global): void {
    this.deadlines.push(deadline);
    deadline.value = this.deadlineNs;
  }

  setBudget(budgetNs: bigint): void {
    this.remainingNs = budgetNs;
    this.usedNs = 0n;
    if (this.depth > 0) this.arm();
  }

  /** CPU time since the budget was set, without what passed while the guest waited. */
  get cpuNs(): bigint {
    return this.depth > 0 ? this.usedNs + this.clock.now() - this.enteredAtNs : this.usedNs;
  }

  enter(): void {
    if (this.depth++ === 0) this.arm();
  }

  leave(): void {
    // a stop in between has already closed the account
    if (this.depth === 0 || --this.depth > 0) return;
    this.charge();
  }

  /** Nothing may run any more: whatever still does meets a deadline that has passed. */
  stop(): void {
    if (this.depth > 0) this.charge();
    this.depth = 0;
    this.setDeadline(0n);
  }

  /**
   * The budget is used up. Of a guest that has left, what counts is the time until then: how it ended may be known only when others have
   * run meanwhile.
   */
  get isOver(): boolean {
    return this.depth > 0 ? this.clock.now() + ROUNDING_NS >= this.deadlineNs : this.remainingNs <= ROUNDING_NS;
  }

  private arm(): void {
    this.enteredAtNs = this.clock.now();
    this.setDeadline(this.enteredAtNs + this.remainingNs);
  }

  private charge(): void {
    const spent = this.clock.now() - this.enteredAtNs;
    this.usedNs += spent;
    this.remainingNs -= spent;
  }

  private setDeadline(ns: bigint): void {
    this.deadlineNs = ns;
    // the global is signed, and the check unsigned: a deadline never goes below zero
    const value = ns < 0n ? 0n : ns;
    for (const deadline of this.deadlines) deadline.value = value;
  }
}
