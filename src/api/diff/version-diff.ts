import { isDeepStrictEqual } from 'node:util';
import type { LockedApp, LockedComponent } from '#contract/bundle/locked-app.js';
import { allDependencies, type LockedDependency } from '#contract/bundle/locked-dependency.js';
import type { Digest, VersionNumber } from '#contract/ids.js';
import { capabilitiesOf, newCapabilities, type VersionContents } from './capabilities.js';
import { type Changes, changesOf, namesChanged } from './changes.js';
import { type ComponentChange, MOST_FILES, type VersionDifference } from './diff.schema.js';
import { textDiff } from './text-diff.js';

/** What is different in `after`, compared with `before`. Pure. */
export function versionDiff(before: VersionContents, after: VersionContents): VersionDifference {
  const [asked, asksNow] = [capabilitiesOf(before), capabilitiesOf(after)];
  return {
    from: before.number as VersionNumber,
    to: after.number as VersionNumber,
    application: changesOf(headOf(before.app), headOf(after.app)),
    components: componentsDiff(before.app, after.app),
    bytes: { from: bytesOf(before.app), to: bytesOf(after.app) },
    triggers: changesOf(byId(before.app.triggers), byId(after.app.triggers)),
    variables: changesOf(before.app.variables, after.app.variables),
    manifest: textDiff(before.manifest, after.manifest),
    capabilities: { added: newCapabilities(asked, asksNow), removed: newCapabilities(asksNow, asked) },
  };
}

function headOf({ name, version, description, authors }: LockedApp): Record<string, string> {
  return { name, version, description, authors: authors.join(', ') };
}

function byId<T extends { id: string }>(list: readonly T[]): Record<string, T> {
  return Object.fromEntries(list.map((each) => [each.id, each]));
}

function componentsDiff(before: LockedApp, after: LockedApp): VersionDifference['components'] {
  const { added, removed, changed } = changesOf(byId(before.components), byId(after.components));
  const summary = ({ value }: { value: LockedComponent }) => ({ id: value.id, ...sourceOf(value), files: value.files.length });
  return { added: added.map(summary), removed: removed.map(summary), changed: changed.map(({ from, to }) => componentDiff(from, to)) };
}

function componentDiff(from: LockedComponent, to: LockedComponent): ComponentChange {
  return {
    id: to.id,
    source: from.source === to.source ? null : { from: sourceOf(from), to: sourceOf(to) },
    limits: changesOf<number>(from.limits as Record<string, number>, to.limits as Record<string, number>),
    environment: changesOf(from.environment, to.environment),
    variables: changesOf(from.variables, to.variables),
    files: capped(changesOf(filesOf(from), filesOf(to))),
    dependencies: changesOf(dependenciesOf(from.dependencies), dependenciesOf(to.dependencies)),
    allowedOutboundHosts: namesChanged(from.allowedOutboundHosts, to.allowedOutboundHosts),
    keyValueStores: namesChanged(from.keyValueStores, to.keyValueStores),
    sqliteDatabases: namesChanged(from.sqliteDatabases, to.sqliteDatabases),
    aiModels: namesChanged(from.aiModels, to.aiModels),
    other: (['description', 'reuse'] as const).filter((name) => !isDeepStrictEqual(from[name], to[name])),
  };
}

function sourceOf({ source, sourceBytes }: LockedComponent): { digest: Digest; bytes: number } {
  return { digest: source, bytes: sourceBytes };
}

function filesOf({ files }: LockedComponent): Record<string, { digest: Digest; bytes: number }> {
  return Object.fromEntries(files.map(({ path, digest, bytes }) => [path, { digest, bytes }]));
}

type DependencyView = ComponentChange['dependencies']['added'][number]['value'];

/** By name after the names that lead to it. */
function dependenciesOf(dependencies: readonly LockedDependency[] = [], path = ''): Record<string, DependencyView> {
  return Object.assign({}, ...dependencies.map((each) => {
    const name = path === '' ? each.name : `${path} > ${each.name}`;
    const view = { digest: each.source, bytes: each.sourceBytes, ...(each.export !== undefined && { export: each.export }), inherit: each.inherit };
    return { [name]: view, ...dependenciesOf(each.dependencies, name) };
  })) as Record<string, DependencyView>;
}

/** A whole site that was built anew would be a longer answer than anybody reads. */
function capped<T>({ added, removed, changed }: Changes<T>): Changes<T> & { leftOut: number } {
  const shown = { added: added.slice(0, MOST_FILES), removed: removed.slice(0, MOST_FILES), changed: changed.slice(0, MOST_FILES) };
  const all = added.length + removed.length + changed.length;
  return { ...shown, leftOut: all - shown.added.length - shown.removed.length - shown.changed.length };
}

function bytesOf({ components }: LockedApp): number {
  const contents = new Map<Digest, number>();
  for (const component of components) {
    for (const { source, sourceBytes } of [component, ...allDependencies(component.dependencies)]) contents.set(source, sourceBytes);
    for (const { digest, bytes } of component.files) contents.set(digest, bytes);
  }
  return [...contents.values()].reduce((sum, bytes) => sum + bytes, 0);
}
