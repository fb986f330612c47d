import type { Draft, DraftComponent, DraftTrigger } from './draft.js';
import { checkKebabId } from './identifiers.js';
import type { Problems } from './problems.js';
import { checkBase, draftComponent } from './read-v2.js';
import { describe } from './schema.js';
import { RawHttpTriggerV1, RawManifestV1 } from './schema-v1.js';
import type { RawComponentV1 } from './schema-v1.js';

/** Version 1 allowed every database and Redis; that stays so where no outbound hosts are given (Spin's manifest). */
const V1_OUTBOUND_HOSTS = ['redis://*:*', 'mysql://*:*', 'postgres://*:*'];

/** Reads a version 1 manifest as the version 2 that means the same. What is wrong goes to `problems`. */
export function readV1(value: unknown, problems: Problems): Draft | undefined {
  const parsed = RawManifestV1.safeParse(value, { error: describe });
  if (!parsed.success) {
    problems.schema([], parsed.error);
    return undefined;
  }
  const { name, version, description, authors, trigger, variables, component } = parsed.data;
  problems.warn([], 'manifest version 1 is deprecated: write spin_manifest_version = 2 (`spin doctor` converts it)');
  if (trigger.type !== 'http') problems.unsupported(['trigger', 'type'], `triggers of type "${trigger.type}" are not supported yet; only "http" is`);
  else if (trigger.address !== undefined) problems.invalid(['trigger', 'address'], 'unknown key for type "http"; known here: type, base');
  if (trigger.base !== undefined) checkBase(trigger.base, ['trigger', 'base'], problems);
  const components = component.map((raw, i) => readComponent(raw, i, problems));
  const triggers = trigger.type === 'http' ? component.flatMap((raw, i) => readTrigger(raw, components[i]!, problems)) : [];
  return {
    manifestVersion: 1,
    application: { name, version: version ?? '', description: description ?? '', authors: authors ?? [] },
    variables: variables ?? {},
    triggers,
    components,
  };
}

function readComponent(raw: RawComponentV1, i: number, problems: Problems): DraftComponent {
  const { id: idV1, trigger: _trigger, config, ...rest } = raw;
  const id = idV1.replaceAll('_', '-').toLowerCase();
  const problem = checkKebabId(id);
  if (problem) problems.invalid(['component', i, 'id'], `"${idV1}": ${problem}`);
  const component = draftComponent(['component', i], id, { ...rest, variables: config, allowed_outbound_hosts: raw.allowed_outbound_hosts ?? V1_OUTBOUND_HOSTS }, problems);
  return { ...component, variablesKey: 'config' };
}

function readTrigger(raw: RawComponentV1, component: DraftComponent, problems: Problems): DraftTrigger[] {
  const at = [...component.at, 'trigger'];
  const parsed = RawHttpTriggerV1.safeParse(raw.trigger, { error: describe });
  if (parsed.success) return [{ at, id: `trigger-${component.id}`, component: component.id, raw: parsed.data }];
  problems.schema(at, parsed.error);
  return [];
}
