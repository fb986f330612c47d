import { isDeepStrictEqual } from 'node:util';

/** What differs between two tables. */
export interface Changes<T> {
  added: { name: string; value: T }[];
  removed: { name: string; value: T }[];
  changed: { name: string; from: T; to: T }[];
}

/** Compares two tables name by name, in the order of the names. Pure. */
export function changesOf<T>(before: Readonly<Record<string, T>>, after: Readonly<Record<string, T>>): Changes<T> {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const changes: Changes<T> = { added: [], removed: [], changed: [] };
  for (const name of names) {
    const [from, to] = [own(before, name), own(after, name)];
    if (from === undefined && to !== undefined) changes.added.push({ name, value: to });
    else if (from !== undefined && to === undefined) changes.removed.push({ name, value: from });
    else if (from !== undefined && to !== undefined && !isDeepStrictEqual(from, to)) changes.changed.push({ name, from, to });
  }
  return changes;
}

/** The same of two lists of names. */
export function namesChanged(before: readonly string[], after: readonly string[]): Changes<null> {
  const table = (names: readonly string[]): Record<string, null> => Object.fromEntries(names.map((name) => [name, null]));
  return changesOf(table(before), table(after));
}


function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
