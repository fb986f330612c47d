import { setMaxListeners } from 'node:events';
import { randomBytes } from 'node:crypto';
import { totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Assignment, NodeAssignments } from '#contract/assignment.js';
import { WhorlError } from '#contract/errors.js';
import type { Digest } from '#contract/ids.js';
import { ENGINE_VERSION } from '#engine/plan.js';
import type { NodeConfig } from '#platform/config.js';
import { NodeGateway } from './node-gateway.js';
import { MetricsServer, toMetricsAddress } from '#platform/http/metrics-server.js';
import type { Log } from '#platform/log.js';
import { VERSION } from '#platform/version.js';
import { toPlatformLimits } from '#runtime/component/limits.js';
import { JournalShipper } from '#runtime/meter/journal-shipper.js';
import type { StoredVersion } from '#runtime/trigger/stored-version.js';
import { AppHolder, type AppRunners } from './app-holder.js';
import { toKey, type AppKey } from './app-lane.js';
import { blobsOf, fetchArtifact } from './artifact-blobs.js';
import { AssignmentPoll } from './assignment-poll.js';
import { BlobCache } from './blob-cache.js';
import type { ControlPlaneClient } from './control-plane.client.js';
import { checkEngine, isRunnable, RUNNABLE_ENGINES } from './engines.js';
import { Membership } from './identity/membership.js';
import { NodeDir } from './node-dir.js';
import { NodeMetrics } from './node-metrics.js';
import { NodeSelf } from './node-self.js';
import { checkPort } from './port-check.js';
import type { ProviderEnvironment } from './provider-environment.js';
import { Previews } from './previews.js';
import { Reporter, type Said } from './reporter.js';
import type { CommandFailure } from './runner-protocol.js';
import { SampleReporter } from './sample-reporter.js';
import { Snapshot } from './snapshot.js';
import { StartCount } from './start-count.js';
import { Statements } from './statements.js';
import { StoreProcess } from './store-process.js';
import { StoreRequests } from './store-requests.js';
import { storedOf } from './stored-versions.js';
import { Supervisor } from './supervisor.js';
import { Turnstile } from './turnstile.js';

/** Without a snapshot the control plane is waited for so long before the port opens; with none to answer, it opens all the same. */
const FIRST_ANSWER_MS = 3_000;
/** What is prepared before the port opens; a version that takes longer is served later. */
const FIRST_STATE_MS = 30_000;
const DRAIN_MS = 10_000;
/** Runners together may have this part of the machine's memory for versions that nobody uses at the moment: a half. */
const MEMORY_SHARE = 2;
const LAST_SHIPPING_MS = 5_000;
const GOODBYE_MS = 2_000;
/** No revision of any control plane: one that takes the node back answers with everything. */
const REMOVED = 'removed';
const LOCK_PATIENCE_MS = 5_000;
const SWEEP_EVERY_MS = 10 * 60_000;
/** Versions prepared at a time: a node that gets all its apps at once stays able to serve. */
const PREPARED_AT_A_TIME = 8;
/** Channels switched at a time: runners answer each within seconds, or are taken for broken. */
const SWITCHED_AT_A_TIME = 32;

export interface AgentOptions {
  config: NodeConfig;
  runners: number;
  /** For runners, as `cluster.fork` wants it. */
  environment: Record<string, string | undefined>;
  /** Where providers of variables may look. */
  providerEnvironment: ProviderEnvironment;
  log: Log;
}

