import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { SecretBox } from './secret-box.js';

describe(SecretBox.name, () => {
  const box = new SecretBox(randomBytes(32));

  it.each(['', 'hunter2', 'pässwörd 🔑', 'x'.repeat(100_000)])('opens what it sealed', (value) => {
    expect(box.open(box.seal(value, 'app\nname'), 'app\nname')).toBe(value);
  });

  it('never seals the same value to the same text', () => {
    expect(box.seal('a', 'c')).not.toBe(box.seal('a', 'c'));
  });

  it('does not open a value in another place', () => {
    expect(() => box.open(box.seal('a', 'app\none'), 'app\ntwo')).toThrow();
  });

  it('does not open with another key', () => {
    expect(() => new SecretBox(randomBytes(32)).open(box.seal('a', 'c'), 'c')).toThrow();
  });

  it('does not open what was tampered with', () => {
    const sealed = box.seal('abcdef', 'c');
    const bytes = Buffer.from(sealed.slice(3), 'base64url');
    for (const index of [0, 12, bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed[index]! ^= 1;
      expect(() => box.open(`v1:${changed.toString('base64url')}`, 'c')).toThrow();
    }
    expect(() => box.open('plain', 'c')).toThrow('not a sealed value');
  });
});
