import type { ManifestComponent } from './check-component.js';
import { checkEntryPath } from './entry-path.js';
import { Glob, isGlob } from './glob.js';
import { DEFAULT_BUNDLE_LIMITS } from './limits.js';
import type { LockedFile } from './locked-app.js';
import type { Problems } from './problems.js';
import type { TomlPath } from './toml.js';
import type { BundleFile } from './unpack.js';

/** What is in the bundle. */
export interface BundleContent {
  entries: ReadonlyMap<string, BundleFile>;
  folders: ReadonlySet<string>;
}

/** Paths compared with patterns, in one manifest: beyond it the manifest costs more than any app needs. */
const MAX_GLOB_MATCHES = 2_000_000;

/**
 * Resolves `files` and `exclude_files` of components against the bundle (Spin's manifest). Later mounts win over earlier ones at the same
 * path, as Spin copies them one after another.
 */
export class ComponentFiles {
  private readonly paths: string[];
  private readonly folders = new Set<string>();
  private globMatches = 0;

  constructor(private readonly bundle: BundleContent, private readonly problems: Problems) {
    this.paths = [...bundle.entries.keys()].sort();
    for (const folder of bundle.folders) this.folders.add(folder);
    for (const path of this.paths) {
      for (let slash = path.lastIndexOf('/'); slash > 0 && !this.folders.has(path.slice(0, slash)); slash = path.lastIndexOf('/', slash - 1)) this.folders.add(path.slice(0, slash));
    }
  }

  /** The files of one component, sorted by path. What is wrong goes to the problems. */
  resolve(component: ManifestComponent): LockedFile[] {
    const excludes = component.excludeFiles.flatMap((pattern, i) => this.glob(pattern, [...component.at, 'exclude_files', i], true) ?? []);
    const mounted = new Map<string, { path: string; at: TomlPath }>();
    for (const [i, mount] of component.files.entries()) {
      const at = [...component.at, 'files', i];
      for (const [target, path] of typeof mount === 'string' ? this.pattern(mount, at, excludes) : this.placement(mount, at, excludes)) {
        const before = mounted.get(target);
        if (before && this.bundle.entries.get(before.path)!.digest !== this.bundle.entries.get(path)!.digest) this.problems.warn(at, `${target} is mounted twice: ${path} replaces ${before.path}`);
        mounted.set(target, { path, at });
      }
    }
    for (const [target, { at }] of mounted) {
      for (let slash = target.lastIndexOf('/'); slash > 0; slash = target.lastIndexOf('/', slash - 1)) {
        if (mounted.has(target.slice(0, slash))) this.problems.invalid(at, `${target.slice(0, slash)} would be a file and a folder at once`);
      }
    }
    return [...mounted].map(([target, { path }]) => ({ path: target, ...this.bundle.entries.get(path)! })).sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** A path or glob: the files keep their paths. */
  private pattern(pattern: string, at: TomlPath, excludes: Glob[]): [target: string, path: string][] {
    if (pattern === '*' || pattern === '**/*') this.problems.warn(at, `"${pattern}" mounts everything at the root of the bundle, the component itself included: name a folder instead`);
    const clean = this.clean(pattern, at, 'the pattern');
    if (clean === undefined) return [];
    const included = (path: string) => [[`/${path}`, path]] as [string, string][];
    const kept = (path: string) => !this.isExcluded(path, excludes);
    if (isGlob(clean)) {
      const glob = this.glob(clean, at, false);
      const found = glob ? this.paths.filter((path) => this.matches(glob, path)) : [];
      if (glob && found.length === 0) this.problems.warn(at, `no file in the bundle matches "${pattern}"`);
      return found.filter(kept).flatMap(included);
    }
    if (this.bundle.entries.has(clean)) return kept(clean) ? included(clean) : [];
    if (this.folders.has(clean)) return this.below(clean).filter(kept).flatMap(included);
    this.problems.missing(at, `there is no file or folder "${pattern}" in the bundle`);
    return [];
  }

  /** A file or folder put at another place. */
  private placement({ source, destination }: { source: string; destination: string }, at: TomlPath, excludes: Glob[]): [target: string, path: string][] {
    const from = this.clean(source, [...at, 'source'], 'the source');
    const bare = destination.replace(/^\/+/, '');
    const to = bare === '' ? '' : this.clean(bare, [...at, 'destination'], 'the destination');
    if (from === undefined || to === undefined) return [];
    if (this.bundle.entries.has(from)) {
      if (to === '') this.problems.invalid([...at, 'destination'], 'must name the file, not only "/"');
      return to === '' ? [] : [[`/${to}`, from]];
    }
    if (this.folders.has(from)) return this.below(from).filter((path) => !this.isExcluded(path, excludes)).map((path) => [`${to === '' ? '' : `/${to}`}${path.slice(from.length)}`, path]);
    this.problems.missing([...at, 'source'], `there is no file or folder "${source}" in the bundle`);
    return [];
  }

  private clean(path: string, at: TomlPath, what: string): string | undefined {
    const checked = checkEntryPath(path, DEFAULT_BUNDLE_LIMITS.pathBytes);
    if ('path' in checked && checked.path !== '' && !/(^|\/)\.\/?$/.test(path)) return checked.path;
    this.problems.invalid(at, `${JSON.stringify(path)}: ${'refused' in checked ? checked.refused : `${what} must not end in "."; name a file, a folder or a glob such as "assets/**/*"`}`);
    return undefined;
  }

  private below(folder: string): string[] {
    return this.paths.filter((path) => path.startsWith(`${folder}/`));
  }

  private isExcluded(path: string, excludes: Glob[]): boolean {
    return excludes.some((glob) => this.matches(glob, path));
  }

  private matches(glob: Glob, path: string): boolean {
    return ++this.globMatches <= MAX_GLOB_MATCHES && glob.matches(path);
  }

  /** Excluding patterns are matched as a whole string, so that their `*` crosses slashes, as in Spin. */
  private glob(pattern: string, at: TomlPath, crossesSlash: boolean): Glob | undefined {
    if (pattern.length > DEFAULT_BUNDLE_LIMITS.pathBytes) {
      this.problems.invalid(at, `a pattern may have ${DEFAULT_BUNDLE_LIMITS.pathBytes} characters`);
      return undefined;
    }
    try {
      return new Glob(pattern.replace(/^(?:\.\/)+/, ''), { crossesSlash });
    } catch (error) {
      this.problems.invalid(at, `"${pattern}": ${(error as Error).message}`);
      return undefined;
    }
  }

  /** To be asked after the last component. */
  checkCost(): void {
    if (this.globMatches > MAX_GLOB_MATCHES) this.problems.invalid(['component'], `files and exclude_files together compare more than ${MAX_GLOB_MATCHES} paths: use fewer patterns`);
  }
}
