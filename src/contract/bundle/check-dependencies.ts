import { CapabilitySet } from '../capability-sets.js';
import { checkSource, type SourcePlace } from './check-source.js';
import { type DependencyName, overlap, parseDependencyName } from './dependency-name.js';
import type { DraftComponent } from './draft.js';
import { formatPath, type Problems } from './problems.js';
import type { RawDependency } from './schema-dependency.js';
import type { TomlPath } from './toml.js';

/** A dependency whose names are all right; only the files are not looked at yet. */
export interface ManifestDependency {
  name: string;
  at: TomlPath;
  source: SourcePlace | { component: string };
  export?: string;
  inherit: CapabilitySet[];
}

/** Settings that a component which others depend on must not have: nothing would come of them (Spin's manifest). */
const SETTINGS = [
  'variables', 'environment', 'files', 'allowed_http_hosts', 'allowed_outbound_hosts', 'key_value_stores', 'sqlite_databases', 'ai_models',
] as const;

/** As many as the engine puts together. */
const MAX_DEPENDENCIES = 100;

/** Checks the dependencies of one component and gives those that can be looked up. */
export function checkDependencies(component: DraftComponent, all: ReadonlyMap<string, DraftComponent>, problems: Problems): ManifestDependency[] {
  const { raw } = component;
  const names = new Map<string, DependencyName>();
  const listed = Object.entries(raw.dependencies ?? {});
  if (listed.length > MAX_DEPENDENCIES) {
    problems.invalid([...component.at, 'dependencies'], `has ${listed.length} dependencies, more than the ${MAX_DEPENDENCIES} that a component may have`);
    return [];
  }
  return listed.flatMap(([name, dependency]) => {
    const at = [...component.at, 'dependencies', name];
    const parsed = parseDependencyName(name);
    if ('refused' in parsed) {
      problems.invalid(at, `${JSON.stringify(name)}: ${parsed.refused}`);
      return [];
    }
    for (const [before, other] of names) if (overlap(parsed, other)) problems.invalid(at, `"${name}" and "${before}" could both be for the same import: give them different interfaces or versions`);
    names.set(name, parsed);
    const inherit = inherited(component, dependency, at, problems);
    const source = sourceOf(dependency, at, all, problems);
    if (typeof dependency === 'string' || source === undefined) return [];
    if (dependency.export !== undefined && !parsed.isPlain && parsed.interface === null) problems.invalid([...at, 'export'], `"${name}" may be for several imports, which one export cannot all satisfy: name the interface, as in "${parsed.package}/…"`);
    return [{ name, at, source, ...(dependency.export !== undefined && { export: dependency.export }), inherit }];
  });
}

function inherited({ raw, at }: DraftComponent, dependency: RawDependency, dependencyAt: TomlPath, problems: Problems): CapabilitySet[] {
  const own = typeof dependency === 'string' ? undefined : dependency.inherit_configuration;
  const forAll = raw.dependencies_inherit_configuration;
  if (own !== undefined && forAll !== undefined) {
    problems.invalid([...dependencyAt, 'inherit_configuration'], `must not stand beside dependencies_inherit_configuration of ${formatPath(at)}: use one or the other`);
  }
  const inherit = own ?? forAll ?? false;
  if (Array.isArray(inherit)) return CapabilitySet.options.filter((set) => inherit.includes(set));
  return inherit ? [...CapabilitySet.options] : [];
}

function sourceOf(dependency: RawDependency, at: TomlPath, all: ReadonlyMap<string, DraftComponent>, problems: Problems): ManifestDependency['source'] | undefined {
  if (typeof dependency === 'string' || 'version' in dependency) {
    problems.unsupported(at, 'dependencies from a package registry are not supported: put the component into the bundle (`wkg get` fetches it) and write { path = "…" }');
    return undefined;
  }
  if ('component' in dependency) {
    checkTarget(dependency.component, [...at, 'component'], all, problems);
    return { component: dependency.component };
  }
  return 'path' in dependency ? checkSource(dependency.path, [...at, 'path'], problems) : checkSource({ url: dependency.url, digest: dependency.digest }, at, problems);
}

function checkTarget(id: string, at: TomlPath, all: ReadonlyMap<string, DraftComponent>, problems: Problems): void {
  const target = all.get(id);
  if (!target) {
    problems.invalid(at, `there is no component "${id}"`);
    return;
  }
  const { raw } = target;
  const set = SETTINGS.filter((key) => Object.keys(raw[key] ?? {}).length > 0);
  if (set.length > 0) problems.invalid(at, `the component "${id}" has ${set.join(', ')} of its own; a dependency has only what it inherits`);
}

/** Dependencies of dependencies: as many as the engine puts together. */
const MAX_DEPTH = 16;

/** Refuses components that depend on themselves, by whatever way, or on others without end. */
export function checkCycles(components: ReadonlyMap<string, { dependencies: readonly ManifestDependency[] }>, problems: Problems): void {
  const done = new Set<string>();
  const walk = (id: string, path: string[]): void => {
    for (const { source, at } of components.get(id)?.dependencies ?? []) {
      if (!('component' in source) || done.has(source.component)) continue;
      const way = [...path, source.component];
      if (path.includes(source.component)) problems.invalid(at, `a component cannot depend on itself: ${way.slice(path.indexOf(source.component)).join(' → ')}`);
      else if (path.length >= MAX_DEPTH) problems.invalid(at, `dependencies depend on each other more than ${MAX_DEPTH} deep`);
      else walk(source.component, way);
    }
    done.add(id);
  };
  for (const id of components.keys()) walk(id, [id]);
}
