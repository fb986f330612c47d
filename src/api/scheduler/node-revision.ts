import { createHash } from 'node:crypto';

/** What a node holds, as it says it back: opaque to the node. */
export interface NodeRevision {
  /** Which database it is of. */
  fleetId: string;
  /** Everything that was stamped before is in it. */
  horizon: bigint;
  /** What the node can run and how it was told: another view is another whole. */
  view: string;
  /** Of the state. */
  digest: string;
}

export function writeRevision({ fleetId, horizon, view, digest }: NodeRevision): string {
  return [fleetId, horizon, view, digest].join('.');
}

/** undefined: it is none of ours. */
export function readRevision(text: string | undefined): NodeRevision | undefined {
  const [, fleetId, horizon, view, digest] = /^([0-9a-f-]{36})\.(\d{1,19})\.([\w-]{1,16})\.([\w-]{1,43})$/.exec(text ?? '') ?? [];
  if (fleetId === undefined) return undefined;
  return { fleetId, horizon: BigInt(horizon!), view: view!, digest: digest! };
}

/** Equal for those who are told the same of the same state. */
export function viewOf(...parts: string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 8);
}

/**
 * From which stamp on a node that holds `after` is told; null: everything, since it holds nothing of this database in this view, or of a
 * later time than now (a database that was set back).
 */
export function sinceOf(after: NodeRevision | undefined, now: Omit<NodeRevision, 'digest'>): bigint | null {
  if (after?.fleetId !== now.fleetId || after.view !== now.view || after.horizon > now.horizon) return null;
  return after.horizon;
}
