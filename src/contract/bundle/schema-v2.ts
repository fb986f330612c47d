import { z } from 'zod';
import { checkKebabId } from './identifiers.js';
import { RawComponent, RawTargets, RawVariables } from './schema-component.js';
import { anyTable, checked, choose, isTable, stringMap, strings, table } from './schema.js';

/** The tables of a version 2 manifest (Spin's manifest). */

export const RawManifestV2 = table({
  spin_manifest_version: z.literal(2),
  application: table({
    name: z.string().min(1, 'must not be empty'),
    version: z.string().optional(),
    description: z.string().optional(),
    authors: strings.optional(),
    targets: RawTargets.optional(),
    trigger: z.record(z.string(), anyTable).optional(),
    tool: anyTable.optional(),
  }),
  variables: RawVariables.optional(),
  /** Entries are checked by the kind of trigger. */
  trigger: z.record(z.string(), choose<Record<string, unknown>[]>((value) => (Array.isArray(value) ? z.array(anyTable) : 'expected an array of tables: write [[trigger.<type>]]'))),
  component: z.record(checked(checkKebabId), RawComponent).optional(),
});

const StaticResponse = table({
  status_code: z.int('expected an integer').min(200, 'expected a status from 200 to 599').max(599, 'expected a status from 200 to 599').optional(),
  headers: stringMap.optional(),
  body: z.string().optional(),
});

export const RawRoute = choose<string | { private: true }>((value) => {
  if (typeof value === 'string') return z.string();
  return isTable(value) ? table({ private: z.literal(true, 'must be true; leave it out and give a route to be reached from outside') }) : 'expected a route or { private = true }';
});

const HttpExecutor = table({ type: z.enum(['http', 'spin']) });
const WagiExecutor = table({ type: z.literal('wagi'), argv: z.string().optional(), entrypoint: z.literal('_start', 'must be "_start"').optional() });
export const RawExecutor = choose<z.infer<typeof HttpExecutor> | z.infer<typeof WagiExecutor>>((value) => {
  if (!isTable(value)) return 'expected { type = "http" } or { type = "wagi" }';
  if (value.type === 'http' || value.type === 'spin') return HttpExecutor;
  return value.type === 'wagi' ? WagiExecutor : `the type must be "http" or "wagi", got ${JSON.stringify(value.type) ?? 'none'}`;
});
export type RawExecutor = z.infer<typeof RawExecutor>;

export const RawHttpTrigger = table({
  id: z.string().max(128, 'must not be longer than 128 characters').regex(/^\P{Cc}*$/u, 'must not hold control characters').optional(),
  component: choose<string | RawComponent>((value) => (typeof value === 'string' ? checked(checkKebabId) : isTable(value) ? RawComponent : 'expected the id of a component or a table')).optional(),
  components: anyTable.optional(),
  dependencies: anyTable.optional(),
  static_response: StaticResponse.optional(),
  route: RawRoute,
  executor: RawExecutor.optional(),
});
export type RawHttpTrigger = z.infer<typeof RawHttpTrigger>;

/** `[application.trigger.http]` */
export const RawHttpSettings = table({ base: z.string().optional() });
