import { isDeepStrictEqual } from 'node:util';
import type { RuntimeConfig } from '#contract/runtime-config.js';
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

/** Whether something that an app may need is in the first and not in the second any more. */
export function takesAway(before: RuntimeConfig, after: RuntimeConfig): boolean {
  const lost = (was: object = {}, is: object = {}): boolean => Object.keys(was).some((label) => !Object.hasOwn(is, label));
  return lost(before.key_value_store, after.key_value_store) || lost(before.sqlite_database, after.sqlite_database)
    // A list takes the place of the one that a weaker layer has.
    || !isDeepStrictEqual(before.variables_provider, after.variables_provider);
}
