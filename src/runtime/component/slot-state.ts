import type { GuestGrant, GuestState, Invocation } from '#runtime/capability/guest.js';
import { HostMemory } from '#runtime/capability/host-memory.js';
import type { Occupant } from './occupant.js';

const NONE: readonly unknown[] = [];
/** Start code makes little that lasts, and what it makes stays as long as the slot. */
const START_HOST_BYTES = 1024 * 1024;

/** The state of one slot: whose it is, what it is at, and what must be let go when that is over. */
export class SlotState implements GuestState {
  /** See SharedSlotState. */
  readonly own: { capabilities?: object } | null = null;
  private readonly releases: (() => void)[] = [];

  memory: HostMemory = new HostMemory(START_HOST_BYTES);

  constructor(readonly grant: GuestGrant, public invocation: Invocation) {}

  /** An invocation gets the slot. */
  begin(invocation: Occupant, memory: HostMemory): void {
    this.invocation = invocation;
    this.memory = memory;
  }

  defer(release: () => void): void {
    this.releases.push(release);
  }

  /** Runs what was deferred, the last first. One that throws does not keep the others from running; its error is handed back. */
  release(_occupant: Occupant): readonly unknown[] {
    return this.releaseOwn();
  }

  protected releaseOwn(): readonly unknown[] {
    const errors = runReleases(this.releases);
    this.memory.close();
    this.memory = new HostMemory(START_HOST_BYTES);
    return errors;
  }
}

/** Empties the list, the last first; gives the errors. */
export function runReleases(releases: (() => void)[]): readonly unknown[] {
  if (releases.length === 0) return NONE;
  const errors: unknown[] = [];
  // A release may defer another one.
  while (releases.length > 0) {
    try {
      releases.pop()!();
    } catch (error) {
      errors.push(error);
    }
  }
  return errors;
}
