import { WhorlError } from '#contract/errors.js';
import { type ManifestComponent, checkComponent } from './check-component.js';
import { checkCycles } from './check-dependencies.js';
import { checkTriggers } from './check-triggers.js';
import type { Draft, DraftComponent } from './draft.js';
import { MANIFEST_MAX_BYTES } from './limits.js';
import type { LockedTrigger, LockedVariable } from './locked-app.js';
import { normalize } from './normalize.js';
import { type CheckedDocument, type ManifestWarning, Problems } from './problems.js';
import { readV1 } from './read-v1.js';
import { readV2 } from './read-v2.js';
import { parseToml } from './toml.js';

/** A manifest whose names, references and values are all right; only the files it names are not looked at yet. */
export interface Manifest {
  application: Draft['application'];
  variables: Record<string, LockedVariable>;
  triggers: LockedTrigger[];
  /** Those that a trigger refers to. */
  components: ManifestComponent[];
  /** All, by id: what other components depend on needs no trigger. */
  allComponents: ReadonlyMap<string, ManifestComponent>;
  warnings: ManifestWarning[];
  document: CheckedDocument;
}

/**
 * Parses and checks the text of a `spin.toml`, version 2 or 1 (Spin's manifest). Throws BUNDLE_MANIFEST_SYNTAX, BUNDLE_MANIFEST_INVALID or
 * BUNDLE_UNSUPPORTED; the message names keys with their lines, `fields` holds all of them by path.
 */
export function parseManifest(text: string): Manifest {
  if (Buffer.byteLength(text) > MANIFEST_MAX_BYTES) throw new WhorlError('BUNDLE_TOO_LARGE', `spin.toml has more than ${MANIFEST_MAX_BYTES} bytes`);
  const document = parseToml(text);
  const problems = new Problems(document);
  const draft = readVersion(document.value, problems);
  if (!draft) {
    problems.throwIfAny();
    throw new Error('a manifest was not read, yet nothing is wrong with it');
  }
  return checkDraft(draft, document, problems);
}

/** Checks what a draft refers to, and gives it with every default filled in. Throws as `parseManifest` does, for what was found before as well. */
export function checkDraft(draft: Draft, document: CheckedDocument, problems: Problems): Manifest {
  normalize(draft);
  const variables = checkVariables(draft, problems);
  const components = checkComponentIds(draft, problems);
  const triggers = checkTriggers(draft, new Set(components.keys()), problems);
  const names = { variables: new Set(Object.keys(variables)), components };
  const allComponents = new Map([...components].map(([id, component]) => [id, checkComponent(component, names, problems)]));
  checkCycles(allComponents, problems);
  const used = usedComponents(triggers, allComponents, problems);
  problems.throwIfAny();
  return { application: draft.application, variables, triggers, components: used, allComponents, warnings: problems.warnings, document };
}

/** The components that triggers refer to; warns of those that nothing refers to. */
function usedComponents(triggers: LockedTrigger[], all: ReadonlyMap<string, ManifestComponent>, problems: Problems): ManifestComponent[] {
  const triggered = new Set(triggers.map((trigger) => trigger.component));
  const components = [...all.values()];
  const dependedOn = new Set(components.flatMap(({ dependencies }) => dependencies.flatMap(({ source }) => ('component' in source ? source.component : []))));
  for (const { id, at } of components) {
    if (!triggered.has(id) && !dependedOn.has(id)) problems.warn(at, `no trigger refers to the component "${id}": it is left out`);
  }
  return components.filter(({ id }) => triggered.has(id));
}

function readVersion(value: Record<string, unknown>, problems: Problems): Draft | undefined {
  const version = value.spin_manifest_version ?? value.spin_version;
  if (value.spin_manifest_version === 2) return readV2(value, problems);
  if (version === '1') return readV1(value, problems);
  const at = [value.spin_manifest_version === undefined && value.spin_version !== undefined ? 'spin_version' : 'spin_manifest_version'];
  problems.invalid(at, version === undefined ? 'is required: write spin_manifest_version = 2' : `invalid manifest version: expected the integer 2 or the string "1", got ${typeof version === 'bigint' ? version : JSON.stringify(version)}`);
  return undefined;
}

function checkVariables(draft: Draft, problems: Problems): Record<string, LockedVariable> {
  const variables: Record<string, LockedVariable> = {};
  for (const [name, { description, required, default: value, secret }] of Object.entries(draft.variables)) {
    if ((required ?? false) === (value !== undefined)) {
      problems.invalid(['variables', name], required ? 'must be `required` or have a `default`, not both' : 'must be `required` or have a `default`');
    }
    variables[name] = { secret: secret ?? false, ...(description !== undefined && { description }), ...(value !== undefined && { default: value }) };
  }
  return variables;
}

function checkComponentIds(draft: Draft, problems: Problems): Map<string, DraftComponent> {
  const components = new Map<string, DraftComponent>();
  for (const component of draft.components) {
    // Version 2 has them as keys; in version 1 two may be the same, or become so.
    if (components.has(component.id)) problems.invalid([...component.at, 'id'], `there are two components with the id "${component.id}"`);
    else components.set(component.id, component);
  }
  return components;
}
