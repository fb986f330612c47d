import type { Draft } from './draft.js';
import { checkKebabId } from './identifiers.js';

/**
 * Makes up the ids that the manifest leaves out, as Spin does (Spin's manifest), so that they stay the same from push to push. Changes
 * `draft` in place: afterwards every trigger has an id and names its component.
 */
export function normalize(draft: Draft): void {
  nameTriggers(draft);
  liftInlineComponents(draft);
}

function nameTriggers({ triggers }: Draft): void {
  const taken = new Set(triggers.map(({ id }) => id));
  let counter = 1;
  for (const trigger of triggers) {
    if (trigger.id !== '') continue;
    const friendly = typeof trigger.component === 'string' ? `${trigger.component}-http-trigger` : undefined;
    if (friendly && !taken.has(friendly)) trigger.id = friendly;
    else {
      while (taken.has(`http-trigger${counter}`)) counter++;
      trigger.id = `http-trigger${counter}`;
    }
    taken.add(trigger.id);
  }
}

function liftInlineComponents(draft: Draft): void {
  const taken = new Set(draft.components.map(({ id }) => id));
  for (const trigger of draft.triggers) {
    if (typeof trigger.component !== 'object') continue;
    let id = `${trigger.id}-component`;
    if (checkKebabId(id) || taken.has(id)) {
      let counter = 1;
      while (taken.has(`inline-component${counter}`)) counter++;
      id = `inline-component${counter}`;
    }
    taken.add(id);
    draft.components.push({ ...trigger.component, id });
    trigger.component = id;
  }
}
