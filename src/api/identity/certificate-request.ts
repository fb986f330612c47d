import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { WhorlError } from '#contract/errors.js';
import { type CertificateRequest, certificateRequestText } from '#contract/node-join.js';
import type { KeyHash } from '#contract/node-identity.js';
import { keyHash } from '#platform/tls/key-hash.js';

export interface ProvenKey {
  publicKey: KeyObject;
  key: KeyHash;
}

/** The public key of a request whose sender has shown to have the private one. Throws API_INPUT_INVALID. */
export function readCertificateRequest(node: string, { publicKey, signature }: CertificateRequest): ProvenKey {
  const key = readKey(publicKey);
  const text = Buffer.from(certificateRequestText(node, keyHash(key)));
  if (!verify('sha256', text, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'))) throw invalid('signature', 'is not one of this name by this key');
  return { publicKey: key, key: keyHash(key) };
}

function readKey(spki: string): KeyObject {
  try {
    const key = createPublicKey({ key: Buffer.from(spki, 'base64'), format: 'der', type: 'spki' });
    if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  } catch {
    // Said below.
  }
  throw invalid('publicKey', 'expected a P-256 key as SubjectPublicKeyInfo');
}

const invalid = (field: string, problem: string): WhorlError => new WhorlError('API_INPUT_INVALID', `${field}: ${problem}`, { fields: { [field]: [problem] } });
