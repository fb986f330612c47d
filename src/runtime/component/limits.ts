import { LIMIT_NAMES, toLimitKey, type ComponentLimits } from '#contract/bundle/component-limits.js';
import type { ComponentReuse } from '#contract/bundle/component-reuse.js';
import type { NodeConfig } from '#platform/config.js';

/** What one invocation of a component may use, everything decided; see `LIMITS` of the contract for what each means. */
export type Limits = Readonly<Required<ComponentLimits>>;

/** How far an instance serves several requests, everything decided. */
export type Reuse = Readonly<Required<ComponentReuse>>;

/** The operator's: an app may lower them, never raise them. */
export interface PlatformLimits extends Limits {
  /** Invocations of all components that one runner has under way at a time. */
  runnerInvocations: number;
  /** For components that ask for it. */
  reuse: Reuse;
}

/**
 * In the shared lane a guest holds the thread that also serves its neighbours, at most for so long in one invocation. What needs
 * more runs in the heavy lane (docs/adr/0002).
 */
export const SHARED_LANE_CPU_MS = 1_000;

/** The lower one of each. */
export function toLimits(app: ComponentLimits, platform: PlatformLimits): Limits {
  return Object.fromEntries(LIMIT_NAMES.map((name) => [name, Math.min(app[name] ?? platform[name], platform[name])])) as unknown as Limits;
}

/** The lower one of each; null: each request gets a fresh instance. */
export function toReuse(app: ComponentReuse | undefined, { reuse }: PlatformLimits): Reuse | null {
  if (!app) return null;
  const lower = (name: keyof Reuse): number => Math.min(app[name] ?? reuse[name], reuse[name]);
  const requests = lower('requests');
  return requests === 1 ? null : { requests, concurrent: lower('concurrent'), idleMs: lower('idleMs') };
}

/** `cpuMs` → `WHORL_LIMIT_CPU_MS`. */
export function toPlatformLimits(config: NodeConfig): PlatformLimits {
  const limits = Object.fromEntries(LIMIT_NAMES.map((name) => [name, config[`WHORL_LIMIT_${toLimitKey(name).toUpperCase()}` as keyof NodeConfig]])) as unknown as Limits;
  const { WHORL_RUNNER_INVOCATIONS: runnerInvocations, WHORL_REUSE_REQUESTS: requests, WHORL_REUSE_CONCURRENT: concurrent, WHORL_REUSE_IDLE_MS: idleMs } = config;
  return { ...limits, runnerInvocations, reuse: { requests, concurrent, idleMs } };
}
