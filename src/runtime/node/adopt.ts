import type { VersionArtifact } from '#contract/artifact.js';
import type { Assignment, NodeAssignments, ReleasedChannel } from '#contract/assignment.js';
import { toAppLane, toKey } from './app-lane.js';
import { isRunnable } from './engines.js';
import { storedOf } from './stored-versions.js';

/** Keeps where what is held comes from. */
export interface Provenance {
  /** `next` is what was offered, with versions of the node's own that it can run. */
  mixed(next: Assignment, offered: Assignment, own: Assignment): void;
  /** What was offered says the same as the node's own, which stays. */
  again(own: Assignment, offered: Assignment): void;
}

/**
 * What a node holds after an answer of the control plane. An older generation (or older values of the same one) never replaces a
 * newer one; an app that was deleted and made again has a higher first generation. Gone is only what the answer says is gone for good, or
 * placed elsewhere since: what it does not name stays, since a control plane may have lost its memory or see a part of the fleet's apps alone. What has not changed
 * is the very object that was held. What this node can run and serves stays until it is offered something else that it can run.
 */
export function adopt(held: NodeAssignments | undefined, answer: NodeAssignments, provenance?: Provenance): NodeAssignments {
  const before = new Map(held?.assignments.map((assignment) => [toKey(assignment), assignment]));
  const offered = answer.assignments.map((assignment) => {
    const own = before.get(toKey(assignment));
    if (!own) return assignment;
    const next = keepRunnable(assignment, own);
    if (isOlder(next, own)) return own;
    if (isSame(next, own)) {
      provenance?.again(own, assignment);
      return own;
    }
    if (next !== assignment) provenance?.mixed(next, assignment, own);
    return next;
  });
  return { revision: answer.revision, assignments: [...offered.filter(holdsSomething), ...unnamed(held, answer)] };
}

/** What is held and the answer says is placed elsewhere now. */
export function releasedBy({ assignments, released = [] }: NodeAssignments, held: NodeAssignments | undefined): Assignment[] {
  const offered = new Set(assignments.map(toKey));
  const elsewhere = new Map(released.map((channel) => [toKey(channel), channel]));
  return held?.assignments.filter((own) => !offered.has(toKey(own)) && isReleased(own, elsewhere.get(toKey(own)))) ?? [];
}

/** What is held, and neither offered again nor removed nor released. */
function unnamed(held: NodeAssignments | undefined, { assignments, removed = [], released = [] }: NodeAssignments): Assignment[] {
  const offered = new Set(assignments.map(toKey));
  const goneUpTo = new Map(removed.map((channel) => [toKey(channel), channel.generation]));
  const elsewhere = new Map(released.map((channel) => [toKey(channel), channel]));
  return held?.assignments.filter((own) => !offered.has(toKey(own)) && own.generation > (goneUpTo.get(toKey(own)) ?? -1) && !isReleased(own, elsewhere.get(toKey(own)))) ?? [];
}

function isReleased({ generation, placement = 0 }: Assignment, released: ReleasedChannel | undefined): boolean {
  return released !== undefined && (generation < released.firstGeneration || placement < released.placement);
}

/** Where a version is not offered as this node can run it (by a control plane of another release), it goes on with what it has. */
export function keepRunnable(offered: Assignment, own: Assignment): Assignment {
  const runnable = offered.versions.filter(isRunnable);
  const digests = new Map(offered.versions.map(({ version, digest }) => [version, digest]));
  // Of a later generation it may be another app's that has the name now.
  const served = new Set(offered.generation === own.generation ? offered.serve.map(({ version }) => version) : []);
  const isOffered = ({ version, digest }: VersionArtifact): boolean => (digests.has(version) ? digests.get(version) === digest : served.has(version));
  const kept = own.versions.filter((each) => isRunnable(each) && isOffered(each) && !runnable.some(({ version }) => version === each.version));
  if (kept.length === 0) return offered;
  const instead = new Set(kept.map(({ version }) => version));
  return { ...offered, versions: [...offered.versions.filter(({ version }) => !instead.has(version)), ...kept].sort((a, b) => a.version - b.version) };
}

const holdsSomething = ({ versions, serve }: Assignment): boolean => versions.length > 0 || serve.length > 0;

function isOlder(offered: Assignment, own: Assignment): boolean {
  return offered.generation < own.generation || (offered.generation === own.generation && offered.variablesRevision < own.variablesRevision);
}

function isSame(offered: Assignment, own: Assignment): boolean {
  const textOf = (assignment: Assignment): string => JSON.stringify([toAppLane(assignment), assignment.versions.map((version) => storedOf(version).artifact)]);
  return offered.generation === own.generation && offered.variablesRevision === own.variablesRevision && offered.placement === own.placement && textOf(offered) === textOf(own);
}
