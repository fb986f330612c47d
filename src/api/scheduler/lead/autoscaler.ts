import { DEFAULT_AUTOSCALE } from '../autoscale/autoscale-settings.js';
import { autoscale, type AutoscaleMemory } from '../autoscale/autoscale.js';
import { averageOver, type LoadSample } from '../autoscale/windows.js';
import type { ChannelDemand } from './channel-row.js';
import { BASE_DEMAND, cpuStep } from './demand.js';

/** What all nodes together measured of a channel over the last step. */
export interface ChannelMeasure {
  concurrency: number;
  milliCores: number;
}

/** What is known of a channel that is scaled. */
export interface Scalable {
  min: number;
  /** null: as many as there are nodes. */
  max: number | null;
  /** Its active replicas. */
  active: number;
}

export interface ScaleStep {
  nowMs: number;
  nodes: number;
  /** By the channel's id; undefined: no node has measured. What is not named had no request. */
  measures: ReadonlyMap<string, ChannelMeasure> | undefined;
  /** undefined: gone. */
  find(id: string): Scalable | undefined;
}

interface Tracked {
  memory: AutoscaleMemory;
  samples: LoadSample[];
  milliCores: number;
  reason: string;
}

/** Keeps the samples of the channels that are in use, and says how many replicas each should have. The others cost nothing. */
export class Autoscaler {
  private readonly tracked = new Map<string, Tracked>();

  /** Takes a channel up that has active replicas: a new leader goes on from what is there. */
  resume(id: string, active: number, nowMs: number): void {
    this.tracked.set(id, { memory: { wanted: active, panicUntilMs: null, lastUsedMs: nowMs }, samples: [], milliCores: BASE_DEMAND.milliCores, reason: 'taken over' });
  }

  /** What to ask of placement for each channel in use, and for those that have just come to rest. */
  step({ nowMs, nodes, measures, find }: ScaleStep): Map<string, ChannelDemand> {
    for (const [id, { concurrency, milliCores }] of measures ?? []) if (!this.tracked.has(id) && (concurrency > 0 || milliCores > 0)) this.resume(id, find(id)?.active ?? 0, nowMs);
    const demands = new Map<string, ChannelDemand>();
    for (const [id, tracked] of this.tracked) {
      const channel = find(id);
      if (!channel) this.tracked.delete(id);
      else demands.set(id, this.scale(id, tracked, { channel, nowMs, nodes, measure: measures && (measures.get(id) ?? NOTHING_MEASURED) }));
    }
    return demands;
  }

  /** Why a channel has the replicas that it has; undefined: it is not in use. */
  reasonOf(id: string): string | undefined {
    return this.tracked.get(id)?.reason;
  }

  private scale(id: string, tracked: Tracked, { channel, nowMs, nodes, measure }: { channel: Scalable; nowMs: number; nodes: number; measure: ChannelMeasure | undefined }): ChannelDemand {
    const { min, max, active } = channel;
    const settings = { ...DEFAULT_AUTOSCALE, min, max: Math.max(max ?? nodes, min, 1) };
    if (measure) tracked.samples.push({ atMs: nowMs, ...measure });
    tracked.samples = tracked.samples.filter(({ atMs }) => atMs > nowMs - settings.stableWindowMs);
    const scaled = autoscale(settings, tracked.memory, { samples: tracked.samples, ready: active, nowMs });
    tracked.memory = scaled.memory;
    tracked.reason = scaled.reason;
    const stable = averageOver(tracked.samples, nowMs, settings.stableWindowMs);
    if (stable) tracked.milliCores = cpuStep(stable.milliCores / Math.max(active, 1), tracked.milliCores);
    if (scaled.wanted === 0) this.tracked.delete(id);
    return { wanted: scaled.wanted, demand: { memoryBytes: BASE_DEMAND.memoryBytes, milliCores: tracked.milliCores } };
  }
}

const NOTHING_MEASURED: ChannelMeasure = { concurrency: 0, milliCores: 0 };
