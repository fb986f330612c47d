import type { Server } from 'node:http';
import type { NodeCredentials } from '#contract/node-identity.js';
import type { RouteChanges, WantedChannel } from '#contract/routes.js';
import type { Log } from '#platform/log.js';
import { Deadlines } from '#runtime/component/deadlines.js';
import { AnswerBatch } from '#runtime/trigger/answer-batch.js';
import { readTarget } from '#runtime/trigger/authority.js';
import type { ClientCall, ClientFront } from '#runtime/trigger/client-call.js';
import { drainServer, makeHttpServer, NO_CLIENT_BOUNDS } from '#runtime/trigger/http-server.js';
import { answerBadHost } from '#runtime/trigger/platform-answers.js';
import { readStrayFields } from '#runtime/trigger/relay/relay-head.js';
import { toKeptSocket } from '#runtime/trigger/relay/socket-outbound.js';
import { Errand } from './errand.js';
import type { GatewayConfig, GatewayCounts, GatewayGauges } from './gateway-protocol.js';
import type { GatewayParts } from './gateway-parts.js';
import { NodeScores } from './node-scores.js';
import { PeerAgents } from './peer-agents.js';
import { PeerServer } from './peer-server.js';
import { RouteFile } from './route-file.js';
import { RouteTable, toRouteKey } from './route-table.js';
import { TableNews } from './table-news.js';

/** On top of the longest invocation: loading a version, or waiting for its turn. */
const HEAD_SLACK_MS = 15_000;
/**
 * Connections to runners are used again within this. A runner takes new ones when it is not held up by a guest; one that has just answered was not.
 * Requests that come one upon the other, for which making connections would cost the most, find one.
 */
const TO_RUNNER_KEPT_MS = 50;
/** A channel is asked for so often while requests wait for it. */
const WANT_EVERY_MS = 1_000;

export interface GatewayEvents {
  /** Wants to know what is new; `refreshed` is the answer. */
  refresh(call: number): void;
  wanted(channel: WantedChannel): void;
}

/**
 * Finds a node for what the own one has not: a request that a runner hands over goes to a node that has the channel, and its answer comes back.
 * Requests of other nodes go to the own runners, and never further. No guest's code runs in its process.
 */
export class Gateway implements ClientFront {
  readonly answers = new AnswerBatch();
  draining = false;
  readonly counts: GatewayCounts = { handedOver: 0, taken: 0, connections: 0, retried: 0, misdirected: 0, waited: 0, failed: 0, refusedPeers: 0 };
  readonly gauges: GatewayGauges = { underWay: 0, waiting: 0, routes: 0, connections: 0 };
  private readonly table = new RouteTable();
  private readonly file: RouteFile;
  private readonly server: Server;
  private readonly agents = new PeerAgents();
  private readonly news: TableNews;
  private readonly wantedAtMs = new Map<string, number>();
  private readonly parts: GatewayParts;
  private peers: PeerServer | undefined;
  private port: number;
  private opening: Promise<void> = Promise.resolve();

  constructor(private readonly config: GatewayConfig, private readonly events: GatewayEvents, private readonly log: Log) {
    this.port = config.listen.port;
    this.file = new RouteFile(config.routesPath, this.table, log);
    this.news = new TableNews((call) => events.refresh(call));
    this.server = makeHttpServer(NO_CLIENT_BOUNDS, (request, response, expectsContinue) => this.handle({ request, response, expectsContinue, isRelayed: false, front: this }));
    this.parts = {
      table: this.table,
      scores: new NodeScores(),
      news: this.news,
      deadlines: new Deadlines(),
      headTimeoutMs: config.wallMs + HEAD_SLACK_MS,
      counts: this.counts,
      gauges: this.gauges,
      log,
      self: config.node,
      appDomain: config.appDomain,
      publicPort: config.publicPort,
      toSelf: toKeptSocket({ path: config.relayPath, asksToProceed: true, keptMs: TO_RUNNER_KEPT_MS }),
      toNode: (node) => this.agents.to(node),
      canReachOthers: () => this.agents.isReady,
      random: Math.random,
      raise: (route, generation) => this.file.raise(route, generation),
      want: (channel) => this.want(channel),
      over: () => { this.gauges.underWay--; },
    };
  }

  /** Takes up the table on disk and begins to answer runners. The revision of the table; null: there is none. */
  async start(): Promise<string | null> {
    this.file.load();
    this.gauges.routes = this.table.size;
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ path: this.config.gatewayPath }, resolve);
    });
    return this.table.revision;
  }

  /** Who this node is to others; the first time, it begins to answer them. The port. Rejects with what the system says. */
  async setCredentials(credentials: NodeCredentials): Promise<number> {
    this.agents.setCredentials(credentials);
    const before = this.opening;
    this.opening = before.catch(() => undefined).then(() => this.open(credentials));
    await this.opening;
    return this.port;
  }

  take(changes: RouteChanges): void {
    this.file.apply(changes);
    this.gauges.routes = this.table.size;
  }

  refreshed(call: number): void {
    this.news.answered(call);
  }

  /** Takes nothing more from other nodes, and ends what is under way for them. */
  async drain(timeoutMs: number): Promise<void> {
    await this.peers?.drain(timeoutMs);
  }

  async close(timeoutMs: number): Promise<void> {
    this.draining = true;
    await Promise.all([drainServer(this.server, timeoutMs), this.drain(timeoutMs)]);
    this.agents.close();
  }

  onFault(error: Error): void {
    this.log.warn('an answer cannot be sent', { error });
  }

  private async open(credentials: NodeCredentials): Promise<void> {
    if (this.peers) return this.peers.setCredentials(credentials);
    const { listen } = this.config;
    const { toSelf, deadlines, headTimeoutMs } = this.parts;
    const peers = new PeerServer(credentials, { toSelf, headTimeoutMs, deadlines, counts: this.counts, gauges: this.gauges, log: this.log });
    this.port = await peers.listen(listen);
    this.peers = peers;
  }

  private handle(call: ClientCall): void {
    const { request } = call;
    const stray = readStrayFields(request.headers);
    const target = readTarget(request.url!, request.rawHeaders);
    if (!stray || !target) return answerBadHost(call);
    this.gauges.underWay++;
    new Errand(this.parts, call, stray, target).run();
  }

  private want(channel: WantedChannel): void {
    const key = toRouteKey(channel);
    const now = performance.now();
    if (now - (this.wantedAtMs.get(key) ?? -WANT_EVERY_MS) < WANT_EVERY_MS) return;
    this.wantedAtMs.set(key, now);
    for (const [each, atMs] of this.wantedAtMs) if (now - atMs > WANT_EVERY_MS) this.wantedAtMs.delete(each);
    this.events.wanted(channel);
  }
}
