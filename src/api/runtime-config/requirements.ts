import type { RuntimeGrant } from '#contract/runtime-grant.js';

/** The label that exists without configuration. */
export const DEFAULT_LABEL = 'default';

interface ComponentLabels {
  component: string;
  keyValueStores: readonly string[];
  sqliteDatabases: readonly string[];
}

export interface UnknownLabel {
  /** Key of the manifest. */
  key: 'key_value_stores' | 'sqlite_databases';
  label: string;
  component: string;
}

/** The labels that nothing stands behind, as Spin looks for them at start. */
export function unknownLabels(components: readonly ComponentLabels[], { keyValueStores, sqliteDatabases }: Pick<RuntimeGrant, 'keyValueStores' | 'sqliteDatabases'>): UnknownLabel[] {
  const unknown = (labels: readonly string[], known: object): string[] => labels.filter((label) => label !== DEFAULT_LABEL && !Object.hasOwn(known, label));
  return components.flatMap((each) => [
    ...unknown(each.keyValueStores, keyValueStores).map((label) => ({ key: 'key_value_stores' as const, label, component: each.component })),
    ...unknown(each.sqliteDatabases, sqliteDatabases).map((label) => ({ key: 'sqlite_databases' as const, label, component: each.component })),
  ]);
}

/** Spin's words for it. */
export const describeUnknown = ({ key, label, component }: UnknownLabel): string => `unknown ${key} label "${label}" for component "${component}"`;

/** Whether a variable may get its value from a provider: only the static ones can be asked beforehand. */
export function mayBeProvided({ variablesProviders }: Pick<RuntimeGrant, 'variablesProviders'>, name: string): boolean {
  return variablesProviders.some((provider) => provider.type !== 'static' || Object.hasOwn(provider.values, name));
}
