import { describe, expect, it } from '@jest/globals';
import { nearest } from './nearest.js';

describe(nearest.name, () => {
  it.each([
    ['ulr', 'url'],
    ['max_conection', 'max_connections'],
    ['Type', 'type'],
    ['key_value_stores', 'key_value_store'],
  ])('takes %s for %s', (name, meant) => {
    expect(nearest(name, ['url', 'type', 'max_connections', 'key_value_store', 'token'])).toBe(meant);
  });

  it('takes what is far from everything for nothing', () => {
    expect(nearest('password', ['url', 'type', 'token'])).toBeUndefined();
    expect(nearest('x', [])).toBeUndefined();
  });
});