/** One node: holds what it is assigned, keeps it through restarts, and has its runners serve it. */
export class Agent {
  private readonly incarnation = randomBytes(9).toString('base64url').replaceAll(/[-_]/g, 'x');
  private readonly holders = new Map<string, AppHolder>();
  private readonly stopping = new AbortController();
  private readonly loops: Promise<void>[] = [];
  private readonly client: ControlPlaneClient;
  private readonly self: NodeSelf;
  private readonly reporter: Reporter;
  private readonly samples: SampleReporter;
  private readonly snapshot: Snapshot;
  private readonly poll: AssignmentPoll;
  private readonly supervisor: Supervisor;
  private readonly metrics: NodeMetrics | null;
  private metricsServer: MetricsServer | undefined;
  private readonly shipper: JournalShipper;
  private readonly stores: StoreRequests;
  private readonly runners: AppRunners;
  private readonly gateway: NodeGateway | null;
  private readonly previews: Previews;
  private sweeper: NodeJS.Timeout | undefined;
  private held: NodeAssignments | undefined;
  /** Let go of while this node leaves, and served until it stops. */
  private readonly lingering: Assignment[] = [];
  private readonly firstAnswer = Promise.withResolvers<void>();

  private constructor(private readonly options: AgentOptions, private readonly dir: NodeDir, private readonly blobs: BlobCache, private readonly membership: Membership, start: StartCount) {
    const { config, log } = options;
    const { client } = membership;
    const statements = new Statements(() => membership.trust);
    setMaxListeners(0, this.stopping.signal);
    const turnstile = new Turnstile(PREPARED_AT_A_TIME);
    const switches = new Turnstile(SWITCHED_AT_A_TIME);
    this.client = client;
    this.snapshot = new Snapshot(dir.snapshot, `${VERSION}/${ENGINE_VERSION}/${process.version}/${config.WHORL_LIMIT_MEMORY_BYTES}/${config.WHORL_LIMIT_CPU_MS}`, statements, log);
    this.self = new NodeSelf({ config, runners: options.runners, dir: dir.path, announce: () => this.supervisor.leave(), onChange: () => this.reporter.change(), log });
    this.reporter = new Reporter({
      said: () => this.report(),
      countLoad: () => this.self.load.count(),
      start,
      report: (report, signal) => client.report(report, signal),
      heartbeat: (heartbeat, signal) => client.heartbeat(heartbeat, signal),
      onReceipt: (receipt, sentAtMs) => this.self.heard(receipt, sentAtMs),
      onRemoved: () => this.letGoOfAll(),
      log,
    });
    this.samples = new SampleReporter(this.incarnation, (report, signal) => client.sendSamples(report, signal), log);
    this.metrics = config.WHORL_METRICS_LISTEN === undefined ? null : new NodeMetrics({ lanes: () => this.supervisor.lanes(), apps: () => this.holders.size, gateway: () => this.gateway });
    this.supervisor = new Supervisor({
      runners: options.runners,
      incarnation: this.incarnation,
      environment: options.environment,
      socketDir: dir.sockets,
      hasGateway: config.WHORL_GATEWAY_LISTEN !== undefined,
      drainMs: DRAIN_MS,
      log,
      config: {
        blobsDir: dir.blobs,
        journalsDir: dir.journals,
        stateDir: dir.state,
        node: membership.node,
        appDomain: config.WHORL_APP_DOMAIN,
        publicPort: config.WHORL_HTTP_PORT,
        limits: toPlatformLimits(config),
        allowPrivateHosts: config.WHORL_ALLOW_PRIVATE_HOSTS,
        settings: { tmpBytes: config.WHORL_GUEST_TMP_BYTES, sqliteBytes: config.WHORL_SQLITE_BYTES, blobstoreBytes: config.WHORL_BLOBSTORE_BYTES, otelEndpoint: config.WHORL_OTEL_ENDPOINT ?? null },
        verifyResetEvery: config.WHORL_VERIFY_RESET_EVERY,
        loaded: {
          idleAfterMs: config.WHORL_IDLE_AFTER_MS,
          maxLoaded: config.WHORL_MAX_LOADED_VERSIONS,
          memoryBytes: config.WHORL_RUNNER_MEMORY_BYTES ?? totalmem() / MEMORY_SHARE / options.runners,
        },
        logLevel: config.WHORL_LOG_LEVEL,
        metrics: this.metrics !== null,
      },
      onRefused: (app, version, failure) => (this.holders.get(toKey(app)) ?? this.previews.holder(app))?.refuse(version, { code: failure.code, message: failure.message }),
      onMend: (app, stored) => this.mend(app, stored),
      onPreview: (asked) => this.previews.open(asked),
      onUnloadable: (app, stored, failure) => this.unloadable(app, stored, failure),
      onSampled: (writer, channels) => this.samples.add(writer, channels),
      onUsed: (usage, requests) => {
        this.self.load.used(usage);
        this.self.load.seen(requests);
        this.previews.used([...usage, ...requests]);
      },
      onLetGo: (writer, counts) => this.self.letGo.take(writer, counts) && this.reporter.change(),
      onRunnerGone: (writer) => {
        this.samples.lost(writer);
        this.self.letGo.lost(writer);
      },
      onRunnerDeath: () => this.self.health.died(),
      onChange: () => this.reporter.change(),
      metrics: this.metrics,
    });
    this.gateway = NodeGateway.of({
      config, dir, client,
      identity: membership,
      sockets: this.supervisor.gatewaySockets,
      environment: options.environment,
      onAddress: (address) => {
        this.self.gateway = address;
        this.reporter.change();
      },
      log,
    });
    this.shipper = new JournalShipper({
      dir: dir.journals,
      send: (batch) => client.ship(batch),
      isWriting: (writer) => this.supervisor.isWriting(writer),
      log,
    });
    this.stores = new StoreRequests({
      next: (waitS, signal) => client.storeRequests(waitS, signal),
      answer: (id, answer) => client.answerStore(id, answer),
      process: new StoreProcess(options.environment),
      stateDir: dir.state,
      sqliteBytes: config.WHORL_SQLITE_BYTES,
      log,
    });
    this.poll = new AssignmentPoll({
      client,
      membership,
      statements,
      log,
      held: () => this.held,
      onChange: (next, released) => {
        // Whoever asks this node does not know yet that it leaves: what others have now is answered here as well, until it stops.
        if (this.self.departure.farewell !== null) this.lingering.push(...released);
        this.take(next);
        void this.snapshot.save(next);
      },
      onAnswer: () => this.firstAnswer.resolve(),
      onRemoved: () => this.letGoOfAll(),
    });
    this.runners = {
      prepare: (app, artifact) => turnstile.run(async () => {
        checkEngine(artifact);
        const stored = storedOf(artifact);
        await fetchArtifact(blobs, artifact);
        await this.supervisor.prepare(app, stored);
        void this.snapshot.prove(stored.artifact);
      }),
      serve: (app) => switches.run(() => this.supervisor.serve(app)),
      release: (app, version) => this.supervisor.release(app, version),
      remove: (app) => {
        this.self.letGo.addChannels(1);
        this.supervisor.remove(app);
      },
    };
    this.previews = new Previews({ ask: (asked) => client.preview(asked), resolve: (assignment) => options.providerEnvironment.resolve(assignment), runners: this.runners, idleMs: config.WHORL_PREVIEW_IDLE_MS, log });
  }

