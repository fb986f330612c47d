import type { CpuAccount } from '#engine/run/program.js';
import type { Invocation } from '#runtime/capability/guest.js';
import type { Belongings } from './belongings.js';

/** An invocation as those who hand out slots see it. */
export interface Occupant extends Invocation {
  /** Whether a component called it: its caller waits, perhaps in the same instance. */
  readonly isChained: boolean;
  /** The CPU account that its calls run on; null: it has made none. */
  readonly account: CpuAccount | null;
  /** What it has in a slot that others share. */
  belongings: Belongings | null;
  /** Nothing more comes of the request's body, whoever still reads it. */
  cutBody(): void;
  /** Whatever waits on its behalf ends. */
  endWaits(): void;
  /** It had been over before its guest was: now that is too. */
  settle(): void;
}
