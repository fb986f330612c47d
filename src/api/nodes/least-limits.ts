import { type ComponentLimits, LIMIT_NAMES } from '#contract/bundle/component-limits.js';

/** The lowest of each limit. One that none has is left out. */
export function leastOf(all: readonly ComponentLimits[]): ComponentLimits {
  const least = LIMIT_NAMES.map((name) => [name, Math.min(...all.map((limits) => limits[name] ?? Infinity))] as const);
  return Object.fromEntries(least.filter(([, value]) => value !== Infinity));
}
