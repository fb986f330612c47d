import type { AutoscaleSettings } from './autoscale-settings.js';
import { averageOver, type Load, type LoadSample } from './windows.js';

/** What is remembered of a channel from step to step. Plain data. */
export interface AutoscaleMemory {
  /** The replicas that it should have, as last decided. */
  wanted: number;
  /** Until then it only grows; null: no panic. */
  panicUntilMs: number | null;
  /** When it last had a request, as far as known. */
  lastUsedMs: number;
}

export interface Scaled {
  memory: AutoscaleMemory;
  /** 0: no process, on disk only. */
  wanted: number;
  /** In words with figures. */
  reason: string;
}

export interface ScaleInput {
  /** Oldest first, as far back as the stable window at least. Without any the channel stays as it is. */
  samples: readonly LoadSample[];
  /** Replicas that are ready. */
  ready: number;
  nowMs: number;
}

/**
 * One step of the autoscaler, after Knative's KPA (knative/serving, pkg/autoscaler/scaling/autoscaler.go): the average of a stable window says how
 * many replicas there should be; when the much shorter panic window wants `panicThreshold` times what is ready, the larger of the two
 * counts, and nothing is taken away until a stable window after that was last so. One step changes by no more than the two rates.
 *
 * Different from there: CPU counts beside concurrency, and the one that asks for more decides; the measures are those of the nodes, complete,
 * not those of a sample of pods; without measures the last decision holds; between `min` and 0 lies `idleAfterMs`, not a grace period
 * of a proxy; a panic remembers the decision itself, so that a new leader goes on with it.
 */
export function autoscale(settings: AutoscaleSettings, memory: AutoscaleMemory, { samples, ready, nowMs }: ScaleInput): Scaled {
  const stable = averageOver(samples, nowMs, settings.stableWindowMs);
  const inBounds = (count: number): number => Math.min(Math.max(count, settings.min), settings.max);
  if (!stable) {
    const wanted = inBounds(memory.wanted);
    return { memory: { ...memory, wanted }, wanted, reason: `no measures of the last ${settings.stableWindowMs / 1000} s: it stays as it is` };
  }
  const panic = averageOver(samples, nowMs, settings.panicWindowMs) ?? stable;
  const lastUsedMs = lastUse(samples, nowMs, memory.lastUsedMs);
  const base = Math.max(1, ready);
  const limit = (count: number): number => Math.min(Math.max(count, Math.floor(base / settings.maxScaleDownRate)), Math.ceil(settings.maxScaleUpRate * base));
  const byStable = replicasFor(settings, stable);
  const byPanic = replicasFor(settings, panic);

  const isOver = byPanic / base >= settings.panicThreshold;
  const panicUntilMs = isOver ? nowMs + settings.stableWindowMs : memory.panicUntilMs !== null && memory.panicUntilMs >= nowMs ? memory.panicUntilMs : null;
  const desired = panicUntilMs === null ? limit(byStable) : Math.max(limit(byStable), limit(byPanic), memory.wanted);
  // What was asked for a moment ago may answer again in a moment: one replica stays until it is idle.
  const isIdle = panicUntilMs === null && byStable === 0 && nowMs - lastUsedMs >= settings.idleAfterMs;
  const wanted = inBounds(isIdle ? 0 : Math.max(desired, 1));
  return { memory: { wanted, panicUntilMs, lastUsedMs }, wanted, reason: reasonOf() };

  function reasonOf(): string {
    if (isIdle) return `no request for ${Math.floor((nowMs - lastUsedMs) / 1000)} s: ${wanted === 0 ? 'on disk only' : `the least, ${wanted}`}`;
    const figures = (load: Load): string => `${load.concurrency.toFixed(1)} requests at a time and ${(load.milliCores / 1000).toFixed(2)} cores`;
    const targets = `${settings.targetConcurrency} and ${settings.targetMilliCores / 1000} for each replica`;
    const mode = panicUntilMs === null ? `over ${settings.stableWindowMs / 1000} s` : `panic, over ${settings.panicWindowMs / 1000} s`;
    const bounds = wanted === desired ? '' : `, ${desired} but for its bounds ${settings.min} to ${settings.max}`;
    return `${mode}: ${figures(panicUntilMs === null ? stable! : panic)}; ${targets}: ${wanted}, ${ready} ready${bounds}`;
  }
}

function replicasFor(settings: AutoscaleSettings, { concurrency, milliCores }: Load): number {
  return Math.max(Math.ceil(concurrency / settings.targetConcurrency), Math.ceil(milliCores / settings.targetMilliCores));
}

function lastUse(samples: readonly LoadSample[], nowMs: number, beforeMs: number): number {
  const used = samples.findLast(({ atMs, concurrency, milliCores }) => atMs <= nowMs && (concurrency > 0 || milliCores > 0));
  return Math.max(beforeMs, used?.atMs ?? -Infinity);
}
