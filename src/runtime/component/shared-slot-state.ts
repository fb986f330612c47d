import type { HostMemory } from '#runtime/capability/host-memory.js';
import { Belongings } from './belongings.js';
import type { IdleInvocation } from './idle-invocation.js';
import type { Occupant } from './occupant.js';
import { runReleases, SlotState } from './slot-state.js';

/** The state of a slot in which several invocations take turns: `invocation` is always the one whose code runs, or ran last. */
export class SharedSlotState extends SlotState {
  /** Of the invocation whose code runs, or ran last; null: start code. */
  override own: Belongings | null = null;
  /** Accounts of invocations that are over: the guest may have kept what was made for them. */
  private readonly left: HostMemory[] = [];

  /** It begins when its code runs. */
  override begin(occupant: Occupant, memory: HostMemory): void {
    occupant.belongings = new Belongings(memory);
  }

  /** Code of the given invocation is about to run; null: start code. */
  switchTo(occupant: Occupant | null): void {
    if (!occupant) return;
    this.invocation = occupant;
    this.own = occupant.belongings;
    this.memory = occupant.belongings!.memory;
  }

  override defer(release: () => void): void {
    if (this.own) this.own.releases.push(release);
    else super.defer(release);
  }

  /** Its guest may go on: what that defers is run by another call. */
  override release({ belongings }: Occupant): readonly unknown[] {
    return runReleases(belongings!.releases);
  }

  /** Nothing of the invocation runs any more. */
  forget({ belongings }: Occupant): void {
    this.left.push(belongings!.memory);
  }

  /** The slot gets a fresh state. */
  end(idle: IdleInvocation): readonly unknown[] {
    for (const memory of this.left.splice(0)) memory.close();
    this.invocation = idle;
    this.own = null;
    return this.releaseOwn();
  }
}
