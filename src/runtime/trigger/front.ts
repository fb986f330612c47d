import type { Server } from 'node:http';
import type { AppName, ChannelName, VersionNumber } from '#contract/ids.js';
import { Admission } from '#runtime/component/admission.js';
import { ThreadCpuClock } from '#runtime/component/cpu-clock.js';
import { ClientGone } from '#runtime/component/failure.js';
import { Deadlines } from '#runtime/component/deadlines.js';
import { SHARED_LANE_CPU_MS } from '#runtime/component/limits.js';
import { ModuleCache } from '#runtime/component/module-cache.js';
import { Meter } from '#runtime/meter/meter.js';
import type { SampledChannel } from '#runtime/meter/version-samples.js';
import { AppVersion } from './app-version.js';
import { Arrivals } from './arrivals.js';
import { AnswerBatch } from './answer-batch.js';
import { readTarget, type RequestTarget, toHostName } from './authority.js';
import { type ChannelRequests, ChannelTable, pickVersion, type ServedChannel, toChannelKey } from './channel-table.js';
import type { ClientCall, ClientFront } from './client-call.js';
import type { FrontOptions } from './front-options.js';
import { GatewayProxy } from './gateway-proxy.js';
import { GenerationWait } from './generation-wait.js';
import { answerBusy, HeavyProxy } from './heavy-proxy.js';
import { clientBounds, drainServer, makeHttpServer, NO_CLIENT_BOUNDS } from './http-server.js';
import { readLaneHeaders } from './lane-headers.js';
import { LetGoTally } from './let-go-tally.js';
import { answerStatic } from './loaded-version.js';
import { LoadedVersions } from './loaded-versions.js';
import { answerBadHost, answerMisdirected, answerNotFound, answerNotReady, answerUnknownHost, answerWellKnown, WELL_KNOWN } from './platform-answers.js';
import { type RelayedRequest, readRelayFields } from './relay/relay-head.js';
import { RelayedResponse } from './relay/relayed-response.js';
import { hostOfClient } from './request-headers.js';
import { PreviewArrivals } from './preview-arrivals.js';
import type { RequestRoute } from './request-route.js';
import { announcesBody } from './request-body.js';
import { RequestIds } from './request-ids.js';
import { RoutedRequest } from './routed-request.js';
import { Shadow } from './shadow.js';
import type { StoredVersion } from './stored-version.js';
import { TurnQueue } from './turn-queue.js';
import type { AppLane, VersionHost } from './version-host.js';
import { askInProcess, toWarmUpLane, type WarmUpApp } from './warm-up.js';

/** A channel of an app and what is held of it; nothing of that is loaded yet. */
export interface KnownChannel {
  lane: AppLane;
  versions: readonly StoredVersion[];
  /** What it serves; undefined: nothing yet. */
  served: AppLane | undefined;
}

export interface FrontLoad {
  /** Invocations under way, and those that wait for their component. */
  running: number;
  queued: number;
  /** Versions in memory. */
  loaded: number;
}

const LOADED_SWEEP_MS = 1_000;
/** Guests are begun for so long before the event loop looks for other work. */
const MAX_TURN_MS = 2;
/** After the first one of all, the next ones still find code that runs for the second time alone. */
const WARM_UP_REQUESTS = 3;
/** On top of the longest invocation: waiting in the heavy lane. */
const HEAVY_SLACK_MS = 15_000;
/** The same: finding a node, and having an app brought to one. */
const GATEWAY_SLACK_MS = 30_000;
/** A large version is fetched and compiled in seconds. */
const PREVIEW_WAIT_MS = 60_000;
/** A request from a node that knows of a newer generation waits so long for this process to switch. */
const SWITCH_WAIT_MS = 2_000;

/** The HTTP trigger of one runner: which app, which version, which component; and the way back. */
export class Front implements ClientFront {
  readonly server: Server;
  /** For requests that came in by other nodes, from the node's gateway. */
  readonly relayServer: Server;
  private readonly channels = new ChannelTable((lane, stored) =>
    this.options.lane === 'shared' ? new Shadow(lane.shadow!, this.host, this.loaded, lane, stored) : null);
  private readonly host: VersionHost;
  private readonly heavy: HeavyProxy;
  private readonly gateway: GatewayProxy | null;
  private readonly previews: PreviewArrivals;
  private readonly behind: GenerationWait;
  private readonly loaded: LoadedVersions;
  private readonly arrivals: Arrivals;
  private readonly sweeper: NodeJS.Timeout;
  /** Without the ticker no guest would be stopped any more: its end is thrown where nobody catches it, and ends the process. */
  private readonly clock = new ThreadCpuClock((cause) => {
    throw new Error('the thread that keeps the clock of guests has ended', { cause });
  });
  private readonly turns = new TurnQueue();
  readonly letGo = new LetGoTally();
  private arrived: ClientCall[] = [];
  readonly answers = new AnswerBatch();
  /** Answers say that the connection is to be closed: clients go elsewhere while this still answers. */
  draining = false;

