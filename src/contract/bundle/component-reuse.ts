import { z } from 'zod';
import { positive } from './component-limits.js';
import { choose, isTable, table } from './schema.js';

/** How far one instance of a component serves several requests. The operator's setting is the default of each part, and the most. */
export const ComponentReuse = z.object({
  /** Requests that one instance serves before the next gets a fresh one. */
  requests: positive,
  /** Of those, at a time. */
  concurrent: positive,
  /** An instance without requests for so long is let go of. */
  idleMs: positive,
}).partial();
export type ComponentReuse = z.infer<typeof ComponentReuse>;

/** `reuse` in `[component.<id>.tool.whorl]`. */
export const RawReuse = choose<boolean | { requests?: number; concurrent?: number; idle_ms?: number }>((value) => {
  if (typeof value === 'boolean') return z.boolean();
  if (!isTable(value)) return 'expected true, false or { requests, concurrent, idle_ms }';
  return table({ requests: positive.optional(), concurrent: positive.optional(), idle_ms: positive.optional() });
});

/** undefined: each request gets a fresh instance. */
export function readReuse(raw: z.infer<typeof RawReuse> | undefined): ComponentReuse | undefined {
  if (raw === undefined || typeof raw === 'boolean') return raw ? {} : undefined;
  const { idle_ms: idleMs, ...rest } = raw;
  return { ...rest, ...(idleMs !== undefined && { idleMs }) };
}
