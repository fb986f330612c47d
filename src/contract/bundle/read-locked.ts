import { WhorlError } from '#contract/errors.js';
import type { Draft, DraftComponent, DraftTrigger } from './draft.js';
import { checkKebabId } from './identifiers.js';
import { LOCKED_APP_MAX_BYTES } from './limits.js';
import { lockApp } from './lock.js';
import { type LockedContent, LockedContents } from './locked-contents.js';
import { type Manifest, checkDraft } from './manifest.js';
import { type CheckedDocument, Problems } from './problems.js';
import { checkBase, readHttpTrigger } from './read-v2.js';
import { describe, isTable } from './schema.js';
import { RawComponent, RawVariables } from './schema-component.js';
import { RawLockedApp, type RawLockedComponent, type RawLockedDependency, type RawLockedTrigger } from './schema-locked.js';
import type { TomlPath } from './toml.js';

/** What Spin may demand of a reader, and what the host must be able to do. */
const FEATURES = ['host_requirements', 'component_host_requirements'];
const HOST_FEATURES = ['local_service_chaining'];
/** Spin still asks for it after a push has put the middleware into the component; one that is left in the locked app is refused by its role. */
const DONE_AT_PUSH = 'middleware';

/** Where the locked app has what a manifest has elsewhere. */
const COMPONENT_PLACES: Record<string, readonly string[]> = {
  description: ['metadata', 'description'], allowed_outbound_hosts: ['metadata', 'allowed_outbound_hosts'], key_value_stores: ['metadata', 'key_value_stores'],
  sqlite_databases: ['metadata', 'databases'], ai_models: ['metadata', 'ai_models'], tool: ['metadata', 'tool'], variables: ['config'], environment: ['env'],
};
/** What is beside a trigger's own settings; all else stands in `trigger_config`. */
const TRIGGER_KEYS = new Set<string | number>(['id', 'trigger_type', 'trigger_config', 'trigger_dependencies']);
const TOP_PLACES: Record<string, string> = { trigger: 'triggers', component: 'components' };
const FILE_PLACES: Record<string, readonly string[]> = { destination: ['path'], source: ['digest'] };

const DOCUMENT: CheckedDocument = {
  name: 'locked app',
  lineOf: () => undefined,
  pathOf: (path) => {
    const [list, index, key, ...rest] = path;
    if (index === undefined || key === undefined) return path.length === 1 ? [TOP_PLACES[list!] ?? list!] : path;
    if (list === 'triggers') return [list, index, ...(TRIGGER_KEYS.has(key) ? [key] : ['trigger_config', key]), ...rest];
    if (list !== 'components') return path;
    if (key === 'files' && typeof rest[1] === 'string') return [list, index, key, rest[0]!, ...(FILE_PLACES[rest[1]] ?? [rest[1]])];
    if (key === 'dependencies' && rest[1] === 'path') return [list, index, key, rest[0]!, 'source'];
    return [list, index, ...(Object.hasOwn(COMPONENT_PLACES, key) ? COMPONENT_PLACES[key]! : [key]), ...rest];
  },
};

export interface LockedManifest {
  /** Sources and files are named by their digests. */
  manifest: Manifest;
  /** The bytes that it names. */
  contents: LockedContent[];
}

/**
 * Parses and checks a locked app as `spin registry push` writes it, by the rules that hold for a spin.toml; messages have the path in the
 * JSON in place of a line. Throws BUNDLE_MANIFEST_SYNTAX, BUNDLE_MANIFEST_INVALID, BUNDLE_UNSUPPORTED, BUNDLE_TOO_LARGE.
 */
