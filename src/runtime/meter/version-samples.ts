import { isLimitCode } from '#contract/errors/component.js';
import type { ErrorCode } from '#contract/errors.js';
import type { AppName, ChannelName, VersionNumber } from '#contract/ids.js';
import type { ShadowReport } from '#contract/shadow.js';
import { BUCKETS, bucketOf as bucketOfUs, GROUPS, OVERDUE_MS, SLOW_LEVEL } from '#contract/samples.js';

/** Of one component of one version since it was last taken; histograms as counts by bucket. */
export interface SampleCounts {
  version: VersionNumber;
  component: string;
  started: number;
  requests: number;
  errors: number;
  traps: number;
  limits: number;
  overdue: number;
  latency: Uint32Array;
  cpu: Uint32Array;
  /** By group: requests, errors, slow ones. */
  groups: Uint32Array;
}

/** Of one channel that serves several versions. */
export interface SampledChannel {
  app: AppName;
  channel: ChannelName;
  samples: SampleCounts[];
  /** While copies go to another version: how its answers compare. */
  shadow?: ShadowReport;
}

/** How a request ended: with what failure of the platform's, if any, and with what status. */
export interface Ended {
  code: ErrorCode | null;
  status: number;
  /** null: it ran where that is not known. */
  cpuMs: number | null;
}

const COUNTS = ['started', 'requests', 'errors', 'traps', 'limits', 'overdue'] as const;
const HISTOGRAMS = ['latency', 'cpu', 'groups'] as const;
/** The bucket of a duration in ms. */
export const bucketOf = (ms: number): number => bucketOfUs(ms * 1_000);

export function emptyCounts(version: VersionNumber, component: string): SampleCounts {
  const none = { started: 0, requests: 0, errors: 0, traps: 0, limits: 0, overdue: 0 };
  return { version, component, ...none, latency: new Uint32Array(BUCKETS), cpu: new Uint32Array(BUCKETS), groups: new Uint32Array(3 * GROUPS) };
}

/** Adds `more` to `sum`. */
export function addCounts(sum: SampleCounts, more: SampleCounts): void {
  for (const name of COUNTS) sum[name] += more[name];
  for (const name of HISTOGRAMS) for (let i = 0; i < sum[name].length; i++) sum[name][i]! += more[name][i]!;
}

/** A request with how it went. */
export interface NotedRequest {
  /** See `VersionSample`. */
  group: number;
  durationMs: number;
  /** null: it has no answer yet, and is overdue. */
  ended: Ended | null;
}

/** One component of one version. */
class Sampler {
  readonly open = new Set<Observation>();
  private counts: SampleCounts;
  /** Latency by group. */
  private byGroup = new Uint32Array(GROUPS * BUCKETS);

  constructor(version: VersionNumber, component: string) {
    this.counts = emptyCounts(version, component);
  }

  begin(group: number, nowMs: number): Observation {
    const observation = new Observation(this, group, nowMs);
    this.counts.started++;
    this.open.add(observation);
    return observation;
  }

  /** One that was begun before, or elsewhere. */
  note(noted: NotedRequest): void {
    this.counts.started++;
    this.count(noted);
  }

  count({ group, durationMs, ended }: NotedRequest): void {
    const { counts } = this;
    const bucket = bucketOf(durationMs);
    // Where another request took the instance along, that one counts.
    const isError = ended === null || (ended.code === null ? ended.status >= 500 : ended.code !== 'COMPONENT_INSTANCE_LOST');
    counts.requests++;
    counts.latency[bucket]!++;
    counts.groups[3 * group]!++;
    this.byGroup[group * BUCKETS + bucket]!++;
    if (isError) {
      counts.errors++;
      counts.groups[3 * group + 1]!++;
    }
    if (ended === null) counts.overdue++;
    else if (ended.code === 'COMPONENT_TRAP') counts.traps++;
    else if (ended.code !== null && isLimitCode(ended.code)) counts.limits++;
    if (ended !== null && ended.cpuMs !== null) counts.cpu[bucketOf(ended.cpuMs)]!++;
  }

  /** Hands over what was counted, and begins anew. undefined: nothing was. */
  take(nowMs: number): SampleCounts | undefined {
    for (const observation of this.open) {
      // In the order in which they began.
      if (nowMs - observation.startedMs < OVERDUE_MS) break;
      this.open.delete(observation);
      this.count({ group: observation.group, durationMs: nowMs - observation.startedMs, ended: null });
    }
    const { counts } = this;
    if (counts.started === 0 && counts.requests === 0) return undefined;
    this.noteSlow();
    this.counts = emptyCounts(counts.version, counts.component);
    this.byGroup.fill(0);
    return counts;
  }

  private noteSlow(): void {
    const { requests, latency, groups } = this.counts;
    let from = 0;
    for (let below = 0; below < SLOW_LEVEL * requests; from++) below += latency[from]!;
    for (let group = 0; group < GROUPS; group++) {
      for (let bucket = from; bucket < BUCKETS; bucket++) groups[3 * group + 2]! += this.byGroup[group * BUCKETS + bucket]!;
    }
  }
}

/** One request from when its version is chosen to its answer. */
export class Observation {
  constructor(private readonly sampler: Sampler, readonly group: number, readonly startedMs: number) {}

  /** One that was overdue has been counted. */
  end(ended: Ended): void {
    if (this.sampler.open.delete(this)) this.sampler.count({ group: this.group, durationMs: performance.now() - this.startedMs, ended });
  }
}

/** What becomes of the requests of one channel while it serves several versions. */
export class ChannelSamples {
  private readonly samplers = new Map<string, Sampler>();

  /** A request goes to a version. `group` as in `VersionSample`. */
  begin(version: VersionNumber, component: string, group: number): Observation {
    return this.sampler(version, component).begin(group, performance.now());
  }

  /** A request to a version that is over, or counts as such: it is told of once. */
  note(version: VersionNumber, component: string, noted: NotedRequest): void {
    this.sampler(version, component).note(noted);
  }


  /** Since it was last taken. */
  take(): SampleCounts[] {
    const now = performance.now();
    return [...this.samplers.values()].flatMap((sampler) => sampler.take(now) ?? []);
  }
  private sampler(version: VersionNumber, component: string): Sampler {
    const key = `${version}/${component}`;
    let sampler = this.samplers.get(key);
    if (!sampler) this.samplers.set(key, (sampler = new Sampler(version, component)));
    return sampler;
  }
}
