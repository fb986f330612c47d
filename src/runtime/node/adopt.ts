import type { Assignment, NodeAssignments } from '#contract/assignment.js';
import { toKey } from './app-lane.js';

/**
 * What a node holds after an answer of the control plane: the answer, except that of an app that is held already an older generation
 * (or older values of its generation) never replaces a newer one. An app that the answer lacks is gone. An app that was deleted and
 * made again has a higher first generation.
 */
export function adopt(held: NodeAssignments | undefined, answer: NodeAssignments): NodeAssignments {
  const before = new Map(held?.assignments.map((assignment) => [toKey(assignment), assignment]));
  return {
    revision: answer.revision,
    assignments: answer.assignments.map((offered) => {
      const own = before.get(toKey(offered));
      return own && isOlder(offered, own) ? own : offered;
    }),
  };
}

function isOlder(offered: Assignment, own: Assignment): boolean {
  return offered.generation < own.generation || (offered.generation === own.generation && offered.variablesRevision < own.variablesRevision);
}
