import type { Slot } from '#engine/run/program.js';
import type { Invocation } from '#runtime/capability/guest.js';
import type { Occupant } from './occupant.js';
import type { SlotState } from './slot-state.js';

export type GuestSlot = Slot<SlotState>;

/** Where the invocations of a component find slots. */
export interface GuestPool {
  /** Throws what start code throws. */
  acquire(occupant: Occupant): GuestSlot;
  /** The invocation must end now. What fails by it is told as such; when nothing does, the caller ends it. */
  stop(slot: GuestSlot, occupant: Occupant, error: Error): void;
  /** The invocation is over, whatever became of it: runs what was deferred for it. */
  release(slot: GuestSlot, occupant: Occupant): void;
}

/** Notes what went wrong when an invocation's things were put away. */
export function noteErrors(occupant: Invocation, errors: readonly unknown[]): void {
  for (const error of errors) occupant.note(`cleaning up: ${error instanceof Error ? error.message : String(error)}`);
}
