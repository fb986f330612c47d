import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { promisify } from 'node:util';
import { type Signature, type StatementKind, statementBytes } from '#contract/statement.js';

/** Off the event loop: a node verifies thousands when it starts. */
const verifyAside = promisify<null, Buffer, KeyObject, Buffer, boolean>(verify);

/** @param key Ed25519, the private half @param canonical the value as `canonicalJson` writes it */
export function signStatement(key: KeyObject, kind: StatementKind, canonical: string): Signature {
  return sign(null, statementBytes(kind, canonical), key).toString('base64url') as Signature;
}

/** Whether it is the signature of this statement by the other half of the key. @param canonical the value as `canonicalJson` writes it */
export function verifyStatement(key: KeyObject, kind: StatementKind, canonical: string, signature: Signature): Promise<boolean> {
  return verifyAside(null, statementBytes(kind, canonical), key, Buffer.from(signature, 'base64url'));
}

/** @param spki SubjectPublicKeyInfo as base64. Throws for what is no Ed25519 key */
export function readStatementKey(spki: string): KeyObject {
  const key = createPublicKey({ key: Buffer.from(spki, 'base64'), format: 'der', type: 'spki' });
  if (key.asymmetricKeyType !== 'ed25519') throw new Error('not an Ed25519 key');
  return key;
}
