import { createHash } from 'node:crypto';
import type { LockedComponent } from '#contract/bundle/locked-app.js';
import { allDependencies, type LockedDependency } from '#contract/bundle/locked-dependency.js';
import { deniedInterfaces } from '#contract/capability-sets.js';
import { Digest } from '#contract/ids.js';
import type { BlobStat } from '#registry/storage/blob-storage.js';
import type { DependencyOrder } from './build-report.js';

type Source = Pick<LockedComponent, 'source' | 'dependencies'>;

/**
 * What a build is a function of: the digest of the component itself, or, when it has dependencies, one over all that is put together and
 * how.
 */
export function compositionDigest({ source, dependencies = [] }: Source): Digest {
  if (dependencies.length === 0) return source;
  const text = JSON.stringify([source, dependencies.map(essence)]);
  return Digest.parse(`sha256:${createHash('sha256').update(text).digest('hex')}`);
}

function essence({ name, source, export: exported, inherit, dependencies }: LockedDependency): unknown {
  return [name, source, exported ?? null, inherit, dependencies.map(essence)];
}

/** What the build worker needs of a component's dependencies; `pathOf` gives the file with the bytes of a digest. */
export function dependencyOrders(dependencies: readonly LockedDependency[] = [], pathOf: (source: Digest) => string): DependencyOrder[] {
  return dependencies.map(({ name, source, export: exported, inherit, dependencies: own }) => ({
    name,
    source: pathOf(source),
    ...(exported !== undefined && { export: exported }),
    denied: deniedInterfaces(inherit),
    dependencies: dependencyOrders(own, pathOf),
  }));
}

/** The uploaded bytes that a component is made of: its own and those of its dependencies. */
export function sourcesOf({ source, sourceBytes, dependencies }: Pick<LockedComponent, 'source' | 'sourceBytes' | 'dependencies'>): BlobStat[] {
  return [{ digest: source, bytes: sourceBytes }, ...allDependencies(dependencies).map((dependency) => ({ digest: dependency.source, bytes: dependency.sourceBytes }))];
}
