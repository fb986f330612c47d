import { z } from 'zod';
import { LIMIT_NAMES, LIMITS, toLimitKey } from './component-limits.js';
import { checkKebabId, checkLowerSnakeId, checkStoreLabel } from './identifiers.js';
import { RawReuse } from './component-reuse.js';
import { RawDependencies } from './schema-dependency.js';
import { anyTable, checked, choose, isTable, stringMap, strings, table } from './schema.js';

/** `[component.<id>]` of a version 2 manifest (Spin's manifest). */

const RemoteSource = table({ url: z.string(), digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, 'expected sha256:<64 hex digits>') });
const PackageSource = table({ registry: z.string().optional(), package: z.string(), version: z.string() });

export const RawSource = choose<string | z.infer<typeof RemoteSource> | z.infer<typeof PackageSource>>((value) => {
  if (typeof value === 'string') return z.string();
  if (!isTable(value)) return 'expected a path, { url, digest } or { package, version }';
  return 'package' in value || 'registry' in value ? PackageSource : RemoteSource;
});
export type RawSource = z.infer<typeof RawSource>;

const Placement = table({ source: z.string(), destination: z.string() });
export const RawFiles = choose<string | z.infer<typeof Placement>>((value) => {
  if (typeof value === 'string') return z.string();
  return isTable(value) ? Placement : 'expected a path, a glob or { source, destination }';
});
export type RawFiles = z.infer<typeof RawFiles>;

const Command = choose<string | string[]>((value) => (typeof value === 'string' ? z.string() : Array.isArray(value) ? strings : 'expected a command or an array of commands'));
export const RawBuild = table({ command: Command, workdir: z.string().optional(), watch: strings.optional() });

/** `[component.<id>.tool.whorl]`: limits that the app sets for itself, and whether its instances serve several requests. */
export const RawWhorl = table({ ...Object.fromEntries(LIMIT_NAMES.map((name) => [toLimitKey(name), LIMITS[name].optional()])), reuse: RawReuse.optional() });
export const RawTool = z.object({ whorl: RawWhorl.optional() }).catchall(z.unknown());

/** A name in the catalogue, or where an environment is described. */
export const RawTargets = z.array(choose<unknown>((value) => {
  if (typeof value === 'string') return z.string();
  if (!isTable(value)) return 'expected "environment:version", { url } or { path }';
  return 'path' in value ? table({ path: z.string() }) : table({ url: z.string() });
}));

const Profile = table({
  source: RawSource.optional(),
  environment: stringMap.optional(),
  dependencies: anyTable.optional(),
  build: table({ command: Command }).optional(),
});

const environment = z.record(checked((name) => (name === '' || name.includes('=') || name.includes('\0') ? 'a name must not be empty or hold "=" or NUL' : undefined)), z.string());

export const RawComponent = table({
  source: RawSource,
  description: z.string().optional(),
  variables: z.record(checked(checkLowerSnakeId), z.string()).optional(),
  environment: environment.optional(),
  files: z.array(RawFiles).optional(),
  exclude_files: strings.optional(),
  allowed_http_hosts: strings.optional(),
  allowed_outbound_hosts: strings.optional(),
  key_value_stores: z.array(checked(checkStoreLabel)).optional(),
  sqlite_databases: z.array(checked(checkStoreLabel)).optional(),
  ai_models: z.array(checked(checkKebabId)).optional(),
  targets: RawTargets.optional(),
  build: RawBuild.optional(),
  tool: RawTool.optional(),
  dependencies_inherit_configuration: z.boolean().optional(),
  dependencies: RawDependencies.optional(),
  profile: z.record(z.string(), Profile).optional(),
});
export type RawComponent = z.infer<typeof RawComponent>;

export const RawVariable = table({
  description: z.string().optional(),
  required: z.boolean().optional(),
  default: z.string().optional(),
  secret: z.boolean().optional(),
});
export const RawVariables = z.record(checked(checkLowerSnakeId), RawVariable);