export function parseLockedApp(text: string): LockedManifest {
  if (Buffer.byteLength(text) > LOCKED_APP_MAX_BYTES) throw new WhorlError('BUNDLE_TOO_LARGE', `the locked app has more than ${LOCKED_APP_MAX_BYTES} bytes`);
  const problems = new Problems(DOCUMENT);
  const parsed = RawLockedApp.safeParse(parseJson(text), { error: describe });
  if (!parsed.success) problems.schema([], parsed.error);
  problems.throwIfAny();
  const contents = new LockedContents(problems);
  const draft = readDraft(parsed.data!, contents, problems);
  const manifest = checkDraft(draft, DOCUMENT, problems);
  // Before anything is fetched: where files are put is looked at when they are locked.
  lockApp(manifest, { entries: new Map(contents.all.map(({ digest }) => [digest, { digest, bytes: 0 }])), folders: new Set() });
  return { manifest, contents: contents.all };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new WhorlError('BUNDLE_MANIFEST_SYNTAX', `the locked app is no JSON: ${(cause as Error).message}`, { cause });
  }
}

function readDraft(raw: RawLockedApp, contents: LockedContents, problems: Problems): Draft {
  for (const [i, feature] of (raw.must_understand ?? []).entries()) {
    if (!FEATURES.includes(feature)) problems.unsupported(['must_understand', i], `the app says that "${feature}" must be understood, which it is not here; what is: ${FEATURES.join(', ')}`);
  }
  checkRequirements(raw.host_requirements, ['host_requirements'], problems);
  readSettings(raw.metadata ?? {}, problems);
  const components = raw.components.map((component, i) => readComponent(component, ['components', i], contents, problems));
  const triggers = raw.triggers.flatMap((trigger, i) => readTrigger(trigger, ['triggers', i], problems));
  const variables = readVariables(raw.variables, problems);
  // A component that could not be read would seem not to be there.
  if (components.includes(undefined)) problems.throwIfAny();
  return {
    manifestVersion: 2,
    application: readMetadata(raw.metadata ?? {}, problems),
    variables,
    triggers,
    components: components.filter((component) => component !== undefined),
  };
}

function checkRequirements(requirements: Record<string, unknown> | null | undefined, at: TomlPath, problems: Problems): void {
  for (const [name, need] of Object.entries(requirements ?? {})) {
    if (need !== 'optional' && name !== DONE_AT_PUSH && !HOST_FEATURES.includes(name)) problems.unsupported([...at, name], `the app requires the host feature "${name}", which is not supported; what is: ${HOST_FEATURES.join(', ')}`);
  }
}

function readMetadata(metadata: Record<string, unknown>, problems: Problems): Draft['application'] {
  const text = (key: string): string => {
    const value = metadata[key] ?? '';
    if (typeof value === 'string') return value;
    problems.invalid(['metadata', key], 'expected a string');
    return '';
  };
  const authors = metadata['authors'] ?? [];
  const listed = typeof authors === 'string' ? [authors] : authors;
  const isList = Array.isArray(listed) && listed.every((author) => typeof author === 'string');
  if (!isList) problems.invalid(['metadata', 'authors'], 'expected an array of strings');
  if (metadata['name'] === undefined || metadata['name'] === '') problems.invalid(['metadata', 'name'], 'is required');
  return { name: text('name'), version: text('version'), description: text('description'), authors: isList ? listed : [] };
}

/** Settings of all triggers of a type: `triggers`, and `trigger` when there is one type only. */
function readSettings({ triggers, trigger }: Record<string, unknown>, problems: Problems): void {
  const base = (settings: unknown, at: TomlPath): void => {
    if (!isTable(settings) || settings['base'] === undefined || settings['base'] === null) return;
    if (typeof settings['base'] === 'string') checkBase(settings['base'], [...at, 'base'], problems);
    else problems.invalid([...at, 'base'], 'expected a string');
  };
  if (isTable(triggers) && triggers['http'] !== undefined) base(triggers['http'], ['metadata', 'triggers', 'http']);
  else if (isTable(trigger) && trigger['type'] === 'http') base(trigger, ['metadata', 'trigger']);
}

