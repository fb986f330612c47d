import { Err } from '#engine/run/host.js';
import { perSlot, type Capability } from './capability.js';

/** Why a variable's name is not one, in Spin's words (its expressions crate, Key); null: it is. */
export function nameFault(name: string): string | null {
  if (name === '') return 'must not be empty';
  const wrong = /[^a-z0-9_]/u.exec(name);
  if (wrong) return `invalid character '${wrong[0]}'. Variable names may contain only lower-case letters, numbers, and underscores.`;
  if (!/^[a-z]/.test(name)) return 'must start with a lowercase ASCII letter';
  if (!/[a-z0-9]$/.test(name)) return 'must end with a lowercase ASCII letter or digit';
  if (name.includes('__')) return 'must not contain multiple consecutive underscores';
  return null;
}

/** `fermyon:spin/variables@2.0.0`: a component sees the variables of its own section alone. */
export const VARIABLES: Capability = {
  name: 'fermyon:spin/variables',
  version: '2.0.0',
  functions: {
    get: perSlot(({ grant }) => (name: string) => {
      const value = grant.variables.get(name);
      if (value !== undefined) return value;
      const fault = nameFault(name);
      if (fault !== null) return new Err({ tag: 'invalid-name', val: `${JSON.stringify(name)}: ${fault}` });
      return new Err({ tag: 'undefined', val: `no variable for ${JSON.stringify(grant.component)}.${JSON.stringify(name)}` });
    }),
  },
};
