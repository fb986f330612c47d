import type { GuestGrant, Invocation } from '#runtime/capability/guest.js';
import type { HostMemory } from '#runtime/capability/host-memory.js';
import { runReleases, SlotState } from './slot-state.js';

/** What one of several invocations has in a slot. */
interface Belongings {
  memory: HostMemory;
  releases: (() => void)[];
}

/** The state of a slot in which several invocations take turns: `invocation` is always the one whose code runs, or ran last. */
export class SharedSlotState extends SlotState {
  override readonly isShared = true;
  private readonly belongings = new Map<Invocation, Belongings>();
  /** Accounts of invocations that are over: the guest may have kept what was made for them. */
  private readonly left: HostMemory[] = [];

  constructor(grant: GuestGrant, invocation: Invocation) {
    super(grant, invocation);
  }

  /** It begins when its code runs. */
  override begin(invocation: Invocation, memory: HostMemory): void {
    this.belongings.set(invocation, { memory, releases: [] });
  }

  /** Code of the given invocation is about to run; null: of none. */
  switchTo(invocation: Invocation | null): void {
    const its = invocation && this.belongings.get(invocation);
    if (!its) return;
    this.invocation = invocation;
    this.memory = its.memory;
  }

  override defer(release: () => void): void {
    const its = this.belongings.get(this.invocation);
    if (its) its.releases.push(release);
    else super.defer(release);
  }

  /** Its guest may go on: what that defers is run by another call. */
  override release(invocation: Invocation): readonly unknown[] {
    const its = this.belongings.get(invocation);
    return its ? runReleases(its.releases) : [];
  }

  /** Nothing of the invocation runs any more. */
  forget(invocation: Invocation): void {
    const its = this.belongings.get(invocation);
    if (!its) return;
    this.belongings.delete(invocation);
    this.left.push(its.memory);
  }

  /** The slot gets a fresh state. */
  end(idle: Invocation): readonly unknown[] {
    for (const memory of this.left.splice(0)) memory.close();
    this.invocation = idle;
    return super.release(idle);
  }
}