  constructor(private readonly options: FrontOptions) {
    const deadlines = new Deadlines();
    const { limits, log } = options;
    this.host = {
      ...options,
      synthetic: null, requestIds: new RequestIds(options.node),
      clock: this.clock,
      deadlines,
      admission: new Admission(limits.runnerInvocations),
      modules: new ModuleCache(options.blobPath),
      onStrike: (lane) => {
        this.heavy.mark(toChannelKey(lane.app, lane.channel));
        options.onHeavy(lane.app, lane.channel);
      },
      onUsed: (lane, cpuMs) => {
        if (options.lane === 'heavy' && cpuMs > SHARED_LANE_CPU_MS / 2) options.onHeavy(lane.app, lane.channel);
      },
    };
    this.heavy = new HeavyProxy({
      deadlines,
      headTimeoutMs: limits.wallMs + HEAVY_SLACK_MS,
      onError: (error, { app, requestId }) => log.warn('handing over to the heavy lane failed', { app, requestId, error }),
    });
    this.gateway = options.gatewayPath === null ? null : new GatewayProxy({
      socketPath: options.gatewayPath,
      deadlines,
      headTimeoutMs: limits.wallMs + GATEWAY_SLACK_MS,
      onError: (error, requestId) => log.warn('handing over to the gateway failed', { requestId, error }),
    });
    this.previews = new PreviewArrivals({ appDomain: options.appDomain, deadlines, maxWaitMs: PREVIEW_WAIT_MS, open: options.openPreview });
    this.behind = new GenerationWait(deadlines, SWITCH_WAIT_MS);
    this.loaded = new LoadedVersions(options.loaded, options.memory);
    this.sweeper = setInterval(() => this.loaded.sweep(Date.now()), LOADED_SWEEP_MS).unref();
    this.arrivals = new Arrivals({
      deadlines,
      maxWaitMs: limits.wallMs,
      onUnloadable: ({ lane: { app, channel }, stored }, failure) => {
        log.error('a version cannot be loaded', { app, channel, version: stored.version, error: failure });
        options.onUnloadable(app, channel, stored, failure);
      },
    });
    const bounds = options.lane === 'heavy' ? NO_CLIENT_BOUNDS : clientBounds(limits.wallMs);
    this.server = makeHttpServer(bounds, (request, response, expectsContinue) => this.handle({ request, response, expectsContinue, isRelayed: false, front: this }));
    this.relayServer = makeHttpServer(
      NO_CLIENT_BOUNDS,
      (request, response, expectsContinue) => this.handle({ request, response, expectsContinue, isRelayed: true, front: this }),
      RelayedResponse,
    );
  }

  /**
   * Has an app that came with Whorl loaded and answer requests, so that the first client of all does not wait for Whorl's own code to be
   * compiled. Nothing of it is counted, and nothing stays. To be called before clients come. Throws what loading throws, or Error.
   */
  async warmUp(app: WarmUpApp): Promise<void> {
    const lane = toWarmUpLane(app.stored);
    const meter = new Meter({ append: () => undefined, close: () => undefined });
    const host = { ...this.host, meter, blobPath: app.blobPath, modules: new ModuleCache(app.blobPath) };
    const version = new AppVersion(host, this.loaded, lane, app.stored);
    try {
      await version.load();
      this.channels.add(lane, version);
      this.channels.serve(lane);
      for (let i = 0; i < WARM_UP_REQUESTS; i++) await askInProcess(this.server, lane.hosts[0]!);
    } finally {
      this.channels.remove(lane.app, lane.channel);
      meter.close();
    }
  }

  /** Takes up channels whose versions have been prepared before; what a request asks for is loaded then. */
  know(channels: readonly KnownChannel[]): void {
    for (const { lane, versions, served } of channels) {
      const held = this.channels.find(lane.app, lane.channel)?.versions;
      for (const stored of versions) {
        if (held?.get(stored.version)?.stored.artifact !== stored.artifact) this.channels.add(lane, new AppVersion(this.host, this.loaded, lane, stored));
      }
      if (served) this.switchTo(served);
    }
  }

  /**
   * Compiles a version and makes one instance of each component. It takes the place of one of the same number. Throws a WhorlError;
   * nothing has changed then.
   */
  async prepare(lane: AppLane, stored: StoredVersion): Promise<void> {
    const version = new AppVersion(this.host, this.loaded, lane, stored);
    await version.load();
    this.channels.add(lane, version);
  }

