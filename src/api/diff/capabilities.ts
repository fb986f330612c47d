import type { ComponentBuild } from '#contract/artifact.js';
import type { LockedApp, LockedComponent } from '#contract/bundle/locked-app.js';
import type { LockedDependency } from '#contract/bundle/locked-dependency.js';
import { CAPABILITY_SETS, CapabilitySet } from '#contract/capability-sets.js';
import type { Capability } from './capability.schema.js';

/** What a version is made of. Builds are those of the newest engine; an engine reads the same imports as any other. */
export interface VersionContents {
  number: number;
  manifest: string;
  app: LockedApp;
  builds: Readonly<Record<string, ComponentBuild>>;
}

/** Which set an interface is used through, without its version; the others hold nothing that anybody grants. */
const SET_OF = new Map(CapabilitySet.options.flatMap((set) => CAPABILITY_SETS[set].map((name) => [name, set] as const)));

/**
 * All that a version asks for, each once with the components that ask. One that any component has is one that the app has: whoever pushes
 * may put other code into that component, so that it is no news in a second one. What a dependency inherits counts for itself, since its
 * code is somebody else's. Of an interface the version does not count.
 */
export function capabilitiesOf({ app, builds }: Pick<VersionContents, 'app' | 'builds'>): Capability[] {
  const found = new Map<string, Capability>();
  const add = (component: string, capability: Omit<Capability, 'components'>): void => {
    const key = keyOf(capability);
    const known = found.get(key);
    if (!known) found.set(key, { ...capability, components: [component] });
    else if (!known.components.includes(component)) known.components.push(component);
  };
  for (const component of app.components) {
    for (const capability of asked(component, builds[component.id]?.imports ?? [])) add(component.id, capability);
  }
  return [...found.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** Those of `after` that are not among those of `before`. */
export function newCapabilities(before: readonly Capability[], after: readonly Capability[]): Capability[] {
  const known = new Set(before.map(keyOf));
  return after.filter((capability) => !known.has(keyOf(capability)));
}

/** Without interfaces that nothing is granted through: clocks, streams, random numbers. Everybody has those. */
export function grantedOnes(capabilities: readonly Capability[]): Capability[] {
  return capabilities.filter(({ kind, group }) => kind !== 'interface' || group !== undefined);
}

/** In words, for messages: `outbound host https://api.example.com (web)`. */
export function describeCapability({ kind, name, dependency, components }: Capability): string {
  const what = kind === 'inherited' ? `${name}, inherited by the dependency ${dependency}` : `${kind.replaceAll('-', ' ')} ${name}`;
  return `${what} (${components.join(', ')})`;
}

function keyOf({ kind, name, dependency }: Omit<Capability, 'components'>): string {
  return JSON.stringify([kind, name, dependency]);
}

function asked(component: LockedComponent, imports: readonly string[]): Omit<Capability, 'components'>[] {
  return [
    ...imports.map((imported) => {
      const name = imported.replace(/@[^@]*$/, '');
      const group = SET_OF.get(name);
      return { kind: 'interface' as const, name, ...(group && { group }) };
    }),
    ...component.allowedOutboundHosts.map((name) => ({ kind: 'outbound-host' as const, name })),
    ...component.keyValueStores.map((name) => ({ kind: 'key-value-store' as const, name })),
    ...component.sqliteDatabases.map((name) => ({ kind: 'sqlite-database' as const, name })),
    ...component.aiModels.map((name) => ({ kind: 'ai-model' as const, name })),
    ...inherited(component.id, component.dependencies ?? []),
  ];
}

function inherited(path: string, dependencies: readonly LockedDependency[]): Omit<Capability, 'components'>[] {
  return dependencies.flatMap((each) => {
    const dependency = `${path} > ${each.name}`;
    return [...each.inherit.map((name) => ({ kind: 'inherited' as const, name, dependency })), ...inherited(dependency, each.dependencies)];
  });
}
