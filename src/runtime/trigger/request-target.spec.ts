import { describe, expect, it } from '@jest/globals';
import { requestTarget } from './request-target.js';

describe(requestTarget.name, () => {
  it('takes the host from the one Host field, without port, trailing dot and case', () => {
    expect(requestTarget('/a?b', ['Host', 'App.LocalHost.:3000'])).toEqual({ authority: 'App.LocalHost.:3000', host: 'app.localhost', pathWithQuery: '/a?b' });
    expect(requestTarget('/', ['accept', '*/*', 'hOsT', '[::1]:80'])).toMatchObject({ host: '[::1]' });
  });

  it('refuses no Host, two of them, and one that is none', () => {
    for (const headers of [[], ['Host', 'a', 'host', 'a'], ['Host', ''], ['Host', 'a b'], ['Host', 'user@a'], ['Host', 'a/b'], ['Host', 'a:b']]) {
      expect(requestTarget('/', headers)).toBeUndefined();
    }
  });

  it('prefers the authority of an absolute target, which is what a proxy was asked for', () => {
    expect(requestTarget('http://b.test/x?y#z', ['Host', 'a.test'])).toEqual({ authority: 'b.test', host: 'b.test', pathWithQuery: '/x?y' });
    expect(requestTarget('http://b.test?q', ['Host', 'a.test'])).toMatchObject({ pathWithQuery: '/?q' });
    expect(requestTarget('ftp://b.test/', ['Host', 'a.test'])).toBeUndefined();
  });

  it('takes the asterisk form as the root', () => {
    expect(requestTarget('*', ['Host', 'a.test'])).toMatchObject({ pathWithQuery: '/' });
  });
});
