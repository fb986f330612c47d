import cluster from 'node:cluster';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WhorlError } from '#contract/errors.js';
import type { VersionNumber } from '#contract/ids.js';
import type { Log } from '#platform/log.js';
import type { SampledChannel } from '#runtime/meter/version-samples.js';
import type { UsageSum } from '#runtime/meter/usage-tally.js';
import type { ChannelRequests } from '#runtime/trigger/channel-table.js';
import type { KnownChannel } from '#runtime/trigger/front.js';
import type { LetGoCounts } from '#runtime/trigger/let-go-tally.js';
import type { AskedPreview } from '#runtime/trigger/preview-arrivals.js';
import type { StoredVersion } from '#runtime/trigger/stored-version.js';
import type { AppLane } from '#runtime/trigger/version-host.js';
import { toKey, type AppKey } from './app-lane.js';
import { HeavyApps } from './heavy-apps.js';
import { Lane } from './lane.js';
import type { LaneState, NodeMetrics } from './node-metrics.js';
import { RunnerProcess } from './runner-process.js';
import type { CommandFailure, LaneKind, ListenTarget, RunnerCommand, RunnerConfig } from './runner-protocol.js';
import type { Switched } from './switch-times.js';
import { RUNNER_V8_FLAGS } from './runner-v8-flags.js';

const HEAVY_RUNNERS = 2;
const MAX_EXTRA_RUNNERS = 2;
const WATCH_MS = 500;
/** Extra runners go when there was no need of them for so long. */
const EXTRA_IDLE_MS = 60_000;
/** sockaddr_un holds 108 bytes on Linux, 104 elsewhere. */
const MAX_SOCKET_PATH_BYTES = 100;
const SOCKET = 'heavy.sock';
const GATEWAY_SOCKET = 'gateway.sock';
const RELAY_SOCKET = 'relay.sock';
const LONGEST_SOCKET = GATEWAY_SOCKET;

export interface SupervisorOptions {
  runners: number;
  /** Random for each start of the node. */
  incarnation: string;
  config: Omit<RunnerConfig, 'lane' | 'writer' | 'gatewayPath'>;
  /** Whether the node has a gateway. */
  hasGateway: boolean;
  /** As for `cluster.fork`. */
  environment: Record<string, string | undefined>;
  /** For the sockets between its processes; nobody else uses it. */
  socketDir: string;
  drainMs: number;
  log: Log;
  onRefused(app: AppKey, version: VersionNumber, failure: WhorlError): void;
  /** Blobs of a version are missing or damaged on disk: fetches them. Rejects with a WhorlError. */
  onMend(app: AppKey, stored: StoredVersion): Promise<void>;
  /** A version is asked for by its own host: has every runner serve it. Rejects with a WhorlError. */
  onPreview(asked: AskedPreview): Promise<void>;
  /** A version that was prepared was asked for and could not be loaded. */
  onUnloadable(app: AppKey, stored: StoredVersion, failure: CommandFailure): void;
  /** What became of requests in one runner, to channels that serve several versions. */
  onSampled(writer: string, channels: readonly SampledChannel[]): void;
  /** What guests of a runner used since it last said so, and the requests of apps that it has now; those of the heavy lane are the shared one's. */
  onUsed(usage: readonly UsageSum[], requests: readonly ChannelRequests[]): void;
  /** What became of requests whose channel a runner of the shared lane has let go of. */
  onLetGo(writer: string, counts: LetGoCounts): void;
  /** A runner has ended. */
  onRunnerGone(writer: string): void;
  /** A runner has ended that was not to end. */
  onRunnerDeath(): void;
  /** The number of runners has changed. */
  onChange(): void;
  metrics: NodeMetrics | null;
}

/**
 * The runners of this node, in two lanes. The shared one serves all apps. An app that needs much CPU in one request is marked and
 * served by the heavy lane, behind the shared one, so that it holds up nobody but its like.
 */
export class Supervisor {
  private readonly shared: Lane;
  private readonly heavy: Lane;
  private readonly heavyApps = new HeavyApps();
  private readonly writers = new Set<string>();
  private readonly socketDir: string;
  private readonly watch: NodeJS.Timeout;
  private lastRunner = 0;
  private extra = 0;
  private extraNeededMs = 0;
  private heavyOpen = false;
  private blockedPids: ReadonlySet<number | undefined> = new Set();

