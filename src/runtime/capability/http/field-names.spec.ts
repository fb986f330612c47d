import { describe, expect, it } from '@jest/globals';
import { FieldNames } from './field-names.js';

describe(FieldNames.name, () => {
  const names = new FieldNames(['te', 'upgrade', 'a'.repeat(31)]);

  it.each(['te', 'upgrade', 'a'.repeat(31)])('has %s', (name) => {
    expect(names.has(name)).toBe(true);
  });

  it.each(['', 'to', 'upgrada', 'host', 'te'.padEnd(34), 'a'.repeat(63), 'b'.repeat(31)])('has no %s', (name) => {
    expect(names.has(name)).toBe(false);
  });
});
