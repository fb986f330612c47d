import { describe, expect, it } from '@jest/globals';
import { hashToken, isPlausibleToken, mintToken } from './token.js';

describe(mintToken.name, () => {
  it('makes tokens that are told apart and fit a header', () => {
    const tokens = Array.from({ length: 200 }, mintToken);
    expect(new Set(tokens).size).toBe(200);
    for (const token of tokens) expect(token).toMatch(/^whorl_[0-9A-Za-z]{46}$/);
  });
});

describe(isPlausibleToken.name, () => {
  it('takes every minted token and whatever is no token of ours', () => {
    expect(isPlausibleToken(mintToken())).toBe(true);
    expect(isPlausibleToken('a-secret-of-the-operator')).toBe(true);
  });

  it('tells a mistyped or cut one', () => {
    const token = mintToken();
    const other = token[10] === 'a' ? 'b' : 'a';
    expect(isPlausibleToken(token.slice(0, 10) + other + token.slice(11))).toBe(false);
    expect(isPlausibleToken(token.slice(0, -1))).toBe(false);
    expect(isPlausibleToken('whorl_')).toBe(false);
    expect(isPlausibleToken('')).toBe(false);
  });
});

describe(hashToken.name, () => {
  it('is SHA-256', () => {
    expect(hashToken('abc').toString('hex')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });
});
