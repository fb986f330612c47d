import type { ErrorCode } from '#contract/errors.js';
import type { VersionNumber } from '#contract/ids.js';
import type { LogLevel } from '#platform/log.js';
import type { GuestSettings } from '#runtime/capability/guest-settings.js';
import type { PlatformLimits } from '#runtime/component/limits.js';
import type { UsageSum } from '#runtime/meter/usage-tally.js';
import type { SampledChannel } from '#runtime/meter/version-samples.js';
import type { ChannelRequests } from '#runtime/trigger/channel-table.js';
import type { FrontLoad, KnownChannel } from '#runtime/trigger/front.js';
import type { LetGoCounts } from '#runtime/trigger/let-go-tally.js';
import type { LoadedBounds } from '#runtime/trigger/loaded-versions.js';
import type { AskedPreview } from '#runtime/trigger/preview-arrivals.js';
import type { StoredVersion } from '#runtime/trigger/stored-version.js';
import type { AppLane } from '#runtime/trigger/version-host.js';
import type { AppKey } from './app-lane.js';

/**
 * What the supervisor and a runner say to each other. Both are of one release and talk over a channel that nobody else has, so nothing
 * is parsed.
 *
 *     runner ──up──▶ supervisor ──init, know…, prepare…, serve…, heavy, listen──▶ runner ──beat, heavy, mend, unloadable──▶ supervisor … drain
 */

/** `shared`: serves every app, accepts on the node's port. `heavy`: serves apps that need much CPU, behind the shared one. */
export type LaneKind = 'shared' | 'heavy';

/** All a runner knows of the node: no token, no address of the control plane. */
export interface RunnerConfig {
  lane: LaneKind;
  /** Names its journal: unique for all time on this node. */
  writer: string;
  blobsDir: string;
  journalsDir: string;
  /** Where the apps' own data is. */
  stateDir: string;
  /** Name of the node. */
  node: string;
  appDomain: string;
  publicPort: number;
  limits: PlatformLimits;
  allowPrivateHosts: boolean;
  settings: GuestSettings;
  /** See `NodeConfig`. */
  verifyResetEvery: number;
  /** Where the node's gateway listens; null: it has none, or the lane is behind another. */
  gatewayPath: string | null;
  loaded: LoadedBounds;
  logLevel: LogLevel;
  /** Whether anybody wants to know how it is doing. */
  metrics: boolean;
}

export type ListenTarget = { host: string; port: number } | { path: string };

export type RunnerCommand =
  | { type: 'init'; config: RunnerConfig }
  /** Versions that are prepared already; many channels in one message. */
  | { type: 'know'; channels: KnownChannel[] }
  | { type: 'prepare'; app: AppLane; version: StoredVersion }
  | { type: 'serve'; app: AppLane }
  | { type: 'settled'; app: AppKey; timeoutMs: number }
  | { type: 'release'; app: AppKey; version: VersionNumber }
  | { type: 'remove'; app: AppKey }
  | { type: 'heavy'; apps: AppKey[]; socketPath: string | null }
  | { type: 'mended'; call: number; failure?: CommandFailure }
  /** `relayPath`: where the gateway hands over what came in by other nodes; null: it does not. */
  | { type: 'listen'; target: ListenTarget; relayPath: string | null }
  /** From now on answers say that the connection is to be closed: clients go elsewhere while the port still answers. */
  | { type: 'leave' }
  | { type: 'drain'; timeoutMs: number };

/** How a runner is doing. */
export interface RunnerLoad extends FrontLoad {
  residentBytes: number;
  /** CPU of the whole process since its start. */
  cpuSeconds: number;
}

export interface CommandMessage {
  id: number;
  command: RunnerCommand;
}

export interface CommandFailure {
  code: ErrorCode;
  message: string;
}

export type RunnerMessage =
  | { type: 'up' }
  /**
   * `usage`: since the last one. `requests`: of channels that have any now. `samples`: since the last one, of channels that serve several
   * versions. What is absent is empty. `letGo`: since the runner's start.
   */
  | { type: 'beat'; load?: RunnerLoad; usage?: UsageSum[]; requests?: ChannelRequests[]; samples?: SampledChannel[]; letGo?: LetGoCounts }
  /** `value`: of `listen` the port; of `settled` 1, or 0 when the time was up before. */
  | { type: 'reply'; id: number; failure?: CommandFailure; value?: number }
  /** An app struck the CPU bound of its lane, or used much of it. */
  | { type: 'heavy'; app: AppKey }
  /** Blobs of a version are missing or damaged: to be fetched again, then answered by `mended` with the same `call`. */
  | { type: 'mend'; call: number; app: AppKey; stored: StoredVersion }
  /** A version is asked for by its own host: to be served, then answered by `mended` with the same `call`. */
  | { type: 'preview'; call: number; asked: AskedPreview }
  /** A version that was prepared was asked for and cannot be loaded. */
  | { type: 'unloadable'; app: AppKey; stored: StoredVersion; failure: CommandFailure };

/** How often a runner shows that its thread is free. */
export const BEAT_MS = 500;
/** Without a sign for this long, a runner is taken for blocked. */
export const BLOCKED_AFTER_MS = 2_000;