  constructor(private readonly options: SupervisorOptions) {
    // The primary only holds the listening socket: every runner accepts from it by itself, and a blocked one keeps nobody waiting.
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.setupPrimary({
      exec: fileURLToPath(new URL('./runner.js', import.meta.url)),
      args: [],
      serialization: 'advanced',
      execArgv: [...RUNNER_V8_FLAGS],
    });
    this.socketDir = makeSocketDir(options.socketDir);
    this.shared = this.lane('shared', () => options.onChange());
    this.heavy = this.lane('heavy', () => this.announceHeavy());
    this.shared.resize(options.runners);
    this.watch = setInterval(() => this.look(), WATCH_MS);
  }

  /** Where the gateway listens for runners, and runners for the gateway; null: the node has none. */
  get gatewaySockets(): { gateway: string; relay: string } | null {
    return this.options.hasGateway ? { gateway: join(this.socketDir, GATEWAY_SOCKET), relay: join(this.socketDir, RELAY_SOCKET) } : null;
  }

  /** Runners that accept. */
  get count(): number {
    return this.shared.runners.length;
  }

  lanes(): LaneState[] {
    return [this.shared, this.heavy].map(({ kind, runners }) => ({ lane: kind, loads: runners.map(({ load }) => load) }));
  }

  /** Whether a runner may still append to the journal of this writer. */
  isWriting(writer: string): boolean {
    return this.writers.has(writer);
  }

  /** Lets the runners accept. The port. Throws NODE_PORT_IN_USE or NODE_LISTEN_FAILED. */
  async listen(target: ListenTarget): Promise<number> {
    return (await this.shared.open(target))!;
  }

  /** Every runner is to hold these channels, whose versions were prepared on this node before. Returns when they do. */
  know(channels: readonly KnownChannel[]): Promise<void> {
    return this.shared.know(channels);
  }

  /** Prepares a version in every runner. Throws a WhorlError. */
  async prepare(app: AppLane, version: StoredVersion): Promise<void> {
    await Promise.all([this.shared.prepare(app, version), this.heavyApps.has(app) && this.heavy.prepare(app, version)]);
  }

  /** Switches every runner; see `Lane.serve`. */
  async serve(app: AppLane): Promise<Switched> {
    const inHeavy = this.heavyApps.has(app) && this.heavy.desired.has(toKey(app));
    const [shared, heavy] = await Promise.all([this.shared.serve(app), inHeavy ? this.heavy.serve(app) : undefined]);
    return { ...shared, switchedAtMs: Math.max(shared.switchedAtMs, heavy?.switchedAtMs ?? 0) };
  }

  release(app: AppKey, version: VersionNumber): void {
    this.shared.release(app, version);
    this.heavy.release(app, version);
  }

  remove(app: AppKey): void {
    this.shared.remove(app);
    if (this.heavyApps.has(app)) this.leaveHeavy([app]);
  }

  /** Has clients go elsewhere, while everything is still answered. */
  leave(): void {
    this.shared.leave();
  }

  async stop(): Promise<void> {
    clearInterval(this.watch);
    await this.shared.stop(this.options.drainMs);
    // Only now: what the shared lane had under way may have been handed over.
    await this.heavy.stop(0);
    rmSync(this.socketDir, { recursive: true, force: true });
  }

  private lane(kind: LaneKind, onAccepting: () => void): Lane {
    return new Lane({
      kind,
      relayPath: kind === 'shared' ? (this.gatewaySockets?.relay ?? null) : null,
      drainMs: kind === 'shared' ? this.options.drainMs : this.options.config.limits.wallMs,
      log: this.options.log,
      spawn: () => this.spawn(kind),
      onRefused: (app, version, failure) => this.options.onRefused(app, version, failure),
      onDeath: () => {
        this.options.metrics?.died(kind);
        this.options.onRunnerDeath();
      },
      onAccepting,
    });
  }

