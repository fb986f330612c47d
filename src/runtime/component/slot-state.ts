import type { GuestGrant, GuestState, Invocation } from '#runtime/capability/guest.js';

const NONE: readonly unknown[] = [];

/** The state of one slot: whose it is, what it is at, and what must be let go when that is over. */
export class SlotState implements GuestState {
  private releases: (() => void)[] = [];

  constructor(readonly grant: GuestGrant, public invocation: Invocation) {}

  defer(release: () => void): void {
    this.releases.push(release);
  }

  /** Runs what was deferred, the last first. One that throws does not keep the others from running; its error is handed back. */
  release(): readonly unknown[] {
    if (this.releases.length === 0) return NONE;
    const errors: unknown[] = [];
    // A release may defer another one.
    while (this.releases.length > 0) {
      try {
        this.releases.pop()!();
      } catch (error) {
        errors.push(error);
      }
    }
    return errors;
  }
}
