import type { VersionArtifact } from '#contract/artifact.js';
import type { Assignment } from '#contract/assignment.js';
import type { Digest, VersionNumber } from '#contract/ids.js';
import type { AppLane } from '#runtime/trigger/version-host.js';
import { toAppLane } from './app-lane.js';
import type { CommandFailure } from './runner-protocol.js';
import { storedOf } from './stored-versions.js';

export interface VersionState {
  digest: Digest;
  /** Which artifact of the version, by its own digest. */
  artifact: Digest;
  state: 'preparing' | 'prepared' | 'failed';
  failure?: CommandFailure;
  /** When a failed one is tried again, ms since the epoch. */
  retryAt?: number;
  /** Failed tries so far. */
  tries: number;
  /** Other builds of a version that is prepared; `retryAt`: they failed, else they are being prepared. */
  renewal?: { artifact: Digest; retryAt?: number; tries: number };
}

/** What the runners of this node have of one channel of one app. */
export interface AppState {
  org: string;
  versions: Map<VersionNumber, VersionState>;
  /** What the runners were last told to serve; they may not all have switched. */
  told: AppLane | undefined;
  /** What every runner has switched to. */
  switched: AppLane | undefined;
  /** A switch or the removal is under way. */
  switching: boolean;
  /** After a switch that failed, when it is tried again, ms since the epoch. */
  switchRetryAt: number;
}

export type Action =
  | { kind: 'prepare'; artifact: VersionArtifact }
  | { kind: 'serve'; app: AppLane }
  | { kind: 'release'; version: VersionNumber }
  /** Everything of it, since it is not assigned any more or another app has its name. */
  | { kind: 'remove' };

/**
 * What can be begun now to get from what the runners have to what is assigned. Versions are prepared side by side; what is served
 * changes when all its versions are prepared, one change at a time; a version goes when nothing serves it and nobody assigns it.
 *
 *     (not held) ──prepare──▶ preparing ──▶ prepared ──serve──▶ served ──serve (others)──▶ prepared ──release──▶ (not held)
 *                                 │ ▲
 *                                 ▼ │ after a while
 *                                failed
 *
 * Other builds of a version that is prepared are prepared beside it and take its place when they are; when they fail, it stays.
 */
export function reconcile(target: Assignment | undefined, state: AppState, nowMs: number): Action[] {
  if (!target || isAnother(target, state)) {
    const busy = state.switching || [...state.versions.values()].some(isUnderWay);
    const empty = state.versions.size === 0 && !state.told;
    return busy || empty ? [] : [{ kind: 'remove' }];
  }
  const actions: Action[] = target.versions.filter((artifact) => isDue(state.versions.get(artifact.version), artifact, nowMs)).map((artifact) => ({ kind: 'prepare', artifact }));
  if (state.switching) return actions;
  const ready = target.serve.every(({ version }) => state.versions.get(version)?.state === 'prepared');
  if (ready && nowMs >= state.switchRetryAt && !isSame(target, state.switched)) return [...actions, { kind: 'serve', app: toAppLane(target) }];
  // Its hosts say that it is not ready, rather than that there is no such app.
  if (!ready && !state.told) return [...actions, { kind: 'serve', app: { ...toAppLane(target), generation: 0, serve: [] } }];
  const assigned = new Set([...target.versions, ...target.serve, ...(state.switched?.serve ?? [])].map(({ version }) => version));
  for (const [version, held] of state.versions) {
    if (!assigned.has(version) && !isUnderWay(held)) actions.push({ kind: 'release', version });
  }
  return actions;
}

/** When `reconcile` would say more than now without anything else happening; undefined: never. */
export function nextLookAt(state: AppState, nowMs: number): number | undefined {
  const times = [...state.versions.values()].flatMap(({ retryAt, renewal }) => [retryAt ?? 0, renewal?.retryAt ?? 0]);
  const ahead = [...times, state.switchRetryAt].filter((time) => time > nowMs);
  return ahead.length > 0 ? Math.min(...ahead) : undefined;
}

/** Something is being prepared. */
export function isUnderWay({ state, renewal }: VersionState): boolean {
  return state === 'preparing' || (renewal !== undefined && renewal.retryAt === undefined);
}

function isDue(version: VersionState | undefined, wanted: VersionArtifact, nowMs: number): boolean {
  if (!version) return true;
  if (isUnderWay(version)) return false;
  const { artifact } = storedOf(wanted);
  // Other builds than those that failed are no second try.
  if (version.state === 'failed') return version.artifact !== artifact || (version.retryAt !== undefined && nowMs >= version.retryAt);
  if (version.artifact === artifact) return false;
  return version.renewal?.artifact !== artifact || nowMs >= version.renewal.retryAt!;
}

/** An app of that name was deleted and made again: what is held of its predecessor has the same numbers and other bytes. */
function isAnother(target: Assignment, state: AppState): boolean {
  const differs = target.versions.some(({ version, digest }) => state.versions.has(version) && state.versions.get(version)!.digest !== digest);
  return differs || (state.versions.size > 0 && target.org !== state.org);
}

function isSame(target: AppLane, own: AppLane | undefined): boolean {
  return (
    own !== undefined && own.generation === target.generation && own.variablesRevision === target.variablesRevision &&
    JSON.stringify([own.hosts, own.serve]) === JSON.stringify([target.hosts, target.serve])
  );
}