  /**
   * Starts a node and returns when it accepts requests: at once with what its snapshot holds, whether the control plane is there or not.
   * Throws NODE_DIR_UNUSABLE, NODE_PORT_IN_USE, NODE_LISTEN_FAILED or what `Membership.open` throws.
   */
  static async start(options: AgentOptions): Promise<{ agent: Agent; port: number }> {
    const { config, log } = options;
    const target = { host: config.WHORL_LISTEN, port: config.WHORL_HTTP_PORT };
    await checkPort(target);
    const dir = await NodeDir.open(config.WHORL_NODE_DIR, LOCK_PATIENCE_MS);
    const start = await StartCount.next(dir.startCount);
    const membership = await Membership.open({ config, dir: dir.identity, log }).catch((error: unknown) => {
      dir.close();
      throw error;
    });
    const blobs = await BlobCache.open({ dir: dir.blobs, fetch: (digest) => membership.client.blob(digest), log });
    const agent = new Agent(options, dir, blobs, membership, start);
    try {
      await agent.openMetrics();
      await agent.begin();
      return { agent, port: await agent.supervisor.listen(target) };
    } catch (error) {
      await agent.stop();
      throw error;
    }
  }

  /** A drain: others take over what this node has, what is under way ends, what was counted is shipped when the control plane takes it. */
  async drain(): Promise<void> {
    await this.self.departure.leave();
    await this.stop();
  }

