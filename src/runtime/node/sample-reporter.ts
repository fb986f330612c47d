import { setTimeout as sleep } from 'node:timers/promises';
import { WhorlError } from '#contract/errors.js';
import type { AppName, ChannelName } from '#contract/ids.js';
import { toHistogram, type NodeSamples, type VersionSample } from '#contract/samples.js';
import { mergeShadows, type ShadowReport } from '#contract/shadow.js';
import type { Log } from '#platform/log.js';
import { addCounts, emptyCounts, type SampleCounts, type SampledChannel } from '#runtime/meter/version-samples.js';
import { type AppKey, toKey } from './app-lane.js';

const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 5_000;
/** As many as a report may have of one channel. */
const MAX_SAMPLES = 256;

interface Summed extends AppKey {
  sums: Map<string, SampleCounts>;
  /** Of copies to another version. */
  shadow?: ShadowReport;
}

/** Requests of one component of one version that a runner has begun, and not said more of. */
interface Outstanding extends AppKey {
  counts: Pick<SampleCounts, 'version' | 'component'>;
  requests: number;
}

/**
 * Sends what became of requests to channels that serve several versions, all runners together, once a second as long as there are any. A
 * report is sent again until it is taken; what comes meanwhile goes into the next.
 */
export class SampleReporter {
  private channels = new Map<string, Summed>();
  /** By runner. */
  private readonly outstanding = new Map<string, Map<string, Outstanding>>();
  private seq = 0;
  private unsent: NodeSamples | undefined;
  private failing = false;

  constructor(
    private readonly incarnation: string,
    private readonly send: (report: NodeSamples, signal: AbortSignal) => Promise<void>,
    private readonly log: Log,
  ) {}

  /** What a runner says. */
  add(writer: string, channels: readonly SampledChannel[]): void {
    const before = this.outstanding.get(writer);
    if (channels.length === 0 && !before) return;
    const own = new Map<string, Outstanding>();
    for (const [key, each] of before ?? []) if (channels.some(({ app, channel }) => app === each.app && channel === each.channel)) own.set(key, each);
    this.outstanding.set(writer, own);
    for (const { app, channel, samples, shadow } of channels) {
      const summed = this.channel({ app, channel });
      const { sums } = summed;
      if (shadow) summed.shadow = summed.shadow?.version === shadow.version ? { ...shadow, components: mergeShadows(summed.shadow.components, shadow.components) } : shadow;
      for (const counts of samples) {
        const { version, component, started, requests } = counts;
        addCounts(sumOf(sums, counts), counts);
        const key = `${toKey({ app, channel })}/${version}/${component}`;
        const known = own.get(key)?.requests ?? 0;
        own.set(key, { app, channel, counts: { version, component }, requests: known + started - requests });
      }
    }
  }

  /** A runner has ended: the requests that it had under way have no answer. They are one fault. */
  lost(writer: string): void {
    for (const { app, channel, counts, requests } of this.outstanding.get(writer)?.values() ?? []) {
      if (requests <= 0) continue;
      const sum = sumOf(this.channel({ app, channel }).sums, counts);
      sum.requests += requests;
      sum.errors++;
    }
    this.outstanding.delete(writer);
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(INTERVAL_MS, undefined, { signal }).catch(() => {});
      this.unsent ??= this.next();
      if (this.unsent && !signal.aborted) await this.trySend(this.unsent, signal);
    }
  }

  /** The next report; undefined: there is nothing to say. */
  next(): NodeSamples | undefined {
    if (this.channels.size === 0) return undefined;
    const channels = [...this.channels.values()].map(({ app, channel, sums, shadow }) => ({ app, channel, samples: [...sums.values()].slice(0, MAX_SAMPLES).map(toSample), ...(shadow && { shadow }) }));
    this.channels = new Map();
    return { incarnation: this.incarnation, seq: ++this.seq, channels };
  }

  private async trySend(report: NodeSamples, signal: AbortSignal): Promise<void> {
    try {
      await this.send(report, AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]));
      this.failing = false;
      this.unsent = undefined;
    } catch (error) {
      if (!this.failing && !signal.aborted) this.log.warn('the control plane does not take what became of requests', { reason: (error as Error).message });
      this.failing = true;
      // What it refuses it would refuse again.
      if (error instanceof WhorlError && error.code === 'NODE_CONTROL_PLANE_REFUSED') this.unsent = undefined;
    }
  }

  private channel({ app, channel }: { app: AppName; channel: ChannelName }): Summed {
    const key = toKey({ app, channel });
    let summed = this.channels.get(key);
    if (!summed) this.channels.set(key, (summed = { app, channel, sums: new Map() }));
    return summed;
  }
}

function sumOf(sums: Map<string, SampleCounts>, { version, component }: Pick<SampleCounts, 'version' | 'component'>): SampleCounts {
  const key = `${version}/${component}`;
  let sum = sums.get(key);
  if (!sum) sums.set(key, (sum = emptyCounts(version, component)));
  return sum;
}

/** Of a longer name the beginning: it counts in the whole. */
const MAX_NAME = 64;

function toSample({ component, latency, cpu, groups, ...counts }: SampleCounts): VersionSample {
  return { ...counts, component: component.slice(0, MAX_NAME), latency: toHistogram(latency), cpu: toHistogram(cpu), groups: [...groups] };
}
