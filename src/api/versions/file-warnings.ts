import type { LockedComponent } from '#contract/bundle/locked-app.js';
import type { RuntimeGrant } from '#contract/runtime-grant.js';

type Labels = Pick<LockedComponent, 'id' | 'keyValueStores' | 'sqliteDatabases'>;
type Stores = Pick<RuntimeGrant, 'keyValueStores' | 'sqliteDatabases'>;

/** A line for each label whose store is a file, when there are several nodes: the app is bound to the one that has it (docs/guides/placement.md). */
export function fileWarnings({ components }: { components: readonly Labels[] }, { keyValueStores, sqliteDatabases }: Stores, nodes: number): string[] {
  if (nodes < 2) return [];
  return components.flatMap((component) => [
    ...inFiles(component.keyValueStores, keyValueStores).map((label) => warn(component.id, 'key_value_stores', label, nodes)),
    ...inFiles(component.sqliteDatabases, sqliteDatabases).map((label) => warn(component.id, 'sqlite_databases', label, nodes)),
  ]);
}

const REMEDIES = {
  key_value_stores: 'link a store of type redis or postgres to it (POST /v1/stores and …/links), or configure [key_value_store.',
  sqlite_databases: 'link a store of type libsql to it (POST /v1/stores and …/links), or configure [sqlite_database.',
} as const;

function warn(component: string, key: keyof typeof REMEDIES, label: string, nodes: number): string {
  return `spin.toml, component.${component}.${key}: "${label}" is a file, so the app runs on one of the ${nodes} nodes alone; ${REMEDIES[key]}${label}]`;
}

/** Without a configuration it is a file. */
function inFiles(labels: readonly string[], stores: Record<string, { type: string }>): string[] {
  return labels.filter((label) => (stores[label]?.type ?? 'spin') === 'spin');
}
