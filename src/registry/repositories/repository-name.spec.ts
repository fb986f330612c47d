import { describe, expect, it } from '@jest/globals';
import { formatRepositoryName, parseRepositoryName } from './repository-name.js';

describe(parseRepositoryName.name, () => {
  it.each([['acme/shop', 'acme/shop'], ['shop', 'default/shop'], ['a/b', 'a/b'], ['manifests/blobs', 'manifests/blobs']])('reads %s', (text, full) => {
    expect(formatRepositoryName(parseRepositoryName(text))).toBe(full);
  });

  it.each(['', '/', 'a/', '/a', 'a/b/c', 'A/b', 'a/B', 'a_b', 'a.b', 'a--b', '-a', 'a-', '..', '../a', 'a/..', 'a b', 'a\0', 'x'.repeat(64)])('refuses %j', (text) => {
    expect(() => parseRepositoryName(text)).toThrow(expect.objectContaining({ code: 'REGISTRY_NAME_INVALID' }));
  });
});
