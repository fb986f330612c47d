import { LIMIT_NAMES, toLimitKey, type ComponentLimits } from '#contract/bundle/component-limits.js';
import type { NodeConfig } from '#platform/config.js';

/** What one invocation of a component may use, everything decided; see `LIMITS` of the contract for what each means. */
export type Limits = Readonly<Required<ComponentLimits>>;

/** The operator's: an app may lower them, never raise them. */
export interface PlatformLimits extends Limits {
  /** Invocations of all components that one runner has under way at a time. */
  runnerInvocations: number;
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

/** `cpuMs` → `WHORL_LIMIT_CPU_MS`. */
export function toPlatformLimits(config: NodeConfig): PlatformLimits {
  const limits = Object.fromEntries(LIMIT_NAMES.map((name) => [name, config[`WHORL_LIMIT_${toLimitKey(name).toUpperCase()}` as keyof NodeConfig]])) as unknown as Limits;
  return { ...limits, runnerInvocations: config.WHORL_RUNNER_INVOCATIONS };
}
