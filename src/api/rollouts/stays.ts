import type { Capability } from '../diff/capability.schema.js';

/** What a rollback of the code leaves as it is. */
export interface Staying {
  kind: string;
  name: string;
  why: string;
}

const WHY: Partial<Record<Capability['kind'], { kind: string; why: string }>> = {
  'key-value-store': { kind: 'key-value', why: 'what was written to the store since stays written' },
  'sqlite-database': { kind: 'sqlite', why: 'rows and schema migrations since stay in the database' },
  'outbound-host': { kind: 'outbound', why: 'what was sent there since stays sent' },
};

/** By what the versions that are served now may do: each effect that outlives them. Pure. */
export function staysOf(served: readonly Capability[]): Staying[] {
  const found = new Map<string, Staying>();
  for (const { kind, name } of served) {
    const known = WHY[kind];
    if (known) found.set(`${known.kind}\n${name}`, { ...known, name });
  }
  return [...found.values(), { kind: 'operator', name: 'runtime configuration and stores', why: 'they are the operator\'s: links, grants and stores that were changed or deleted since stay so' }];
}
