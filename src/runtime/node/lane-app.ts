import type { VersionNumber } from '#contract/ids.js';
import type { StoredVersion } from '#runtime/trigger/stored-version.js';
import type { DesiredApp, DesiredVersion } from './catch-up.js';

/** A version that runners prepare or have prepared. */
export interface Prepared extends DesiredVersion {
  deaths: number;
  /** Rejected when it kills runners. */
  readonly refused: PromiseWithResolvers<never>;
}

/** A channel and the versions of it that runners have. */
export interface LaneApp extends DesiredApp {
  versions: Map<VersionNumber, Prepared>;
}

/** @param proved a runner has prepared it before */
export function toPrepared(stored: StoredVersion, proved: boolean): Prepared {
  const refused = Promise.withResolvers<never>();
  refused.promise.catch(() => {});
  return { stored, proved, deaths: 0, refused };
}
