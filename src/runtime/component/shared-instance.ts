import { Trap } from '#engine/run/host.js';
import type { Expiring } from './deadlines.js';
import { noteErrors, type GuestSlot } from './guest-pool.js';
import type { IdleInvocation } from './idle-invocation.js';
import type { Reuse } from './limits.js';
import type { Occupant } from './occupant.js';
import type { SharedSlotState } from './shared-slot-state.js';

/** What an instance tells of itself. */
export interface SharedInstanceEvents {
  /** It takes nobody in any more. */
  retired(instance: SharedInstance): void;
  /** Nothing of it runs: its slot may be reset. */
  ended(instance: SharedInstance): void;
}

/**
 * One instance that serves several invocations, one after the other or at a time. It is retired after so many, after a time without any,
 * after a trap, and when the guest of an invocation that is over goes on; then it ends as soon as the last one is over.
 */
export class SharedInstance implements Expiring {
  deadlinePlace: number | undefined = undefined;
  isRetired = false;
  private served = 0;
  private inside = 0;
  private idleSinceMs = Date.now();
  private isEnded = false;
  /** Over for their clients, while their guests go on. */
  private readonly lingering: Occupant[] = [];

  constructor(readonly slot: GuestSlot, private readonly reuse: Reuse, private readonly on: SharedInstanceEvents) {}

  private get state(): SharedSlotState {
    return this.slot.state as SharedSlotState;
  }

  get isEmpty(): boolean {
    return this.inside === 0;
  }

  get hasRoom(): boolean {
    return !this.isRetired && !this.slot.poisoned && this.inside < this.reuse.concurrent;
  }

  /** When it is let go of, as long as nobody comes in. */
  get deadlineAt(): number {
    return this.isEmpty ? this.idleSinceMs + this.reuse.idleMs : Infinity;
  }

  expire(): void {
    this.retire();
  }

  enter(): void {
    this.inside++;
    if (++this.served >= this.reuse.requests) this.close();
  }

  leave(occupant: Occupant): void {
    const { slot, state } = this;
    const { account } = occupant;
    this.inside--;
    this.idleSinceMs = Date.now();
    // the guest learns that nobody reads what it writes, and that nothing comes any more; most end by that
    noteErrors(occupant, state.release(occupant));
    occupant.cutBody();
    if (account && account.tasks > 0) slot.cancel(account);
    if (account && account.tasks > 0) {
      this.lingering.push(occupant);
      this.close();
    } else {
      occupant.endWaits();
      state.forget(occupant);
    }
    if (slot.poisoned) this.close();
    if (this.isRetired) this.endIfEmpty();
  }

  /** Takes nobody in any more, and ends when the last one is over. */
  retire(): void {
    this.close();
    this.endIfEmpty();
  }

  /** Its state goes; `idle` is what the slot is at from now on. */
  clear(idle: IdleInvocation): readonly unknown[] {
    return this.state.end(idle);
  }

  private close(): void {
    if (this.isRetired) return;
    this.isRetired = true;
    this.on.retired(this);
  }

  private endIfEmpty(): void {
    if (!this.isEmpty || this.isEnded) return;
    this.isEnded = true;
    if (this.lingering.length > 0) this.slot.kill(new Trap('the invocation is over'));
    for (const occupant of this.lingering) {
      occupant.endWaits();
      noteErrors(occupant, this.state.release(occupant));
      this.state.forget(occupant);
      occupant.settle();
    }
    this.on.ended(this);
  }
}
