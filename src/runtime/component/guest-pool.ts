import type { CpuAccount, Slot } from '#engine/run/program.js';
import type { Invocation } from '#runtime/capability/guest.js';
import type { SlotState } from './slot-state.js';

export type GuestSlot = Slot<SlotState>;

/** An invocation as those who hand out slots see it. */
export interface Occupant extends Invocation {
  /** Whether a component called it: its caller waits, perhaps in the same instance. */
  readonly isChained: boolean;
  /** The CPU account that its calls run on; null: it has made none. */
  readonly account: CpuAccount | null;
  /** Nothing more comes of the request's body, whoever still reads it. */
  cutBody(): void;
  /** Whatever waits on its behalf ends. */
  endWaits(): void;
  /** It had been over before its guest was: now that is too. */
  settle(): void;
}

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
