import type { LockedApp } from '#contract/bundle/locked-app.js';
import { type ComponentLimits, LIMIT_NAMES, toLimitKey } from '#contract/bundle/component-limits.js';

/** What a component gets of each limit: what it asks for, and no more than the nodes give. A limit of which neither says anything is left out. */
export function limitsGiven(asked: ComponentLimits, maxima: ComponentLimits): ComponentLimits {
  const given = LIMIT_NAMES.map((name) => [name, Math.min(asked[name] ?? Infinity, maxima[name] ?? Infinity)] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== Infinity));
}

/** A line for each limit that an app asks more of than the nodes give. */
export function limitWarnings({ components }: Pick<LockedApp, 'components'>, maxima: ComponentLimits): string[] {
  return components.flatMap(({ id, limits }) => LIMIT_NAMES.flatMap((name) => {
    const [asked, most] = [limits[name], maxima[name]];
    if (asked === undefined || most === undefined || asked <= most) return [];
    const key = toLimitKey(name);
    return [`spin.toml, component.${id}.tool.whorl.${key}: ${asked} is more than the nodes give, ${most} (WHORL_LIMIT_${key.toUpperCase()}); the component gets ${most}`];
  }));
}
