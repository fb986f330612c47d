import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { isPlausibleToken } from '#platform/token.js';
import { DataDir } from './data-dir.js';
import { openSecrets } from './secrets.js';

let parent: string;
let dir: DataDir;

beforeEach(async () => {
  parent = mkdtempSync(join(tmpdir(), 'whorl-secrets-'));
  dir = await DataDir.open(join(parent, 'data'));
});
afterEach(() => {
  dir.close();
  rmSync(parent, { recursive: true, force: true });
});

describe(openSecrets.name, () => {
  it('makes them once, closed to others', () => {
    const first = openSecrets(dir);
    expect(openSecrets(dir)).toEqual(first);
    expect(isPlausibleToken(first.adminToken)).toBe(true);
    expect(readFileSync(dir.at('admin-token'), 'utf8')).toBe(`${first.adminToken}\n`);
    expect(Buffer.from(first.secretKey, 'base64url')).toHaveLength(32);
    for (const file of ['admin-token', 'secrets/node-token', 'secrets/secret-key']) expect(statSync(dir.at(file)).mode & 0o777).toBe(0o600);
    expect(statSync(dir.at('secrets')).mode & 0o777).toBe(0o700);
  });

  it('closes a token again that was opened to others, and takes one that the operator chose', () => {
    openSecrets(dir);
    writeFileSync(dir.at('admin-token'), 'chosen-by-the-operator');
    chmodSync(dir.at('admin-token'), 0o644);
    expect(openSecrets(dir).adminToken).toBe('chosen-by-the-operator');
    expect(statSync(dir.at('admin-token')).mode & 0o777).toBe(0o600);
  });
});