  /**
   * Switches a channel at once, or when what takes over from a version with traffic is loaded; a generation older than the one served is
   * passed over. Rejects with COMPONENT_VARIABLE_MISSING, or as loading does.
   */
  async serve(lane: AppLane): Promise<void> {
    const cold = this.channels.coldSuccessors(lane);
    if (cold.length > 0) await Promise.all(cold.map((version) => version.load()));
    this.switchTo(lane);
  }

  /** Whether a version can answer without being loaded first. */
  isLoaded(app: AppName, channel: ChannelName, version: VersionNumber): boolean {
    return this.channels.find(app, channel)?.versions.get(version)?.isLoaded ?? false;
  }

  /** Resolves when no request runs any more on a version that is not served, at the latest after `timeoutMs`: then with false. */
  settled(app: AppName, channel: ChannelName, timeoutMs: number): Promise<boolean> {
    return this.channels.settled(app, channel, timeoutMs);
  }

  release(app: AppName, channel: ChannelName, version: VersionNumber): void {
    const found = this.channels.find(app, channel);
    found?.versions.get(version)?.close();
    found?.versions.delete(version);
  }

  remove(app: AppName, channel: ChannelName): void {
    for (const version of this.channels.find(app, channel)?.versions.values() ?? []) this.letGo.follow(version);
    this.channels.remove(app, channel);
  }

  /** The apps that the heavy lane answers, all of them; without a socket their requests wait for it. */
  setHeavy(apps: readonly { app: AppName; channel: ChannelName }[], socketPath: string | null): void {
    this.heavy.set(apps.map(({ app, channel }) => toChannelKey(app, channel)), socketPath);
  }

  /** How much it has to do. */
  load(): FrontLoad {
    const { running, queued } = this.host.admission;
    return { running, queued, loaded: this.loaded.size };
  }

  /** Channels with requests at this moment. */
  requests(): ChannelRequests[] {
    return this.channels.busy();
  }

  /** What became of requests to channels whose versions are compared, since it was last asked for. */
  takeSamples(): SampledChannel[] {
    return Array.from(this.channels.underComparison(), ({ lane: { app, channel }, split, shadow }) => {
      const compared = shadow?.tally.take();
      return { app, channel, samples: (split ?? shadow)!.samples.take(), ...(compared && { shadow: compared }) };
    });
  }

  /** Stops accepting, lets what runs finish, closes. */
  async drain(timeoutMs: number): Promise<void> {
    this.draining = true;
    clearInterval(this.sweeper);
    for (const version of this.channels.versions()) this.letGo.follow(version);
    await Promise.all([this.server, this.relayServer].map((server) => drainServer(server, timeoutMs, () => this.letGo.cut())));
    await this.clock.close();
  }

  private switchTo(lane: AppLane): void {
    this.channels.serve(lane);
    this.behind.switched(toChannelKey(lane.app, lane.channel), lane.generation);
  }

  private handle(call: ClientCall): void {
    if (this.arrived.push(call) === 1) setImmediate(this.beginArrived);
  }

  /**
   * The requests of one turn of the event loop: first their heads were read, now their guests run, then they are answered; each kind of
   * code finds itself in the caches. When that takes long, others have their turn in between.
   */
  private readonly beginArrived = (): void => {
    const { arrived } = this;
    const untilMs = performance.now() + MAX_TURN_MS;
    let begun = 0;
    do {
      const call = arrived[begun++]!;
      if (!call.response.closed) this.begin(call);
    } while (begun < arrived.length && performance.now() < untilMs);
    this.arrived = arrived.slice(begun);
    if (this.arrived.length > 0) setImmediate(this.beginArrived);
    this.answers.endTurn();
  };

  onFault(error: Error): void {
    this.options.log.warn('an answer cannot be sent', { error });
  }

  private begin(call: ClientCall): void {
    try {
      if (this.options.lane === 'heavy') this.handleHandedOver(call);
      else if (call.isRelayed) this.handleRelayed(call);
      else this.handleClient(call);
    } catch (error) {
      this.fault(call, error);
    }
  }

  /** A fault of the front's own costs the request, not the runner. */
  private fault({ response }: ClientCall, error: unknown): void {
    this.options.log.error('a request failed in the front', { error });
    response.destroy();
  }

  private handleClient(call: ClientCall): void {
    const { request } = call;
    const target = readTarget(request.url!, request.rawHeaders);
    if (!target) return answerBadHost(call);
    const host = toHostName(target.authority);
    const channel = this.channels.byHost(host);
    if (channel && channel.choices.length > 0) return this.answer(call, channel, target, null);
    if (this.previews.wait(call, host, () => this.begin(call))) return;
    if (this.gateway) return this.gateway.forward(call, target.authority, target.pathWithQuery);
    if (channel) return answerNotReady(call);
    answerUnknownHost(call, host, this.options);
  }

