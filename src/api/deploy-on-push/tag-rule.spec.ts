import { describe, expect, it } from '@jest/globals';
import { checkRule, decide, matchesRule, type TagRule } from './tag-rule.js';

const tags = (pattern: string): TagRule => ({ kind: 'tags', pattern });
const range = (pattern: string): TagRule => ({ kind: 'semver', pattern });
/** Pushes of these tags, one each second. */
const pushes = (...names: string[]) => names.map((tag, i) => ({ id: BigInt(i), tag, pushedAt: new Date(i * 1000) }));
const outcome = (rule: TagRule, names: string[], newest: string | null = null) => {
  const { chosen, skipped } = decide(rule, pushes(...names), newest);
  return [chosen?.tag, ...skipped.map(({ push, reason }) => `${push.tag}: ${reason}`)];
};

describe(matchesRule.name, () => {
  it.each([
    [tags('*'), 'anything', true],
    [tags('*'), `sha256-${'a'.repeat(64)}.sig`, false],
    [tags('*'), `sha256-${'a'.repeat(64)}`, false],
    [tags('*'), 'sha256-abc', true],
    [tags('release-*'), 'release-7', true],
    [tags('release-*'), 'main', false],
    [tags('main'), 'main', true],
    [tags('v[0-9]*'), 'v1', true],
    [tags('v[0-9]*'), 'vx', false],
    [range('^1.2'), '1.9.0', true],
    [range('^1.2'), 'v1.2.0', true],
    [range('^1.2'), '2.0.0', false],
    [range('^1.2'), '1.3.0-rc.1', false],
    [range('>=1.3.0-0'), '1.3.0-rc.1', true],
    [range('*'), 'latest', false],
    [range('1.x || 3.x'), '3.1.4', true],
  ])('%j and %s: %s', (rule, tag, expected) => expect(matchesRule(rule, tag)).toBe(expected));
});

describe(checkRule.name, () => {
  it.each([[tags('a*'), undefined], [tags('['), expect.any(String)], [range('^1'), undefined], [range('>>1'), expect.stringContaining('expected a range')], [range('latest'), expect.any(String)]])('%j', (rule, expected) => {
    expect(checkRule(rule)).toEqual(expected);
  });
});

describe(decide.name, () => {
  it('takes the last push by a pattern', () => {
    expect(outcome(tags('*'), ['a', 'b', 'a'])).toEqual(['a', 'b: a was pushed after it', 'a: the tag was pushed again']);
  });
  it('takes the highest version by a range, whenever it was pushed', () => {
    expect(outcome(range('1.x'), ['1.10.0', '1.9.0', 'v1.2.0'])).toEqual(['1.10.0', '1.9.0: 1.10.0 is newer', 'v1.2.0: 1.10.0 is newer']);
  });
  it('never goes below what was deployed before', () => {
    expect(outcome(range('1.x'), ['1.2.0', '1.3.0'], '1.10.0')).toEqual([undefined, '1.3.0: 1.10.0 is newer, and was deployed before', '1.2.0: 1.10.0 is newer, and was deployed before']);
  });
  it('deploys a version again whose tag was moved', () => {
    expect(outcome(range('1.x'), ['1.2.0'], '1.2.0')).toEqual(['1.2.0']);
    expect(outcome(range('1.x'), ['1.2.0', '1.2.0'])).toEqual(['1.2.0', '1.2.0: the tag was pushed again']);
  });
  it('decides nothing where nothing was pushed', () => expect(outcome(tags('*'), [])).toEqual([undefined]));
});
