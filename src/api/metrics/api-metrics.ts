import { setTimeout as sleep } from 'node:timers/promises';
import type { RequestHandler } from 'express';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Metrics } from '#platform/http/metrics-server.js';
import type { PlatformCounts } from './platform-counts.repository.js';

/** Long polls wait for up to two minutes, on purpose. */
const DURATION_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120];
/** A scrape has 10 s as a rule; a database that needs longer than this is as good as gone. */
const COUNT_TIMEOUT_MS = 2_000;
/** What no route matched: paths of clients' own making must not become series. */
const NO_ROUTE = 'none';
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** What a replica of the control plane says of itself and of the platform to Prometheus. Series are bounded by the routes of the API. */
export class ApiMetrics implements Metrics {
  private readonly registry = new Registry();
  private readonly requests: Counter<'method' | 'route' | 'status'>;
  private readonly durations: Histogram<'method' | 'route'>;
  private readonly reachable: Gauge;
  private readonly apps: Gauge;
  private readonly nodes: Gauge<'state'>;
  private readonly rollouts: Gauge<'state'>;

  /** @param counts asked for with each scrape */
  constructor(private readonly counts: () => Promise<PlatformCounts>) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.requests = new Counter({ name: 'whorl_api_requests_total', help: 'Requests to the API that were answered.', labelNames: ['method', 'route', 'status'], registers });
    this.durations = new Histogram({ name: 'whorl_api_request_seconds', help: 'Time to the end of the answer.', labelNames: ['method', 'route'], buckets: DURATION_BUCKETS_S, registers });
    this.reachable = new Gauge({ name: 'whorl_database_reachable', help: '1 when the database answered for this scrape.', registers });
    this.apps = new Gauge({ name: 'whorl_platform_apps', help: 'Apps that there are.', registers });
    this.nodes = new Gauge({ name: 'whorl_platform_nodes', help: 'Nodes, by whether they were heard of lately.', labelNames: ['state'], registers });
    this.rollouts = new Gauge({ name: 'whorl_platform_rollouts', help: 'Rollouts that have not ended.', labelNames: ['state'], registers });
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** Counts each answer by the pattern of its route. */
  readonly observe: RequestHandler = (request, response, next) => {
    const from = performance.now();
    response.once('close', () => {
      const route = (request.route as { path?: unknown } | undefined)?.path;
      const labels = { method: METHODS.has(request.method) ? request.method : 'other', route: typeof route === 'string' ? route : NO_ROUTE };
      this.requests.inc({ ...labels, status: response.statusCode });
      this.durations.observe(labels, (performance.now() - from) / 1e3);
    });
    next();
  };

  async text(): Promise<string> {
    await this.look();
    return this.registry.metrics();
  }

  /** Without the database there are no figures of the platform, rather than old ones. */
  private async look(): Promise<void> {
    for (const gauge of [this.apps, this.nodes, this.rollouts]) gauge.reset();
    const late = sleep(COUNT_TIMEOUT_MS, undefined, { ref: false });
    const counts = await Promise.race([this.counts().catch(() => undefined), late]);
    this.reachable.set(counts ? 1 : 0);
    if (!counts) return this.apps.remove();
    this.apps.set(counts.apps);
    for (const [state, count] of Object.entries(counts.nodes)) this.nodes.set({ state }, count);
    for (const [state, count] of Object.entries(counts.rollouts)) this.rollouts.set({ state }, count);
  }
}
