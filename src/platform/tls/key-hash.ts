import { createHash, type KeyObject } from 'node:crypto';
import type { KeyHash } from '#contract/node-identity.js';

/** SHA-256 of the key's SubjectPublicKeyInfo (RFC 7469 §2.4 names keys the same way), as base64url. */
export function keyHash(publicKey: KeyObject): KeyHash {
  return createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('base64url') as KeyHash;
}
