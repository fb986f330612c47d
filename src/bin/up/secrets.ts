import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { mintToken } from '#platform/token.js';
import type { DataDir } from './data-dir.js';

export interface Secrets {
  adminToken: string;
  adminTokenFile: string;
  nodeToken: string;
  /** 32 bytes as base64url. */
  secretKey: string;
}

/** Reads the secrets of this installation, makes them at the first start. */
export function openSecrets(dir: DataDir): Secrets {
  dir.folder('secrets');
  const adminTokenFile = dir.at('admin-token');
  return {
    adminToken: once(adminTokenFile, mintToken),
    adminTokenFile,
    nodeToken: once(dir.at('secrets', 'node-token'), mintToken),
    secretKey: once(dir.at('secrets', 'secret-key'), () => randomBytes(32).toString('base64url')),
  };
}

/** The file appears whole or not at all: half a key would lose every secret that it encrypts. */
function once(file: string, make: () => string): string {
  try {
    chmodSync(file, 0o600);
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const secret = make();
  const descriptor = openSync(`${file}.new`, 'w', 0o600);
  try {
    writeSync(descriptor, `${secret}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(`${file}.new`, file);
  return secret;
}
