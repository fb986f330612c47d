import { describe, expect, it } from '@jest/globals';
import { describeSource, isOlder, SourceQuery, toSource } from './source.js';

const day = (number: number): string => `2026-01-0${number}T00:00:00.000Z`;

describe(isOlder.name, () => {
  it.each([
    ['by time', { time: day(1) }, { time: day(2) }, true],
    ['by time, when it is the same', { time: day(2) }, { time: day(2) }, false],
    ['by sequence before time', { time: day(1), sequence: 8 }, { time: day(2), sequence: 7 }, false],
    ['by sequence', { time: day(3), sequence: 6 }, { time: day(2), sequence: 7 }, true],
    ['by time where one has no sequence', { time: day(1), sequence: 9 }, { time: day(2) }, true],
    ['with nothing in common', { sequence: 1 }, { time: day(2) }, false],
    ['of the same commit', { commit: 'a', time: day(1) }, { commit: 'a', time: day(2) }, false],
  ])('compares %s', (_how, one, other, expected) => expect(isOlder(one, other)).toBe(expected));
});

describe(toSource.name, () => {
  it('reads what a push says, with the time in UTC', () => {
    const query = SourceQuery.parse({ sourceCommit: 'abc', sourceRef: 'main', sourceUrl: 'https://git.example/abc', sourceTime: '2026-01-02T01:00:00+01:00', sourceSequence: '12' });
    expect(toSource(query)).toEqual({ commit: 'abc', ref: 'main', url: 'https://git.example/abc', time: day(2), sequence: 12 });
    expect(toSource(SourceQuery.parse({}))).toBeUndefined();
  });

  it.each([{ sourceCommit: 'a b' }, { sourceUrl: 'javascript:alert(1)' }, { sourceTime: 'yesterday' }, { sourceSequence: '-1' }])('refuses %o', (query) => {
    expect(SourceQuery.safeParse(query).success).toBe(false);
  });
});

describe(describeSource.name, () => {
  it('says what is known', () => expect(describeSource({ commit: 'abc', ref: 'main', time: day(1), sequence: 3 })).toBe(`commit abc of main run 3 of ${day(1)}`));
});
