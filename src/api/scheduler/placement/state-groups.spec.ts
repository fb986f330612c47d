import { describe, expect, it } from '@jest/globals';
import { stateGroups } from './state-groups.js';

const groups = (stores: Record<string, string[]>): Record<string, string> => Object.fromEntries(stateGroups(new Map(Object.entries(stores))));

describe(stateGroups.name, () => {
  it('leaves out what has no state in files', () => {
    expect(groups({ a: [], b: ['s'] })).toEqual({ b: 's' });
  });

  it('joins channels that share a store, also by way of others', () => {
    expect(groups({ a: ['s3'], b: ['s3', 's2'], c: ['s2', 's1'], d: ['s9'] })).toEqual({ a: 's1', b: 's1', c: 's1', d: 's9' });
  });

  it('names a group the same whatever the order of channels and stores', () => {
    expect(groups({ c: ['s1', 's2'], a: ['s3'], b: ['s2', 's3'] })).toEqual({ a: 's1', b: 's1', c: 's1' });
  });
});