/** Without a default a variable is required. */
function readVariables(raw: RawLockedApp['variables'], problems: Problems): Draft['variables'] {
  const variables = Object.entries(raw ?? {}).map(([name, { description, default: value, secret }]) => [name, {
    ...(description != null && { description }), ...(value != null ? { default: value } : { required: true }), ...(secret != null && { secret }),
  }] as const);
  const parsed = RawVariables.safeParse(Object.fromEntries(variables), { error: describe });
  if (parsed.success) return parsed.data;
  problems.schema(['variables'], parsed.error);
  return {};
}

function readTrigger({ id, trigger_type: type, trigger_config: config, trigger_dependencies: dependencies }: RawLockedTrigger, at: TomlPath, problems: Problems): DraftTrigger[] {
  if (type !== 'http') {
    problems.unsupported([...at, 'trigger_type'], `triggers of type "${type}" are not supported yet; only "http" is`);
    return [];
  }
  refuseMiddleware(dependencies, at, problems);
  const set = Object.fromEntries(Object.entries(config ?? {}).filter(([, value]) => value !== null));
  if (set['component'] !== undefined && typeof set['component'] !== 'string') {
    problems.invalid([...at, 'component'], 'expected the id of a component');
    return [];
  }
  return readHttpTrigger({ ...set, id }, at, problems);
}

function refuseMiddleware(dependencies: Record<string, unknown> | null | undefined, at: TomlPath, problems: Problems): void {
  for (const role of Object.keys(dependencies ?? {})) problems.unsupported([...at, 'trigger_dependencies', role], 'dependencies of a trigger (middleware) are not supported yet');
}

function readComponent(raw: RawLockedComponent, at: TomlPath, contents: LockedContents, problems: Problems): DraftComponent | undefined {
  const problem = checkKebabId(raw.id);
  if (problem) problems.invalid([...at, 'id'], `"${raw.id}": ${problem}`);
  checkRequirements(raw.host_requirements, [...at, 'host_requirements'], problems);
  refuseMiddleware(raw.trigger_dependencies, at, problems);
  const metadata = raw.metadata ?? {};
  const source = contents.add(raw.source, [...at, 'source']);
  const table = {
    source: source || 'refused', description: metadata['description'], variables: raw.config, environment: raw.env,
    files: (raw.files ?? []).map((file, i) => ({ source: contents.add(file, [...at, 'files', i]) || 'refused', destination: file.path })),
    allowed_outbound_hosts: metadata['allowed_outbound_hosts'], key_value_stores: metadata['key_value_stores'], sqlite_databases: metadata['databases'],
    ai_models: metadata['ai_models'], tool: metadata['tool'],
    dependencies: Object.fromEntries(Object.entries(raw.dependencies ?? {}).map(([name, dependency]) => [name, readDependency(dependency, [...at, 'dependencies', name], contents, problems)])),
  };
  const parsed = RawComponent.safeParse(Object.fromEntries(Object.entries(table).filter(([, value]) => value !== undefined && value !== null)), { error: describe });
  if (parsed.success) return { at, id: raw.id, raw: parsed.data, variablesKey: 'variables' };
  problems.schema(at, parsed.error);
  return undefined;
}

function readDependency({ source, export: exported, inherit }: RawLockedDependency, at: TomlPath, contents: LockedContents, problems: Problems): Record<string, unknown> {
  return { path: contents.add(source, [...at, 'source']) || 'refused', ...(exported != null && { export: exported }), inherit_configuration: readInherit(inherit, [...at, 'inherit'], problems) };
}

/** Spin writes `"All"` or `{"Some": […]}`. */
function readInherit(inherit: unknown, at: TomlPath, problems: Problems): unknown {
  if (inherit === undefined || inherit === null) return false;
  if (inherit === 'All') return true;
  if (isTable(inherit) && Array.isArray(inherit['Some'])) return inherit['Some'];
  problems.invalid(at, 'expected "All" or {"Some": […]}');
  return false;
}
