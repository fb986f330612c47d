import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import { NodeName } from '#contract/ids.js';
import { KeyHash } from '#contract/node-identity.js';
import { TrustBundle } from '#contract/node-join.js';

/** What a node knows of itself and of its control plane: a start needs nothing else. */
export const StoredIdentity = z.object({
  node: NodeName,
  /** `joined`: it speaks to the control plane by its certificate. `token`: by a token of the API; the certificate is for other nodes. */
  mode: z.enum(['joined', 'token']),
  /** Where it joined. */
  url: z.url(),
  certificate: z.string(),
  authority: KeyHash,
  /** By this machine's clock. */
  issuedAt: z.int(),
  lifeMs: z.int().positive(),
  trust: TrustBundle,
});
export type StoredIdentity = z.infer<typeof StoredIdentity>;

const KEY = 'key.pem';
const IDENTITY = 'identity.json';

/**
 * The folder of a node's identity, for nobody else to read:
 *
 *   <dir>/identity/
 *   ├── key.pem          made here; leaves the machine never
 *   └── identity.json    name, control planes, certificate, what is believed
 */
export class IdentityFiles {
  constructor(private readonly dir: string) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    chmodSync(dir, 0o700);
  }

  /** The node's private key; made when there is none. Throws NODE_IDENTITY_DAMAGED. */
  key(): KeyObject {
    const pem = this.readText(KEY);
    if (pem === undefined) {
      const made = this.makeKey();
      this.writeKey(made);
      return made;
    }
    try {
      return createPrivateKey(pem);
    } catch (error) {
      throw this.damaged(KEY, error);
    }
  }

  /** Another key, which is not kept yet. */
  makeKey(): KeyObject {
    return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  }

  /** Puts a key in the place of the one before. */
  writeKey(key: KeyObject): void {
    this.writeText(KEY, key.export({ type: 'pkcs8', format: 'pem' }) as string);
  }

  /** undefined: it has none. Throws NODE_IDENTITY_DAMAGED. */
  read(): StoredIdentity | undefined {
    const text = this.readText(IDENTITY);
    if (text === undefined) return undefined;
    try {
      return StoredIdentity.parse(JSON.parse(text));
    } catch (error) {
      throw this.damaged(IDENTITY, error);
    }
  }

  write(identity: StoredIdentity): void {
    this.writeText(IDENTITY, JSON.stringify(identity));
  }

  private readText(name: string): string | undefined {
    try {
      return readFileSync(join(this.dir, name), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw this.damaged(name, error);
    }
  }

  /** Whole or not at all, whenever the machine ends. */
  private writeText(name: string, text: string): void {
    const path = join(this.dir, name);
    const next = `${path}.next`;
    rmSync(next, { force: true });
    const file = openSync(next, 'wx', 0o600);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(next, path);
  }

  private damaged(name: string, cause: unknown): WhorlError {
    return new WhorlError('NODE_IDENTITY_DAMAGED', `${join(this.dir, name)}: ${(cause as Error).message}`, { cause });
  }
}
