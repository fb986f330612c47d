import { describe, expect, it } from '@jest/globals';
import { nameFault } from './variable-name.js';

describe(nameFault.name, () => {
  it.each(['a', 'greeting', 'a_b', 'a1', 'api_key_2'])('takes %s', (name) => {
    expect(nameFault(name)).toBeNull();
  });

  it.each([
    ['', 'must not be empty'],
    ['invalid-name', "invalid character '-'"],
    ['invalid!name', "invalid character '!'"],
    ['Name', "invalid character 'N'"],
    ['4invalidname', 'must start with'],
    ['_a', 'must start with'],
    ['a_', 'must end with'],
    ['a__b', 'consecutive underscores'],
  ])('refuses %j: %s', (name, reason) => {
    expect(nameFault(name)).toContain(reason);
  });
});
