import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { readTrustedRoot } from './trusted-root.js';

const dir = mkdtempSync(join(tmpdir(), 'whorl-root-'));
afterAll(() => rmSync(dir, { recursive: true }));
const written = (text: string): string => {
  const path = join(dir, 'trusted_root.json');
  writeFileSync(path, text);
  return path;
};

describe(readTrustedRoot.name, () => {
  it.each([
    ['no JSON', 'nonsense', 'is no trusted root'],
    ['nothing in it', '{}', 'names neither a certificate authority nor a transparency log'],
    ['a key that is none', '{"tlogs":[{"baseUrl":"x","logId":{"keyId":"AA=="},"publicKey":{"rawBytes":"AAAA","keyDetails":"PKIX_ECDSA_P256_SHA_256"}}]}', 'is no trusted root'],
  ])('refuses a file with %s, by name', (_what, text, message) => {
    const path = written(text);
    expect(() => readTrustedRoot(path)).toThrow(`WHORL_TRUSTED_ROOT: ${path} ${message}`);
  });

  it('refuses a file that is not there', () => expect(() => readTrustedRoot(join(dir, 'none.json'))).toThrow('ENOENT'));
});
