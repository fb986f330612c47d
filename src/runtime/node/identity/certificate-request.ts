import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { type CertificateRequest, certificateRequestText } from '#contract/node-join.js';
import { keyHash } from '#platform/tls/key-hash.js';

/** Asks for a certificate of the name for this key, and shows that the key is here. */
export function writeCertificateRequest(node: string, privateKey: KeyObject): CertificateRequest {
  const publicKey = createPublicKey(privateKey);
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    signature: sign('sha256', Buffer.from(certificateRequestText(node, keyHash(publicKey))), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url'),
  };
}
