import { describe, expect, it } from '@jest/globals';
import { Glob } from './glob.js';

describe(Glob.name, () => {
  it.each([
    ['a.txt', 'a.txt', true], ['a.txt', 'b.txt', false], ['a.txt', 'a.txtx', false],
    ['*.txt', 'a.txt', true], ['*.txt', 'd/a.txt', false], ['*.txt', '.txt', true], ['*', '.hidden', true],
    ['a/*', 'a/b', true], ['a/*', 'a/b/c', false], ['a/*', 'a/', true],
    ['a/**/*', 'a/b', true], ['a/**/*', 'a/b/c', true], ['a/**/*', 'b/a/c', false],
    ['a/**/c', 'a/c', true], ['a/**/c', 'a/b/b/c', true], ['a/**/c', 'a/xc', false],
    ['**/*.js', 'a.js', true], ['**/*.js', 'x/y/a.js', true], ['**/*.js', 'x/a.css', false],
    ['a/**', 'a/b/c', true], ['a/**', 'b', false],
    ['?.txt', 'a.txt', true], ['?.txt', 'ab.txt', false], ['a?b', 'a/b', false], ['?', 'ü', true], ['?', '😀', true],
    ['[abc].txt', 'b.txt', true], ['[a-c].txt', 'd.txt', false], ['[!a-c].txt', 'd.txt', true], ['[!a-c].txt', 'b.txt', false],
    ['[]]', ']', true], ['[*]', '*', true], ['[*]', 'a', false], ['[a-]', '-', true],
    ['{a,b}', '{a,b}', true], ['{a,b}', 'a', false],
  ])('%s against %s: %s', (pattern, path, matches) => expect(new Glob(pattern, { crossesSlash: false }).matches(path)).toBe(matches));

  it.each([['a*', 'a/b/c', true], ['*.map', 'x/y.map', true], ['a?b', 'a/b', true], ['assets/*.txt', 'assets/x/y.txt', true]])(
    'crosses slashes when told to: %s against %s',
    (pattern, path, matches) => expect(new Glob(pattern, { crossesSlash: true }).matches(path)).toBe(matches),
  );

  it.each([['***', /"\*\*\*"/], ['a**', /whole segment/], ['**b', /whole segment/], ['[a', /not closed/]])('refuses %s', (pattern, message) =>
    expect(() => new Glob(pattern, { crossesSlash: false })).toThrow(message));

  it('is not slowed down by a hostile pattern', () => {
    const started = performance.now();
    expect(new Glob(`${'*a'.repeat(200)}b`, { crossesSlash: true }).matches('a'.repeat(1000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});
