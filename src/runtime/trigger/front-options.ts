import type { WhorlError } from '#contract/errors.js';
import type { AppName, ChannelName, Digest } from '#contract/ids.js';
import type { Log } from '#platform/log.js';
import type { GuestSettings } from '#runtime/capability/guest-settings.js';
import type { PlatformLimits } from '#runtime/component/limits.js';
import type { Meter } from '#runtime/meter/meter.js';
import type { LoadedBounds, ProcessMemory } from './loaded-versions.js';
import type { AskedPreview } from './preview-arrivals.js';
import type { StoredVersion } from './stored-version.js';
import type { AppLane } from './version-host.js';

export interface FrontOptions {
  /** In the shared lane an invocation may use little CPU, and heavy apps are handed over; the heavy lane takes them. */
  lane: 'shared' | 'heavy';
  /** Domain below which apps have their hosts, and the port of their URLs: for the answer to an unknown host. */
  appDomain: string;
  /** Name of the node: ids of requests say it. */
  node: string;
  publicPort: number;
  stateDir: string;
  limits: PlatformLimits;
  allowPrivateHosts: boolean;
  settings: GuestSettings;
  /** See `ComponentHost`. */
  verifyResetEvery: number;
  meter: Meter;
  log: Log;
  /** Where a blob's file is; everything a version needs is there before it is prepared. */
  blobPath(digest: Digest): string;
  /** An app struck the shared lane's bound, or (in the heavy lane) still needs the heavy lane. */
  onHeavy(app: AppName, channel: ChannelName): void;
  /** Where the node's gateway listens, which knows who has what this node has not; null: there is none. */
  gatewayPath: string | null;
  /** Which versions stay loaded. */
  loaded: LoadedBounds;
  memory: ProcessMemory;
  /** Has blobs of a version that are missing or damaged fetched again. Throws a WhorlError. */
  mend(lane: Pick<AppLane, 'app' | 'channel'>, stored: StoredVersion): Promise<void>;
  /** Has a version served by itself in this process, since its host was asked for. Throws a WhorlError. */
  openPreview(preview: AskedPreview): Promise<void>;
  /** A version that was held, and started once, was asked for and cannot be loaded. */
  onUnloadable(app: AppName, channel: ChannelName, stored: StoredVersion, failure: WhorlError): void;
}
