import { describe, expect, it } from '@jest/globals';
import { fitsWildcard } from './wildcard.js';

describe(fitsWildcard.name, () => {
  it.each([
    ['*', ''], ['*', 'any/thing'], ['a', 'a'], ['ghcr.io/acme/*', 'ghcr.io/acme/a/b'], ['*@acme.test', 'ann@acme.test'], ['a*b*c', 'a1b2b3c'], ['a**c', 'ac'], ['*a*', 'bab'], ['a*a', 'aa'],
  ])('%s stands for %s', (pattern, text) => expect(fitsWildcard(pattern, text)).toBe(true));

  it.each([
    ['', 'a'], ['a', 'ab'], ['ghcr.io/acme/*', 'ghcr.io/acmes/a'], ['ghcr.io/acme/*', 'evil/ghcr.io/acme/a'], ['*@acme.test', 'ann@acme.test.evil'], ['a*a', 'a'], ['a*b*c', 'acb'], ['a.c', 'abc'], ['ab*bc', 'abc'],
  ])('%s does not stand for %s', (pattern, text) => expect(fitsWildcard(pattern, text)).toBe(false));

  it('is not slowed down by a pattern of many stars', () => expect(fitsWildcard(`${'*a'.repeat(100)}b`, 'a'.repeat(1_000))).toBe(false));
});
