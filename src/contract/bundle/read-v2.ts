import type { z } from 'zod';
import type { Draft, DraftComponent, DraftTrigger } from './draft.js';
import type { Problems } from './problems.js';
import { describe } from './schema.js';
import type { RawComponent } from './schema-component.js';
import { RawHttpSettings, RawHttpTrigger, RawManifestV2 } from './schema-v2.js';
import type { TomlPath } from './toml.js';

/** Reads a version 2 manifest. What is wrong goes to `problems`; undefined when too little is left to go on. */
export function readV2(value: unknown, problems: Problems): Draft | undefined {
  const parsed = RawManifestV2.safeParse(value, { error: describe });
  if (!parsed.success) problems.schema([], parsed.error);
  // The triggers are looked at all the same, so that one answer names everything.
  const triggers = readTriggers((value as { trigger?: unknown }).trigger, problems);
  if (!parsed.success) return undefined;
  const { application, variables, component, trigger } = parsed.data;
  readApplicationTriggers(application.trigger, trigger, problems);
  return {
    manifestVersion: 2,
    application: { name: application.name, version: application.version ?? '', description: application.description ?? '', authors: application.authors ?? [] },
    variables: variables ?? {},
    triggers,
    components: Object.entries(component ?? {}).map(([id, raw]) => draftComponent(['component', id], id, raw, problems)),
  };
}

function readTriggers(value: unknown, problems: Problems): DraftTrigger[] {
  if (typeof value !== 'object' || value === null) return [];
  const triggers: DraftTrigger[] = [];
  for (const [type, entries] of Object.entries(value)) {
    if (!Array.isArray(entries)) continue;
    if (type !== 'http') {
      if (entries.length > 0) problems.unsupported(['trigger', type], `triggers of type "${type}" are not supported yet; only "http" is`);
      continue;
    }
    for (const [i, entry] of entries.entries()) triggers.push(...readHttpTrigger(entry, ['trigger', 'http', i], problems));
  }
  return triggers;
}

/** Reads one HTTP trigger; none when it is refused. */
export function readHttpTrigger(value: unknown, at: TomlPath, problems: Problems): DraftTrigger[] {
  const parsed = RawHttpTrigger.safeParse(value, { error: describe });
  if (!parsed.success) {
    problems.schema(at, parsed.error);
    return [];
  }
  const { id, component, components, dependencies, ...raw } = parsed.data;
  for (const key of Object.keys(components ?? {})) problems.unsupported([...at, 'components', key], 'further components of a trigger are not supported');
  for (const key of Object.keys(dependencies ?? {})) problems.unsupported([...at, 'dependencies', key], 'dependencies of a trigger (middleware) are not supported yet');
  if (raw.executor && 'entrypoint' in raw.executor && raw.executor.entrypoint) problems.warn([...at, 'executor', 'entrypoint'], 'is deprecated: leave it out');
  return [{ at, id: id ?? '', raw, component: typeof component === 'object' ? draftComponent([...at, 'component'], '', component, problems) : component }];
}

function readApplicationTriggers(settings: Record<string, unknown> | undefined, triggers: z.infer<typeof RawManifestV2>['trigger'], problems: Problems): void {
  for (const [type, value] of Object.entries(settings ?? {})) {
    const at = ['application', 'trigger', type];
    // A type that has triggers was refused with them.
    if (type !== 'http' && !triggers[type]?.length) problems.unsupported(at, `triggers of type "${type}" are not supported yet; only "http" is`);
    if (type === 'http') {
      const parsed = RawHttpSettings.safeParse(value, { error: describe });
      if (!parsed.success) problems.schema(at, parsed.error);
      else if (parsed.data.base !== undefined) checkBase(parsed.data.base, [...at, 'base'], problems);
    }
  }
}

/** Spin dropped the base path; the one that changes nothing is let through (Spin's manifest). */
export function checkBase(base: string, at: TomlPath, problems: Problems): void {
  if (base === '/') problems.warn(at, 'is deprecated: leave it out');
  else problems.invalid(at, `a base path is not supported any more: put "${base}" into the routes`);
}

export function draftComponent(at: TomlPath, id: string, raw: RawComponent, problems: Problems): DraftComponent {
  if (typeof raw.source === 'object' && 'package' in raw.source) problems.unsupported([...at, 'source'], `a source from a package registry ("${raw.source.package}") is not supported yet; pack the file, or give { url, digest }`);
  return { at, id, raw, variablesKey: 'variables' };
}
