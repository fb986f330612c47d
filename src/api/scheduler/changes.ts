import type { NodeAssignments } from '#contract/assignment.js';
import { fingerprintOf } from './assign.js';

/** A node that is connected lags by one or two; one that comes back later gets everything. */
const REVISIONS_KEPT = 32;

/** States that this replica has seen, to answer with what has changed since. */
export class Changes {
  /** By revision, the oldest first: the fingerprint of each channel's assignment. */
  private readonly seen = new Map<string, ReadonlyMap<string, string>>();

  /**
   * What takes a node from `after` to `state`: the assignments that differ. Everything when `after` is none that is remembered. Nodes keep
   * what is not named, and a channel with nothing left to hold is named with nothing.
   */
  since(after: string | undefined, state: NodeAssignments): NodeAssignments {
    const now = this.note(state);
    const before = after === undefined ? undefined : this.seen.get(after);
    // What has gone from the state without a trace cannot be said in a change.
    if (!before || [...before.keys()].some((key) => !now.has(key) && !isRemoved(key, state))) return state;
    return { ...state, assignments: state.assignments.filter((assignment) => before.get(keyOf(assignment)) !== now.get(keyOf(assignment))) };
  }

  private note(state: NodeAssignments): ReadonlyMap<string, string> {
    let fingerprints = this.seen.get(state.revision);
    if (fingerprints) return fingerprints;
    fingerprints = new Map(state.assignments.map((assignment) => [keyOf(assignment), fingerprintOf(assignment)]));
    this.seen.set(state.revision, fingerprints);
    for (const revision of this.seen.keys()) {
      if (this.seen.size <= REVISIONS_KEPT) break;
      this.seen.delete(revision);
    }
    return fingerprints;
  }
}

const keyOf = ({ app, channel }: { app: string; channel: string }): string => `${app}/${channel}`;

function isRemoved(key: string, { removed = [] }: NodeAssignments): boolean {
  return removed.some((channel) => keyOf(channel) === key);
}
