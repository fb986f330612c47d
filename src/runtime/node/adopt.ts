import type { Assignment, NodeAssignments } from '#contract/assignment.js';
import { toAppLane, toKey } from './app-lane.js';
import { storedOf } from './stored-versions.js';

/**
 * What a node holds after an answer of the control plane. An older generation (or older values of the same one) never replaces a
 * newer one; an app that was deleted and made again has a higher first generation. Gone is only what the answer says is gone: what
 * it does not name stays, since a control plane may have lost its memory or see a part of the fleet's apps alone. What has not changed
 * is the very object that was held.
 */
export function adopt(held: NodeAssignments | undefined, answer: NodeAssignments): NodeAssignments {
  const before = new Map(held?.assignments.map((assignment) => [toKey(assignment), assignment]));
  const offered = answer.assignments.map((assignment) => {
    const own = before.get(toKey(assignment));
    return own && (isOlder(assignment, own) || isSame(assignment, own)) ? own : assignment;
  });
  return { revision: answer.revision, assignments: [...offered.filter(holdsSomething), ...unnamed(held, answer)] };
}

/** What is held, and neither offered again nor removed. */
function unnamed(held: NodeAssignments | undefined, { assignments, removed = [] }: NodeAssignments): Assignment[] {
  const offered = new Set(assignments.map(toKey));
  const goneUpTo = new Map(removed.map((channel) => [toKey(channel), channel.generation]));
  return held?.assignments.filter((own) => !offered.has(toKey(own)) && own.generation > (goneUpTo.get(toKey(own)) ?? -1)) ?? [];
}

const holdsSomething = ({ versions }: Assignment): boolean => versions.length > 0;

function isOlder(offered: Assignment, own: Assignment): boolean {
  return offered.generation < own.generation || (offered.generation === own.generation && offered.variablesRevision < own.variablesRevision);
}

function isSame(offered: Assignment, own: Assignment): boolean {
  const textOf = (assignment: Assignment): string => JSON.stringify([toAppLane(assignment), assignment.versions.map((version) => storedOf(version).artifact)]);
  return offered.generation === own.generation && offered.variablesRevision === own.variablesRevision && textOf(offered) === textOf(own);
}
