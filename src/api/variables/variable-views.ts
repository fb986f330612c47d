import type { LockedVariable } from '#contract/bundle/locked-app.js';
import type { VariableView } from './variable.schema.js';

export interface StoredVariable {
  /** Empty: in every channel that has no value of its own. */
  channel: string;
  name: string;
  secret: boolean;
  /** Sealed when secret. */
  value: string;
}

export type Declarations = Record<string, LockedVariable>;

/** What is declared and what is set, as one list by name; of two values of a name the later counts. Once either side calls a variable secret, its value is not shown. */
export function toVariableViews(declared: Declarations, stored: readonly StoredVariable[]): VariableView[] {
  const set = new Map(stored.map((variable) => [variable.name, variable]));
  const names = [...new Set([...Object.keys(declared), ...set.keys()])].sort();
  return names.map((name) => {
    const declaration = Object.hasOwn(declared, name) ? declared[name] : undefined;
    const variable = set.get(name);
    const secret = (variable?.secret ?? false) || (declaration?.secret ?? false);
    return {
      name,
      secret,
      set: variable !== undefined,
      ...(variable && variable.channel !== '' && { channel: variable.channel as VariableView['channel'] }),
      ...(variable && !secret && { value: variable.value }),
      declared: declaration !== undefined,
      required: declaration !== undefined && declaration.default === undefined,
      ...(declaration?.default !== undefined && !secret && { default: declaration.default }),
      ...(declaration?.description !== undefined && { description: declaration.description }),
    };
  });
}

/** Names of the variables that are declared without a default and have no value. */
export function missingVariables(declared: Declarations, set: ReadonlySet<string>): string[] {
  return Object.entries(declared)
    .filter(([name, { default: value }]) => value === undefined && !set.has(name))
    .map(([name]) => name)
    .sort();
}
