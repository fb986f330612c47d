import { describe, expect, it } from '@jest/globals';
import { ChannelRule, onPush, onSet, semverOf, type StoredRule } from './channel-rule.js';

const range = { semver: '^1.2' } as StoredRule;
const pinned = { pinned: 3 } as StoredRule;
const latest = { latest: true } as StoredRule;

describe(semverOf.name, () => {
  it('takes the manifest\'s version, else the tag', () => {
    expect(semverOf('1.2.3', 'registry/shop:9.9.9')).toBe('1.2.3');
    expect(semverOf('', 'whorl.example:5000/default/shop:v1.4.0@sha256:aa')).toBe('1.4.0');
    expect(semverOf(undefined, 'localhost:5000/shop')).toBeNull();
    expect(semverOf('one', 'shop:latest')).toBeNull();
    expect(semverOf('1.2', null)).toBeNull();
  });
});

describe(onPush.name, () => {
  const version = (number: number, text: string | null = null) => ({ number, semver: text });

  it('stays with the version that it is pinned to', () => {
    expect(onPush(pinned, version(4), version(3))).toEqual({ version: null, why: 'the channel is pinned to version 3' });
    expect(onPush(pinned, version(3), version(2)).version).toBe(3);
  });

  it('goes to what is new, and not back to what is pushed again', () => {
    expect(onPush(latest, version(4), version(3)).version).toBe(4);
    expect(onPush(latest, version(1), null).version).toBe(1);
    expect(onPush(latest, version(2), version(3))).toEqual({ version: null, why: 'version 2 is not newer than version 3' });
  });

  it('goes to the highest within a range', () => {
    expect(onPush(range, version(4, '1.3.0'), version(3, '1.2.9')).version).toBe(4);
    expect(onPush(range, version(4, '1.2.0'), version(3, '1.2.9')).why).toBe('1.2.0 (version 4) is below 1.2.9 (version 3)');
    expect(onPush(range, version(4, '1.2.9'), version(3, '1.2.9')).version).toBe(4);
    expect(onPush(range, version(4, '2.0.0'), version(3, '1.2.9')).why).toBe('2.0.0 is not within ^1.2');
    expect(onPush(range, version(4, '1.3.0-rc.1'), version(3, '1.2.9')).version).toBeNull();
    expect(onPush(range, version(4), version(3, '1.2.9')).why).toBe('version 4 has no semantic version');
  });

  it('comes into the range from what is without it, higher or lower', () => {
    expect(onPush(range, version(4, '1.3.0'), version(3, '2.0.0')).version).toBe(4);
    expect(onPush(range, version(4, '1.3.0'), version(3)).version).toBe(4);
  });
});

describe(onSet.name, () => {
  const versions = [{ number: 1, semver: '1.2.0' }, { number: 2, semver: '1.9.0' }, { number: 3, semver: '1.3.0' }, { number: 4, semver: '1.9.0' }, { number: 5, semver: null }];

  it('chooses among what is there', () => {
    expect([pinned, latest, range].map((rule) => onSet(rule, versions).version)).toEqual([3, 5, 4]);
    expect(onSet({ semver: '^7' } as StoredRule, versions)).toEqual({ version: null, why: 'no version is within ^7' });
    expect(onSet(latest, [])).toEqual({ version: null, why: 'no version can be served' });
  });
});

describe('a rule', () => {
  it.each([{}, { pinned: 0 }, { latest: false }, { semver: 'one' }, { push: {} }, { push: { tags: '*', semver: '1' } }, { pinned: 1, latest: true }])('is not %j', (rule) => {
    expect(ChannelRule.safeParse(rule).success).toBe(false);
  });
});
