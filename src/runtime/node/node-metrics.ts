import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { GatewayCounts, GatewayGauges } from '#runtime/gateway/gateway-protocol.js';
import { addUsage, emptySum, toSourceKey, type UsageSum } from '#runtime/meter/usage-tally.js';
import type { LaneKind, RunnerLoad } from './runner-protocol.js';

/** Runners of a lane that accept, as they last said how they are doing. */
export interface LaneState {
  lane: LaneKind;
  loads: readonly (RunnerLoad | undefined)[];
}

const SOURCE_LABELS = ['org', 'app', 'channel', 'version', 'component'] as const;
/** Components of versions that are told apart; each has a dozen series at most. */
const MAX_SOURCES = 1_000;

type SourceCount = [name: string, help: string, of: (sum: UsageSum) => number];

const SOURCE_COUNTS: readonly SourceCount[] = [
  ['whorl_invocations_total', 'Invocations that ended.', (sum) => sum.requests],
  ['whorl_invocation_errors_total', 'Invocations that trapped, struck a limit or answered 500 and above.', (sum) => sum.errors],
  ['whorl_invocation_cpu_seconds_total', 'CPU time that invocations used.', (sum) => sum.cpuMs / 1e3],
  ['whorl_invocation_wall_seconds_total', 'Time from the start to the end of invocations.', (sum) => sum.wallMs / 1e3],
  ['whorl_received_bytes_total', 'Bytes of request bodies.', (sum) => sum.bytesIn],
  ['whorl_sent_bytes_total', 'Bytes of response bodies.', (sum) => sum.bytesOut],
];

const LOAD_GAUGES: readonly [name: string, help: string, of: (load: RunnerLoad) => number][] = [
  ['whorl_running_invocations', 'Invocations under way.', (load) => load.running],
  ['whorl_queued_invocations', 'Requests that wait for their component.', (load) => load.queued],
  ['whorl_loaded_versions', 'Versions in memory, added up over runners.', (load) => load.loaded],
  ['whorl_runners_resident_bytes', 'Resident memory of runners.', (load) => load.residentBytes],
];

type GatewayCount = [name: string, help: string, of: (counts: GatewayCounts) => number];

const GATEWAY_COUNTS: readonly GatewayCount[] = [
  ['whorl_gateway_handed_over_total', 'Requests that another node answered.', (counts) => counts.handedOver],
  ['whorl_gateway_taken_total', 'Requests of other nodes.', (counts) => counts.taken],
  ['whorl_gateway_opened_connections_total', 'Connections that other gateways have opened.', (counts) => counts.connections],
  ['whorl_gateway_retries_total', 'Tries at another node after one that failed or did not have the channel.', (counts) => counts.retried],
  ['whorl_gateway_misdirected_total', 'Nodes that did not have a channel as the route table says.', (counts) => counts.misdirected],
  ['whorl_gateway_waits_total', 'Requests that waited for a channel that was on no node.', (counts) => counts.waited],
  ['whorl_gateway_errors_total', 'Requests that the gateway itself answered with an error.', (counts) => counts.failed],
  ['whorl_gateway_refused_peers_total', 'Connections of other gateways that were not believed.', (counts) => counts.refusedPeers],
];

const GATEWAY_GAUGES: readonly [name: string, help: string, of: (gauges: GatewayGauges) => number][] = [
  ['whorl_gateway_requests', 'Requests under way in the gateway.', (gauges) => gauges.underWay],
  ['whorl_gateway_waiting_requests', 'Of those, the ones that wait for a channel.', (gauges) => gauges.waiting],
  ['whorl_gateway_routes', 'Channels in the route table.', (gauges) => gauges.routes],
  ['whorl_gateway_connections', 'Open connections of other gateways.', (gauges) => gauges.connections],
];

/** What the gateway last said; absent: there is none, or it has said nothing yet. */
export interface GatewayState {
  counts: GatewayCounts | undefined;
  gauges: GatewayGauges | undefined;
}

/**
 * What a node says of itself to Prometheus. Components without traffic have no series; of those with traffic the ones that had none for
 * longest give way when there are too many. One that comes back begins at 0, which `rate()` takes for a restart.
 */
export class NodeMetrics {
  private readonly registry = new Registry();
  /** In order of use, the latest last. */
  private readonly sources = new Map<string, UsageSum>();
  private readonly deaths: Counter<'lane'>;
  private dropped = 0;