  /** A request that came in by another node. It goes to no other from here: one that is not for this node is told so. */
  private handleRelayed(call: ClientCall): void {
    const { request } = call;
    const response = call.response as RelayedResponse;
    const relayed = readRelayFields(request.headers);
    const target = readTarget(request.url!, request.rawHeaders);
    if (!relayed || !target) return answerBadHost(call);
    const { running, queued } = this.host.admission;
    const channel = this.channels.byHost(toHostName(target.authority));
    response.load = running + queued;
    response.generation = channel?.lane.generation ?? 0;
    if (!channel || channel.choices.length === 0) return answerMisdirected(call);
    if (channel.lane.generation < relayed.generation) {
      const again = (): void => {
        if (!call.response.closed) this.begin(call);
      };
      return this.behind.add(channel.key, { generation: relayed.generation, reached: again, late: () => call.response.closed || answerMisdirected(call) });
    }
    // From here on it is this node's; who sent it may send the body, if that was not the client's to decide.
    if (call.expectsContinue && !relayed.clientWaits) {
      call.expectsContinue = false;
      response.writeContinue();
    }
    this.answer(call, channel, target, relayed);
  }

  /** Has a version of the channel answer. */
  private answer(call: ClientCall, channel: ServedChannel, target: RequestTarget, handed: RelayedRequest | null): void {
    const choice = handed ? channel.split?.choose(call.request, hostOfClient(handed.clientAddress)) : channel.split?.choose(call.request);
    const version = pickVersion(channel, () => choice!.position)!;
    // From the start again: the channel may have been switched meanwhile.
    if (!version.ready()) return this.arrivals.wait(version, call, () => this.begin(call));
    const path = pathOf(target.pathWithQuery);
    if (path.startsWith(WELL_KNOWN)) return answerWellKnown(call, path, version.artifact.app, version.artifact.digest);
    const match = version.match(path);
    if (!match) return answerNotFound(call);
    const { authority, pathWithQuery } = target;
    const { component } = match.value.trigger;
    const seen = choice && component !== undefined ? channel.split!.samples.begin(version.stored.version, component, choice.group) : null;
    const { shadow } = channel;
    const copy = shadow && component !== undefined ? shadow.begin({ request: call.request, authority, pathWithQuery, version: version.stored.version, component }, announcesBody(call.request)) : null;
    this.dispatch(call, { channel, version, match, authority, pathWithQuery, handed: handed && { clientAddress: handed.clientAddress }, setCookie: choice?.setCookie ?? null, seen, copy });
  }

  /** A request that the shared lane has chosen a version for. */
  private handleHandedOver(call: ClientCall): void {
    const { request } = call;
    const handed = readLaneHeaders(request.headers);
    const target = readTarget(request.url!, request.rawHeaders);
    if (!handed || !target) return answerBadHost(call);
    const channel = this.channels.find(handed.app, handed.channel);
    const version = channel?.versions.get(handed.version as VersionNumber);
    if (version && !version.ready()) return this.arrivals.wait(version, call, () => this.begin(call));
    const match = version?.match(pathOf(target.pathWithQuery));
    if (!channel || !version || !match) return answerBusy(call);
    // One that waits for its turn keeps the version loaded.
    version.enter();
    this.turns.add(() => {
      try {
        // The shared lane may have given up while the request waited: nobody would see what it costs.
        if (!call.response.closed) this.dispatch(call, { channel, version, match, ...target, handed, setCookie: handed.setCookie, seen: null, copy: null });
      } catch (error) {
        this.fault(call, error);
      }
      version.leave();
    });
  }

  private dispatch(call: ClientCall, route: RequestRoute): void {
    const { channel, version, match } = route;
    const { trigger } = match.value;
    const request = new RoutedRequest(call, route, this.host.requestIds, this.options.lane === 'shared' ? this.heavy : null);
    const { exchange } = request;
    if (trigger.staticResponse) return answerStatic(exchange, trigger.staticResponse);
    version.enter();
    if (this.heavy.isHeavy(channel.key)) return request.move(() => undefined);
    if (!version.isQuick(trigger)) this.answers.flush();
    const run = version.invoke(trigger, request);
    if (!run.isOver) exchange.watch(() => run.stop(new ClientGone()));
  }
}

function pathOf(pathWithQuery: string): string {
  const query = pathWithQuery.indexOf('?');
  return query < 0 ? pathWithQuery : pathWithQuery.slice(0, query);
}
