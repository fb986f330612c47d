import { Digest } from '../ids.js';
import { CapabilitySet } from '../capability-sets.js';
import type { ManifestComponent } from './check-component.js';
import type { ManifestDependency } from './check-dependencies.js';
import type { SourcePlace } from './check-source.js';
import type { BundleContent } from './component-files.js';
import type { LockedDependency } from './locked-dependency.js';
import type { Problems } from './problems.js';
import type { TomlPath } from './toml.js';

/** A component's source that is not in the bundle. */
export interface RemoteSource {
  component: string;
  url: string;
  digest: Digest;
}

interface Located {
  digest: Digest;
  /** 0 for a remote source: only who fetches it knows. */
  bytes: number;
}

const NOWHERE: Located = { digest: Digest.parse(`sha256:${'0'.repeat(64)}`), bytes: 0 };
/** Dependencies of one app, those of dependencies counted wherever they are used. */
const MAX_DEPENDENCIES = 1_000;

/** Finds the bytes of components and their dependencies. What is missing goes to the problems; what is then given back is never seen. */
export class SourceLocks {
  readonly remote: RemoteSource[] = [];
  private dependencies = 0;

  constructor(private readonly bundle: BundleContent, private readonly components: ReadonlyMap<string, ManifestComponent>, private readonly problems: Problems) {}

  /** `at` is where the source stands, `what` is what it is for. */
  locate(source: SourcePlace, { component, at, what }: { component: string; at: TomlPath; what: string }): Located {
    if ('url' in source) {
      const digest = Digest.parse(source.digest);
      this.remote.push({ component, url: source.url, digest });
      return { digest, bytes: 0 };
    }
    const file = this.bundle.entries.get(source.path);
    if (!file) this.problems.missing(at, `there is no file "${source.path}" in the bundle for ${what}${this.bundle.folders.has(source.path) ? ' (it is a folder)' : ''}`);
    return file ?? NOWHERE;
  }

  /** `inheritable`: what the component itself has to hand on. */
  lockDependencies({ id, dependencies }: ManifestComponent, inheritable: readonly CapabilitySet[] = CapabilitySet.options): LockedDependency[] {
    return dependencies.flatMap((dependency) => {
      if (++this.dependencies > MAX_DEPENDENCIES) {
        if (this.dependencies === MAX_DEPENDENCIES + 1) this.problems.invalid(dependency.at, `the app has more than ${MAX_DEPENDENCIES} dependencies, those of dependencies included`);
        return [];
      }
      return [this.lockDependency(dependency, id, inheritable)];
    });
  }

  private lockDependency({ name, at, source, export: exported, inherit: wanted }: ManifestDependency, component: string, inheritable: readonly CapabilitySet[]): LockedDependency {
    const inherit = wanted.filter((set) => inheritable.includes(set));
    const target = 'component' in source ? this.components.get(source.component)! : null;
    const place = { component, at: target ? [...target.at, 'source'] : [...at, 'path'], what: `dependency "${name}" of component "${component}"` };
    const { digest, bytes } = this.locate('component' in source ? target!.source : source, place);
    const dependencies = target ? this.lockDependencies(target, inherit) : [];
    return { name, source: digest, sourceBytes: bytes, ...(exported !== undefined && { export: exported }), inherit, dependencies };
  }
}
