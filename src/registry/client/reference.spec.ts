import { describe, expect, it } from '@jest/globals';
import { formatReference, parseReference } from './reference.js';

const sha256 = `sha256:${'a'.repeat(64)}`;
const sha512 = `sha512:${'b'.repeat(128)}`;

describe(parseReference.name, () => {
  it.each([
    ['ghcr.io/acme/shop:1.2.0', { host: 'ghcr.io', repository: 'acme/shop', tag: '1.2.0' }],
    ['ghcr.io/acme/shop', { host: 'ghcr.io', repository: 'acme/shop', tag: 'latest' }],
    [`ghcr.io/acme/shop@${sha256}`, { host: 'ghcr.io', repository: 'acme/shop', digest: sha256 }],
    [`ghcr.io/acme/shop:1@${sha512}`, { host: 'ghcr.io', repository: 'acme/shop', tag: '1', digest: sha512 }],
    ['registry:5000/shop', { host: 'registry:5000', repository: 'shop', tag: 'latest' }],
    ['localhost/shop', { host: 'localhost', repository: 'shop', tag: 'latest' }],
    ['127.0.0.1:5000/a/b/c:x', { host: '127.0.0.1:5000', repository: 'a/b/c', tag: 'x' }],
    ['[::1]:5000/shop', { host: '[::1]:5000', repository: 'shop', tag: 'latest' }],
    ['Registry.Example.com/shop', { host: 'registry.example.com', repository: 'shop', tag: 'latest' }],
    ['docker.io/nginx', { host: 'docker.io', repository: 'library/nginx', tag: 'latest' }],
    ['index.docker.io/acme/shop', { host: 'docker.io', repository: 'acme/shop', tag: 'latest' }],
    ['acme/shop:1', { repository: 'acme/shop', tag: '1' }],
    ['shop', { repository: 'shop', tag: 'latest' }],
    ['a__b/c--d/e.f', { repository: 'a__b/c--d/e.f', tag: 'latest' }],
  ])('reads %s', (text, expected) => {
    expect(parseReference(text)).toEqual({ host: undefined, tag: undefined, digest: undefined, ...expected });
  });

  it.each([
    ['', 'it has no repository'],
    ['ghcr.io/', 'it has no repository'],
    ['ghcr.io/:1', 'it has no repository'],
    ['https://ghcr.io/acme/shop', 'it starts with a scheme'],
    ['ghcr.io/Acme/shop', '"Acme" is no part'],
    ['ghcr.io/acme//shop', '"" is no part'],
    ['ghcr.io/../shop', '".." is no part'],
    ['ghcr.io/acme/a___b', '"a___b" is no part'],
    ['ghcr.io/acme/shop:', '"" is no tag'],
    ['ghcr.io/acme/shop:a b', '"a b" is no tag'],
    ['ghcr.io/acme/shop:1:2', '"1:2" is no tag'],
    [`ghcr.io/acme/shop:${'a'.repeat(129)}`, 'is no tag'],
    ['ghcr.io/acme/shop@sha256:abc', '"sha256:abc" is no digest'],
    ['ghcr.io/acme/shop@md5:abc', 'is no digest'],
    [`ghcr.io/shop@${sha256}@${sha256}`, 'more than one "@"'],
    ['host:0/shop', '"host:0" is no host'],
    ['host:99999/shop', 'is no host'],
    ['-bad.example/shop', '"-bad.example" is no host'],
    ['user:secret@host/shop', 'is no digest'],
    ['999.1.1.1/shop', 'is no host'],
    [`ghcr.io/${'a/'.repeat(130)}a`, 'more than 255 characters'],
    ['a'.repeat(5000), 'too long'],
  ])('refuses %s and says why', (text, why) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'REGISTRY_IMAGE_REFERENCE_INVALID', message: expect.stringContaining(why) }));
  });
});

describe(formatReference.name, () => {
  it.each([`localhost:5000/a/b:1@${sha256}`, 'ghcr.io/acme/shop:latest', `acme/shop@${sha512}`])('writes %s as it was', (text) => {
    expect(formatReference(parseReference(text))).toBe(text);
  });
});