  /** What is under way ends; nobody is waited for. */
  private async stop(): Promise<void> {
    clearInterval(this.sweeper);
    this.self.health.stop();
    this.stopping.abort();
    this.previews.stop();
    for (const holder of this.holders.values()) holder.stop();
    await this.gateway?.drain(DRAIN_MS);
    await this.supervisor.stop();
    await this.gateway?.stop();
    await Promise.all(this.loops);
    const late = sleep(LAST_SHIPPING_MS, undefined, { ref: false });
    await Promise.race([this.shipper.pass().catch((error: unknown) => this.options.log.warn('journals are left for the next start', { error })), late]);
    await this.sayGoodbye();
    await this.metricsServer?.close();
    await this.client.close();
    await this.shipper.close();
    this.dir.close();
  }

  /** The last word: it is not lost, it has stopped, and this is what became of its requests. */
  private async sayGoodbye(): Promise<void> {
    if (this.self.departure.farewell === null) return;
    this.self.departure.farewell = 'gone';
    this.self.letGo.addChannels(this.holders.size);
    this.self.unshippedBytes = await this.shipper.remainingBytes().catch(() => 0);
    await this.reporter.send(AbortSignal.timeout(GOODBYE_MS)).catch((error: unknown) => this.options.log.warn('nobody heard the goodbye', reasonOf(error)));
  }

  private async openMetrics(): Promise<void> {
    const { WHORL_METRICS_LISTEN: address } = this.options.config;
    if (!this.metrics || address === undefined) return;
    this.metricsServer = await MetricsServer.start(toMetricsAddress(address), this.metrics).catch((cause: Error) => {
      throw new WhorlError('NODE_LISTEN_FAILED', `WHORL_METRICS_LISTEN: ${cause.message}`, { cause });
    });
    this.options.log.info('metrics are answered', { address, port: this.metricsServer.port });
  }

  /** Takes up the snapshot, or waits for the first answer, and starts the loops. */
  private async begin(): Promise<void> {
    const { signal } = this.stopping;
    const { log } = this.options;
    const held = await this.snapshot.load();
    if (held) {
      log.info('starting from the snapshot', { apps: held.assignments.length });
      await this.resume(held);
    }
    this.self.health.start();
    this.loops.push(this.membership.run(signal), this.poll.run(signal), this.reporter.run(signal), this.samples.run(signal), this.shipper.run(signal), this.stores.run(signal));
    if (this.gateway) this.loops.push(this.gateway.run(signal));
    // After an upgrade of the engine the snapshot holds builds for the one before.
    const lacks = !held || held.assignments.some(({ versions }) => !versions.every(isRunnable));
    if (lacks) await Promise.race([this.firstAnswer.promise, sleep(FIRST_ANSWER_MS, undefined, { ref: false })]);
    const settled = Promise.all([...this.holders.values()].map((holder) => holder.settled()));
    await Promise.race([settled, sleep(FIRST_STATE_MS, undefined, { ref: false })]);
    this.sweeper = setInterval(() => void this.sweep(), SWEEP_EVERY_MS);
  }

  /** What was prepared before the node was stopped is not prepared again: the runners load it when it is asked for. */
  private async resume(held: NodeAssignments): Promise<void> {
    this.held = held;
    const known = held.assignments.flatMap((assignment) => this.holder(assignment).resume(this.options.providerEnvironment.resolve(assignment), ({ artifact }) => this.snapshot.isProved(artifact)) ?? []);
    await this.supervisor.know(known);
    for (const holder of this.holders.values()) holder.resumed();
    this.reporter.change();
  }

