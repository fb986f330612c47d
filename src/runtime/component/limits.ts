import type { ComponentLimits } from '#contract/bundle/locked-app.js';

/** What one invocation of a component may use, everything decided. */
export interface Limits {
  cpuMs: number;
  wallMs: number;
  memoryBytes: number;
  /** Invocations at a time in one runner; others wait. */
  concurrency: number;
}

/** The platform's: an app may lower them, never raise them. */
export interface PlatformLimits {
  cpuMs: number;
  wallMs: number;
  memoryBytes: number;
}

/** Bounds the memory of one component in a runner to this many times its memory limit, in the worst case. */
export const MAX_CONCURRENCY = 128;

/**
 * In the shared lane a guest holds the thread that also serves its neighbours, at most for so long in one invocation. What needs
 * more runs in the heavy lane (docs/adr/0002).
 */
export const SHARED_LANE_CPU_MS = 1_000;

export function toLimits(app: ComponentLimits, platform: PlatformLimits): Limits {
  return {
    cpuMs: Math.min(app.cpuMs ?? platform.cpuMs, platform.cpuMs),
    wallMs: Math.min(app.wallMs ?? platform.wallMs, platform.wallMs),
    memoryBytes: Math.min(app.memoryBytes ?? platform.memoryBytes, platform.memoryBytes),
    concurrency: Math.min(app.concurrency ?? MAX_CONCURRENCY, MAX_CONCURRENCY),
  };
}
