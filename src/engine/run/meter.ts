import type { CpuAccount } from './cpu-account.js';

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
 * set whenever control goes from the host into the guest, from what is left to the account of the task that runs, and the account is
 * charged when control comes back.
 */
export class Meter {
  private deadlines: WebAssembly.Global[] = [];
  private depth = 0;
  /** Whose task runs, or ran last. */
  private account: CpuAccount | null = null;
  private enteredAtNs = 0n;
  private deadlineNs = 0n;

  /** `onSwitch`: told the holder of an account before a task of another one runs. */
  constructor(private readonly clock: CpuClock, private readonly onSwitch: ((holder: unknown) => void) | null = null) {}

  /** New core instances: their deadlines replace all that are known. */
  detachAll(): void {
    this.deadlines = [];
  }

  attach(deadline: WebAssembly.Global): void {
    this.deadlines.push(deadline);
    deadline.value = this.deadlineNs;
  }

  /** Nothing runs: whoever the last account was for is let go of. */
  forget(): void {
    this.account = null;
  }

  /** CPU time of an account, without what passed while its tasks waited. */
  cpuNs(account: CpuAccount): bigint {
    return this.runs(account) ? account.usedNs + this.clock.now() - this.enteredAtNs : account.usedNs;
  }

  /** What a guest calls while it runs is on its own account: within a call none is changed. */
  enter(account: CpuAccount): void {
    if (this.depth++ > 0) return;
    if (account !== this.account) {
      this.account = account;
      this.onSwitch?.(account.holder);
    }
    this.enteredAtNs = this.clock.now();
    this.setDeadline(this.enteredAtNs + account.remainingNs);
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
   * The account is used up. Of a guest that has left, what counts is the time until then: how it ended may be known only when others have
   * run meanwhile.
   */
  isOver(account: CpuAccount): boolean {
    return this.runs(account) ? this.clock.now() + ROUNDING_NS >= this.deadlineNs : account.remainingNs <= ROUNDING_NS;
  }

  private runs(account: CpuAccount): boolean {
    return this.depth > 0 && account === this.account;
  }

  private charge(): void {
    const account = this.account!;
    const spent = this.clock.now() - this.enteredAtNs;
    account.usedNs += spent;
    account.remainingNs -= spent;
  }

  private setDeadline(ns: bigint): void {
    this.deadlineNs = ns;
    // the global is signed, and the check unsigned: a deadline never goes below zero
    const value = ns < 0n ? 0n : ns;
    for (const deadline of this.deadlines) deadline.value = value;
  }
}