  private holder({ app, channel }: AppKey): AppHolder {
    const key = toKey({ app, channel });
    let holder = this.holders.get(key);
    if (!holder) this.holders.set(key, (holder = new AppHolder({ app, channel }, this.runners, () => this.reporter.change(), this.options.log)));
    return holder;
  }

  private take(next: NodeAssignments): void {
    this.held = next;
    const targets = new Map([...this.lingering, ...next.assignments].map((assignment) => [toKey(assignment), this.options.providerEnvironment.resolve(assignment)]));
    for (const assignment of next.assignments) this.holder(assignment);
    for (const [key, holder] of this.holders) {
      holder.assign(targets.get(key));
      if (holder.isGone) this.holders.delete(key);
    }
    this.reporter.change();
  }

  /** The control plane says that this node is none of the fleet any more: nobody keeps what it serves up to date. */
  private letGoOfAll(): void {
    if (this.held?.revision === REMOVED) return;
    this.options.log.error('this node was removed from the fleet: it lets go of everything', { apps: this.held?.assignments.length ?? 0 });
    this.lingering.length = 0;
    const nothing = { revision: REMOVED, assignments: [] };
    this.take(nothing);
    void this.snapshot.save(nothing);
  }

  private report(): Said {
    const statuses = [...this.holders].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, holder]) => holder.status() ?? []);
    const { config } = this.options;
    const { runnerInvocations: _ofTheRunner, ...limits } = toPlatformLimits(config);
    return { ...this.self.facts(), node: this.membership.node, incarnation: this.incarnation, runners: this.supervisor.count, engines: RUNNABLE_ENGINES, limits, statuses };
  }

  /** A runner met blobs that are missing or damaged: what a start from the snapshot does not look through. */
  private async mend(app: AppKey, stored: StoredVersion): Promise<void> {
    const assigned = this.held?.assignments.find((each) => toKey(each) === toKey(app)) ?? this.previews.assignment(app);
    const artifact = assigned?.versions.find((each) => storedOf(each).artifact === stored.artifact);
    if (!artifact) throw new WhorlError('NODE_BLOB_UNAVAILABLE', `version ${stored.version} is not assigned any more`);
    this.options.log.warn('blobs of a version are looked at again', { ...app, version: stored.version });
    for (const digest of blobsOf(artifact)) this.blobs.doubt(digest);
    await fetchArtifact(this.blobs, artifact);
  }

  /** A version that had been prepared does not load: it is prepared again. */
  private unloadable(app: AppKey, stored: StoredVersion, failure: CommandFailure): void {
    this.snapshot.disprove(stored.artifact);
    (this.holders.get(toKey(app)) ?? this.previews.holder(app))?.unloadable(stored, failure);
  }

  private async sweep(): Promise<void> {
    const used = new Set<Digest>();
    const collect = (): void => {
      used.clear();
      for (const assignment of this.held?.assignments ?? []) for (const artifact of assignment.versions) for (const digest of blobsOf(artifact)) used.add(digest);
      this.snapshot.forgetProofs(used);
    };
    let seen: NodeAssignments | undefined;
    const isUsed = (digest: Digest): boolean => {
      if (seen !== this.held) {
        collect();
        seen = this.held;
      }
      return used.has(digest) || this.previews.holds(digest);
    };
    await this.blobs.sweep(isUsed).then(
      (deleted) => deleted > 0 && this.options.log.info('unused blobs deleted', { deleted }),
      (error: unknown) => this.options.log.warn('unused blobs could not be deleted', { error }),
    );
  }
}

/** Without the stack: it is no fault of ours, and comes with every start beside a control plane. */
const reasonOf = (error: unknown) => ({ reason: (error as Error).message });
