import type { Assignment } from '#contract/assignment.js';
import type { LockedHttpTrigger } from '#contract/bundle/locked-app.js';
import type { Digest } from '#contract/ids.js';
import type { GuestSettings } from '#runtime/capability/guest-settings.js';
import type { ComponentHost } from '#runtime/component/component-program.js';
import type { PlatformLimits } from '#runtime/component/limits.js';
import type { RouteHeaders } from './request-headers.js';
import type { StoredVersion } from './stored-version.js';
import type { RequestIds } from './request-ids.js';

/** One channel of an app, without its versions. */
export type AppLane = Pick<Assignment, 'org' | 'app' | 'channel' | 'generation' | 'hosts' | 'serve' | 'keyHeader' | 'shadow' | 'variables' | 'variablesRevision' | 'runtime'>;

/** What versions need of the process they are in. */
export interface VersionHost extends ComponentHost {
  requestIds: RequestIds;
  stateDir: string;
  limits: PlatformLimits;
  allowPrivateHosts: boolean;
  settings: GuestSettings;
  blobPath(digest: Digest): string;
  /** Has blobs of a version that are missing or damaged fetched again. Throws a WhorlError. */
  mend(lane: Pick<AppLane, 'app' | 'channel'>, stored: StoredVersion): Promise<void>;
  onStrike(lane: Pick<AppLane, 'app' | 'channel'>): void;
  onUsed(lane: Pick<AppLane, 'app' | 'channel'>, cpuMs: number): void;
}

export interface RouteTarget {
  trigger: LockedHttpTrigger;
  headers: RouteHeaders;
}
