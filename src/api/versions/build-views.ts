import type { ComponentLimits } from '#contract/bundle/component-limits.js';
import { limitsGiven } from './limits-given.js';
import type { VersionBuildRecord } from './version-build.repository.js';
import type { VersionDetails } from './version.repository.js';
import type { VersionView } from './version.schema.js';

/** Parts of the view of a version that say what it is made of and for which engines it is built. */
type BuildViews = Pick<VersionView, 'manifest' | 'imports' | 'components' | 'builds' | 'routes'>;

/** Where a version is looked at. */
export interface Surroundings {
  /** That the control plane builds for. */
  engine: string;
  /** The most that nodes give of each limit. */
  maxima: ComponentLimits;
}

/** Facts of a component are of the newest build that there is. Pure. */
export function toBuildViews({ manifest, app }: VersionDetails, records: readonly VersionBuildRecord[], { engine, maxima }: Surroundings): BuildViews {
  const shown = records.find(({ builds }) => builds !== null)?.builds ?? {};
  const components = app.components.map(({ id, source, sourceBytes, limits, reuse = null }) => {
    const build = shown[id];
    const { imports = [], exports = [], handlers = [], dependencies = [], componentized = false, facts } = build ?? {};
    return {
      id, digest: source, bytes: sourceBytes, imports, exports, dependencies, handlers, componentized, reuse,
      capabilities: byPackage(imports), engine: build?.engine ?? null, reset: facts?.reset ?? null, memory: facts?.memory ?? null, buildMs: facts?.buildMs ?? null,
      limits: limitsGiven(limits, maxima),
    };
  });
  return {
    manifest,
    imports: [...new Set(components.flatMap((component) => component.imports))].sort(),
    components,
    builds: toStates(records, engine),
    routes: app.triggers.map(({ route, component }) => ({ route, component: component ?? null })),
  };
}

function toStates(records: readonly VersionBuildRecord[], engine: string): VersionView['builds'] {
  const known = records.map(({ engine: of, builds, failure }): VersionView['builds'][number] => ({
    engine: of,
    state: builds !== null ? 'built' : failure === null ? 'building' : 'failed',
    ...(builds === null && failure !== null && { reason: failure }),
  }));
  return known.some((build) => build.engine === engine) ? known : [{ engine, state: 'building' }, ...known];
}

/** `wasi:http/types@0.2.3` is the interface `types` of `wasi:http@0.2.3`; a name that is none stands for itself. */
function byPackage(imports: readonly string[]): VersionView['components'][number]['capabilities'] {
  const packages = new Map<string, string[]>();
  for (const name of [...imports].sort()) {
    const [, pack, iface, version] = /^([^/@]+)\/([^@]+)(@.+)?$/.exec(name) ?? [undefined, name, undefined, ''];
    const key = `${pack}${version ?? ''}`;
    packages.set(key, [...(packages.get(key) ?? []), ...(iface === undefined ? [] : [iface])]);
  }
  return [...packages].map(([name, interfaces]) => ({ package: name, interfaces }));
}
