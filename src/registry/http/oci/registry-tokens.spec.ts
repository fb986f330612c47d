import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { REGISTRY_TOKEN_S, RegistryTokens } from './registry-tokens.js';

const HOLDER = { name: 'ci', scopes: ['repository:a/*:pull'], grants: [{ name: 'a/b', actions: ['pull' as const] }] };
const NOW_MS = 1_700_000_000_000;

describe(RegistryTokens.name, () => {
  const key = randomBytes(32);
  const tokens = new RegistryTokens(key);

  it('reads what another replica with the same key has signed, until it expires', () => {
    const token = tokens.sign(HOLDER, NOW_MS);
    const other = new RegistryTokens(key);
    expect(other.read(token, NOW_MS)).toMatchObject(HOLDER);
    expect(other.read(token, NOW_MS + REGISTRY_TOKEN_S * 1000 - 1)).toMatchObject(HOLDER);
    expect(other.read(token, NOW_MS + REGISTRY_TOKEN_S * 1000)).toBe('expired');
  });

  it('is a JWT with the claims of the token specification', () => {
    const [header, payload] = tokens.sign(HOLDER, NOW_MS).split('.').slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as unknown);
    expect(header).toEqual({ typ: 'JWT', alg: 'HS256' });
    expect(payload).toMatchObject({ iss: 'whorl', aud: 'whorl', sub: 'ci', exp: 1_700_000_300, access: [{ type: 'repository', name: 'a/b', actions: ['pull'] }] });
  });

  it('does not know what was signed with another key, or changed', () => {
    const token = tokens.sign(HOLDER, NOW_MS);
    const [header, payload, signature] = token.split('.') as [string, string, string];
    const none = Buffer.from('{"typ":"JWT","alg":"none"}').toString('base64url');
    const strangers = [
      new RegistryTokens(randomBytes(32)).sign(HOLDER, NOW_MS), `${header}.${payload}.`, `${header}.${payload}`, `${none}.${payload}.`, `${none}.${payload}.${signature}`,
      `${header}.${Buffer.from('{}').toString('base64url')}.${signature}`, `${token}x`, '', '..', 'whorl_abc',
    ];
    for (const stranger of strangers) expect(tokens.read(stranger, NOW_MS)).toBeUndefined();
  });
});
