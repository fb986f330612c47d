import { LinkError } from '#engine/build/build-error.js';

/** Explainer.md, label: words of one letter case joined by hyphens. A word fits one alternative only, so that matching stays linear. */
const LABEL = /^(?:[a-z][a-z0-9]*|[A-Z][A-Z0-9]*)(?:-(?:[a-z0-9]+|[0-9]*[A-Z][A-Z0-9]*))*$/;

/** Whether a name is a label (Explainer.md, label). */
export function isLabel(name: string): boolean {
  return LABEL.test(name);
}

/** The work that a list of names makes, in the units of a link budget: names are as long as a component likes. */
export function nameWeight(names: string[]): number {
  return names.length + Math.floor(names.reduce((length, name) => length + name.length, 0) / 64);
}

function camelCase(label: string): string {
  return label.toLowerCase().replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * Checks field, case, flag or parameter names: well-formed labels, and no two that become one camelCase key on the host's side.
 * Throws `LinkError`.
 */
export function checkLabels(what: string, labels: string[]): void {
  const seen = new Set<string>();
  for (const label of labels) {
    if (!isLabel(label)) throw new LinkError('invalid', `${what}: ${JSON.stringify(label)} is not a label in kebab-case`);
    const key = camelCase(label);
    if (seen.has(key)) throw new LinkError('invalid', `${what}: the name ${JSON.stringify(label)} stands twice`);
    seen.add(key);
  }
}

/** Names become keys of JSON objects in the plan, where this one would set a prototype instead. */
export function checkKey(name: string): string {
  if (name === '__proto__') throw new LinkError('unsupported', 'the name "__proto__" is not supported');
  return name;
}
