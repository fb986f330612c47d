import { z } from 'zod';
import { DeniedNode, KeyHash } from './node-identity.js';

/**
 * How a node gets and keeps its identity, as one table for both sides. They are served on the nodes port (TLS by the platform's CA) and on
 * the API's own.
 *
 * - `authorities`: the CAs' certificates, for everybody. Who asks has not met the platform yet, and believes what its join token names
 * - `certificate`: `Authorization: Bearer` with a join token, or with a token of the scope `node`; without either for the key that has the
 *   name already. A certificate is of no use without its key, so nobody is harmed by one that was asked for again
 * - `trust`: `?after=<revision>&wait=<seconds>&keys=<key>,…` answers at once when the bundle differs, else when it changes or the time is up;
 *   `keys` are those that what the node holds is signed with
 */
export const NODE_JOIN_ROUTES = {
  authorities: { method: 'GET', path: '/v1/nodes/ca' },
  certificate: { method: 'POST', path: '/v1/nodes/:node/certificate' },
  trust: { method: 'GET', path: '/v1/nodes/:node/trust' },
} as const;

/** Names that routes have: no node is called so. */
export const RESERVED_NODE_NAMES: ReadonlySet<string> = new Set(['ca', 'join-tokens']);

export const Authorities = z.object({ authorities: z.array(z.object({ id: KeyHash, certificate: z.string().describe('PEM.') })).min(1) });
export type Authorities = z.infer<typeof Authorities>;

const Base64 = z.string().regex(/^[A-Za-z0-9+/]+={0,2}$/, 'expected base64').max(512);

/** What a node believes, from the control plane, by its mutually authenticated connection. */
export const TrustBundle = z.object({
  /** Opaque: changes when anything in it does. */
  revision: z.string(),
  authorities: Authorities.shape.authorities,
  /** The CA that signs at the moment: a node whose certificate is of another one renews it. */
  signs: KeyHash,
  /** Whose statements are believed (contract/statement.ts): Ed25519, SubjectPublicKeyInfo as base64. */
  keys: z.array(z.object({ id: KeyHash, publicKey: Base64 })).min(1),
  denied: z.array(DeniedNode),
  /** URLs of control planes' nodes ports; empty: the one that the node knows. */
  controlPlanes: z.array(z.url()),
});
export type TrustBundle = z.infer<typeof TrustBundle>;

/** A node's public key (P-256, SubjectPublicKeyInfo as base64), and proof that it has the other half: see `certificateRequestText`. */
export const CertificateRequest = z.strictObject({ publicKey: Base64, signature: z.string().regex(/^[A-Za-z0-9_-]{1,256}$/, 'expected base64url') });
export type CertificateRequest = z.infer<typeof CertificateRequest>;

/** What the node signs: ECDSA with SHA-256, in IEEE P1363 form, over this text in UTF-8. */
export const certificateRequestText = (node: string, key: KeyHash): string => `whorl-certificate-request-v1\n${node}\n${key}`;

export const IssuedCertificate = z.object({
  /** PEM: the certificate, and those between it and CAs that others may know. */
  certificate: z.string(),
  /** The CA that signed it. */
  authority: KeyHash,
  /** From now to its end; the node renews it when half of this is over. */
  lifeMs: z.int().positive(),
  trust: TrustBundle,
});
export type IssuedCertificate = z.infer<typeof IssuedCertificate>;

/**
 * A join token: `<secret>.<id of the CA>`. The node believes the CA of this id and no other at its first contact; only the secret is sent,
 * and only to who has shown a certificate of that CA.
 */
const JOIN_TOKEN = /^([A-Za-z0-9_]{16,128})\.([A-Za-z0-9_-]{43})$/;

export const toJoinToken = (secret: string, authority: KeyHash): string => `${secret}.${authority}`;

/** undefined: it was cut, or is no join token. */
export function readJoinToken(token: string): { secret: string; authority: KeyHash } | undefined {
  const [, secret, authority] = JOIN_TOKEN.exec(token) ?? [];
  return secret === undefined ? undefined : { secret, authority: authority as KeyHash };
}