  private spawn(lane: LaneKind): { runner: RunnerProcess; init: RunnerCommand } {
    const writer = `${this.options.incarnation}-${++this.lastRunner}`;
    this.writers.add(writer);
    const runner = new RunnerProcess(cluster.fork(this.options.environment), writer, {
      heavy: (app) => void this.onHeavy(app),
      mend: (app, stored) => this.options.onMend(app, stored),
      preview: (asked) => this.options.onPreview(asked),
      unloadable: (app, stored, failure) => this.options.onUnloadable(app, stored, failure),
      used: (usage, requests) => {
        this.options.metrics?.add(usage);
        this.options.onUsed(usage, lane === 'shared' ? requests : []);
      },
      letGo: (counts) => lane === 'shared' && this.options.onLetGo(writer, counts),
      sampled: (channels) => this.options.onSampled(writer, channels),
    });
    void runner.exited.then(() => {
      this.writers.delete(writer);
      this.options.onRunnerGone(writer);
    });
    return { runner, init: { type: 'init', config: { ...this.options.config, lane, writer, gatewayPath: lane === 'shared' ? (this.gatewaySockets?.gateway ?? null) : null } } };
  }

  /** An app needs the heavy lane, or goes on needing it. */
  private async onHeavy(app: AppKey): Promise<void> {
    const key = toKey(app);
    const held = this.shared.desired.get(key);
    if (!held || !this.heavyApps.mark(app, Date.now())) return;
    this.options.log.info('an app moves to the heavy lane', { app: key });
    this.heavy.resize(HEAVY_RUNNERS);
    this.announceHeavy();
    try {
      await Promise.all([...held.versions.values()].map(({ stored }) => this.heavy.prepare(held.app, stored)));
      // As it is now: it may have been switched, or removed, meanwhile.
      if (this.shared.desired.get(key) !== held) return void (this.heavyApps.has(app) || this.heavy.remove(app));
      if (held.served) await this.heavy.serve(held.served);
      // Only now: a guest may hold a runner from its first request on.
      await this.openHeavy();
    } catch (error) {
      this.options.log.error('an app cannot move to the heavy lane', { app: key, error });
      this.leaveHeavy([app]);
    }
    this.announceHeavy();
  }

  private async openHeavy(): Promise<void> {
    if (this.heavyOpen) return;
    this.heavyOpen = true;
    await this.heavy.open({ path: this.socketPath }).catch((error: unknown) => {
      this.heavyOpen = false;
      throw error;
    });
  }

  private get socketPath(): string {
    return join(this.socketDir, SOCKET);
  }

  /** Without a runner that accepts, requests wait in the shared lane until there is one. */
  private announceHeavy(): void {
    const up = this.heavy.runners.length > 0;
    this.shared.setHeavy(this.heavyApps.list(), up ? this.socketPath : null);
  }

  private leaveHeavy(apps: AppKey[]): void {
    for (const app of apps) {
      this.heavyApps.unmark(app);
      this.heavy.remove(app);
    }
    this.announceHeavy();
    if (this.heavyApps.list().length === 0) this.heavy.resize(0);
  }

  /** Sees that one runner at least is free to accept, and that heavy apps do not stay for ever. */
  private look(): void {
    const expired = this.heavyApps.expire(Date.now());
    if (expired.length > 0) {
      this.options.log.info('apps leave the heavy lane', { apps: expired.map(toKey) });
      this.leaveHeavy(expired);
    }
    const { runners } = this.shared;
    const blocked = runners.filter((runner) => runner.isBlocked);
    const pids = blocked.map(({ pid }) => pid);
    if (pids.some((pid) => !this.blockedPids.has(pid))) this.options.log.warn('runners are blocked', { pids, of: runners.length });
    this.blockedPids = new Set(pids);
    if (blocked.length === runners.length && runners.length > 0) {
      this.extraNeededMs = performance.now();
      this.resizeExtra(Math.min(this.extra + 1, MAX_EXTRA_RUNNERS));
    } else if (performance.now() - this.extraNeededMs > EXTRA_IDLE_MS) {
      this.resizeExtra(0);
    }
  }

  private resizeExtra(extra: number): void {
    if (extra === this.extra) return;
    this.extra = extra;
    this.shared.resize(this.options.runners + extra);
  }
}

/** The folder itself, or one of a shorter path where that is needed. Only this user may enter it. */
function makeSocketDir(wanted: string): string {
  if (Buffer.byteLength(join(wanted, LONGEST_SOCKET)) > MAX_SOCKET_PATH_BYTES) {
    const base = Buffer.byteLength(join(tmpdir(), 'whorl-XXXXXX', LONGEST_SOCKET)) > MAX_SOCKET_PATH_BYTES ? '/tmp' : tmpdir();
    return mkdtempSync(join(base, 'whorl-'));
  }
  rmSync(wanted, { recursive: true, force: true });
  mkdirSync(wanted, { mode: 0o700 });
  return wanted;
}
