import { describe, expect, it } from '@jest/globals';
import { namesOf, type OpenVariable, valueChanges } from './variable-history.js';

const one = (name: string, value: string, channel = ''): OpenVariable => ({ channel, name, secret: false, value });

describe(valueChanges.name, () => {
  it('puts what was another value, or is gone, and removes what is new', () => {
    const changes = valueChanges([one('a', '2'), one('new', '1'), one('same', '1')], [one('a', '1'), one('gone', '1'), one('same', '1')], { channel: 'production', isOnly: true });
    expect(changes).toEqual({ put: [one('a', '1'), one('gone', '1')], remove: [{ channel: '', name: 'new' }], left: [] });
    expect(namesOf(changes)).toEqual(['a', 'gone', 'new']);
  });

  it('leaves what other channels have too, and says its names', () => {
    const changes = valueChanges([one('a', '2'), one('b', '2', 'staging')], [one('a', '1'), one('b', '1', 'staging')], { channel: 'staging', isOnly: false });
    expect(changes).toEqual({ put: [one('b', '1', 'staging')], remove: [], left: ['a'] });
  });

  it('does not look at what another channel has alone', () => {
    expect(valueChanges([one('a', '2', 'other')], [one('a', '1', 'other')], { channel: 'production', isOnly: false })).toEqual({ put: [], remove: [], left: [] });
  });
});