  constructor(private readonly node: { lanes(): readonly LaneState[]; apps(): number; gateway?(): GatewayState | null }, private readonly maxSources = MAX_SOURCES) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    for (const [name, help, of] of SOURCE_COUNTS) this.sourceCounter(name, help, of);
    this.limitCounter();
    this.deaths = new Counter({ name: 'whorl_runner_deaths_total', help: 'Runners that ended by themselves and were replaced.', labelNames: ['lane'], registers });
    for (const lane of ['shared', 'heavy']) this.deaths.inc({ lane }, 0);
    this.laneGauge('whorl_runners', 'Runners that accept requests.', ({ loads }) => loads.length);
    for (const [name, help, of] of LOAD_GAUGES) this.laneGauge(name, help, ({ loads }) => loads.reduce((sum, load) => sum + (load ? of(load) : 0), 0));
    this.plainGauge('whorl_apps', 'Channels of apps that the node holds.', () => this.node.apps());
    for (const [name, help, of] of GATEWAY_COUNTS) this.gatewayCounter(name, help, of);
    for (const [name, help, of] of GATEWAY_GAUGES) this.gatewayGauge(name, help, of);
    this.plainGauge('whorl_metrics_sources_dropped', 'Components whose series gave way to others since the start.', () => this.dropped);
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** Usage that a runner reports. */
  add(usage: readonly UsageSum[]): void {
    for (const each of usage) {
      const key = toSourceKey(each);
      const sum = this.sources.get(key) ?? emptySum(each);
      addUsage(sum, each);
      this.sources.delete(key);
      this.sources.set(key, sum);
    }
    for (const key of this.sources.keys()) {
      if (this.sources.size <= this.maxSources) break;
      this.sources.delete(key);
      this.dropped++;
    }
  }

  died(lane: LaneKind): void {
    this.deaths.inc({ lane });
  }

  /** Everything, in Prometheus' text format. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  private sourceCounter(name: string, help: string, of: (sum: UsageSum) => number): void {
    const { sources } = this;
    const counter: Counter<(typeof SOURCE_LABELS)[number]> = new Counter({
      name, help, labelNames: SOURCE_LABELS, registers: [this.registry],
      collect() {
        counter.reset();
        for (const sum of sources.values()) counter.inc(labelsOf(sum), of(sum));
      },
    });
  }

  private limitCounter(): void {
    const { sources } = this;
    const counter: Counter<(typeof SOURCE_LABELS)[number] | 'code'> = new Counter({
      name: 'whorl_limit_strikes_total', help: 'How often a limit struck, by the code of its error.', labelNames: [...SOURCE_LABELS, 'code'], registers: [this.registry],
      collect() {
        counter.reset();
        for (const sum of sources.values()) for (const [code, count] of Object.entries(sum.limits)) counter.inc({ ...labelsOf(sum), code }, count);
      },
    });
  }

  private laneGauge(name: string, help: string, of: (state: LaneState) => number): void {
    const { node } = this;
    const gauge: Gauge<'lane'> = new Gauge({
      name, help, labelNames: ['lane'], registers: [this.registry],
      collect() {
        for (const state of node.lanes()) gauge.set({ lane: state.lane }, of(state));
      },
    });
  }

  /** Begins at 0 with each gateway, which `rate()` takes for a restart. */
  private gatewayCounter(name: string, help: string, of: GatewayCount[2]): void {
    const { node } = this;
    const counter = new Counter({
      name, help, registers: [this.registry],
      collect() {
        const counts = node.gateway?.()?.counts;
        this.reset();
        if (counts) this.inc(of(counts));
      },
    });
    counter.inc(0);
  }

  private gatewayGauge(name: string, help: string, of: (gauges: GatewayGauges) => number): void {
    const { node } = this;
    const gauge: Gauge = new Gauge({
      name, help, registers: [this.registry],
      collect() {
        const gauges = node.gateway?.()?.gauges;
        if (gauges) gauge.set(of(gauges));
      },
    });
  }

  private plainGauge(name: string, help: string, of: () => number): void {
    const gauge: Gauge = new Gauge({ name, help, registers: [this.registry], collect: () => gauge.set(of()) });
  }
}

const labelsOf = ({ org, app, channel, version, component }: UsageSum) => ({ org, app, channel, version, component });
