import { describe, expect, it } from '@jest/globals';
import { readChallenge } from './challenge.js';

const bearer = { scheme: 'bearer', realm: 'https://auth.example/token', service: undefined, scope: undefined };

describe(readChallenge.name, () => {
  it.each([
    ['Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"', { ...bearer, service: 'registry.example', scope: 'repository:a/b:pull,push' }],
    ['bearer Realm=https', { ...bearer, realm: 'https' }],
    ['Bearer service="a \\"b\\"", realm="https://auth.example/token"', { ...bearer, service: 'a "b"' }],
    ['Basic realm="x"', { scheme: 'basic' }],
    ['Basic', { scheme: 'basic' }],
    ['Basic realm="x", Bearer realm="https://auth.example/token"', bearer],
    ['Negotiate, Basic realm="a, Bearer b"', { scheme: 'basic' }],
    ['Bearer realm="https://auth.example/token",realm="https://evil.example"', bearer],
  ])('reads %s', (header, challenge) => {
    expect(readChallenge(header)).toEqual(challenge);
  });

  it.each(['', 'Digest realm="x"', 'Bearer service="x"', '"', ',,', 'Bearer realm="never closed'])('finds nothing to go by in %j', (header) => {
    expect(readChallenge(header)).toBeUndefined();
  });
});
