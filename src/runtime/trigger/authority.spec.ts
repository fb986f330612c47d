import { describe, expect, it } from '@jest/globals';
import { readTarget, toHostName } from './authority.js';

describe(readTarget.name, () => {
  it('takes the one Host field, whatever its case', () => {
    expect(readTarget('/a?b', ['Accept', '*/*', 'hOsT', 'app.localhost:3000'])).toEqual({ authority: 'app.localhost:3000', pathWithQuery: '/a?b' });
  });

  it('refuses no Host, two of them, and one that is none', () => {
    for (const headers of [[], ['Host', 'a', 'host', 'a'], ['Host', ''], ['Host', 'a b'], ['Host', 'user@a'], ['Host', 'a/b'], ['Host', 'a:b']]) {
      expect(readTarget('/', headers)).toBeUndefined();
    }
  });

  it('prefers the authority of an absolute target, which is what a proxy was asked for', () => {
    expect(readTarget('http://b.test/x?y#z', ['Host', 'a.test'])).toEqual({ authority: 'b.test', pathWithQuery: '/x?y' });
    expect(readTarget('http://b.test?q', ['Host', 'a.test'])).toMatchObject({ pathWithQuery: '/?q' });
    expect(readTarget('ftp://b.test/', ['Host', 'a.test'])).toBeUndefined();
  });
});

describe(toHostName.name, () => {
  it('knows a host without port, root dot and case', () => {
    expect(['App.LocalHost.:3000', 'app.localhost', 'APP.localhost:80'].map(toHostName)).toEqual(['app.localhost', 'app.localhost', 'app.localhost']);
  });
});
