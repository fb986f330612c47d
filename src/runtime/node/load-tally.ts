import type { AppName, ChannelName } from '#contract/ids.js';
import { type ChannelLoad, MAX_LOADED_CHANNELS, type NodeLoad } from '#contract/node-facts.js';
import type { UsageSum } from '#runtime/meter/usage-tally.js';
import type { ChannelRequests } from '#runtime/trigger/channel-table.js';
import { type AppKey, toKey } from './app-lane.js';
import { BEAT_MS } from './runner-protocol.js';

interface Sum extends AppKey {
  requests: number;
  cpuMs: number;
  /** Requests at a time, added up over the looks of all runners. */
  seen: number;
}

/** What was counted, and what says that it arrived. */
export interface CountedLoad {
  load: NodeLoad;
  taken(): void;
}

/** What channels ask of this node since the last report that was taken. */
export class LoadTally {
  private readonly sums = new Map<string, Sum>();
  private sinceMs: number;

  constructor(private readonly nowMs: () => number = () => performance.now()) {
    this.sinceMs = nowMs();
  }

  /** What the guests of a runner used since it last said so. */
  used(usage: readonly Pick<UsageSum, 'app' | 'channel' | 'requests' | 'cpuMs'>[]): void {
    for (const { app, channel, requests, cpuMs } of usage) {
      const sum = this.sum(app, channel);
      sum.requests += requests;
      sum.cpuMs += cpuMs;
    }
  }

  /** Requests of a runner at one moment; it looks every BEAT_MS. */
  seen(requests: readonly ChannelRequests[]): void {
    for (const { app, channel, requests: count } of requests) this.sum(app, channel).seen += count;
  }

  /** What was counted so far; it is counted on until it is `taken`. */
  count(): CountedLoad {
    const untilMs = this.nowMs();
    const spanMs = untilMs - this.sinceMs;
    const looks = Math.max(1, spanMs / BEAT_MS);
    const counted = [...this.sums.values()].map((sum) => ({ ...sum }));
    const channels = counted
      .toSorted((a, b) => b.requests - a.requests || b.seen - a.seen)
      .slice(0, MAX_LOADED_CHANNELS)
      .map(({ app, channel, requests, cpuMs, seen }): ChannelLoad => ({ app, channel, inFlight: round(seen / looks), requests, cpuMs: round(cpuMs) }));
    return { load: { spanMs: Math.round(spanMs), channels }, taken: () => this.subtract(counted, untilMs) };
  }

  private subtract(counted: readonly Sum[], untilMs: number): void {
    this.sinceMs = untilMs;
    for (const { app, channel, requests, cpuMs, seen } of counted) {
      const sum = this.sum(app, channel);
      sum.requests -= requests;
      sum.cpuMs -= cpuMs;
      sum.seen -= seen;
      if (sum.requests <= 0 && sum.seen <= 0 && sum.cpuMs < 0.001) this.sums.delete(toKey(sum));
    }
  }

  private sum(app: AppName, channel: ChannelName): Sum {
    const key = toKey({ app, channel });
    let sum = this.sums.get(key);
    if (!sum) this.sums.set(key, (sum = { app, channel, requests: 0, cpuMs: 0, seen: 0 }));
    return sum;
  }
}

const round = (value: number): number => Math.round(value * 1_000) / 1_000;
