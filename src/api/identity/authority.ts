import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { KeyHash } from '#contract/node-identity.js';
import { keyHash } from '#platform/tls/key-hash.js';
import { writeAuthorityCertificate } from './x509/certificate.js';

/** `tls`: a CA of the certificates of nodes and control planes. `statements`: signs what nodes are assigned. */
export type AuthorityKind = 'tls' | 'statements';
export const AUTHORITY_KINDS: readonly AuthorityKind[] = ['tls', 'statements'];

/** trusted (announced; does not sign yet) → signing → retiring (believed; does not sign any more) → gone */
export type AuthorityState = 'trusted' | 'signing' | 'retiring' | 'gone';

/** One key that the platform signs with, as it is stored. */
export interface AuthorityRecord {
  id: KeyHash;
  kind: AuthorityKind;
  state: AuthorityState;
  /** SubjectPublicKeyInfo, DER. */
  publicKey: Uint8Array;
  certificate: string | null;
  crossCertificate: string | null;
  sealedKey: string | null;
  lastExpiry: Date | null;
  createdAt: Date;
  changedAt: Date;
}

/** One that can sign. */
export interface Signer {
  id: KeyHash;
  publicKey: KeyObject;
  privateKey: KeyObject;
}

export interface NewAuthority extends Pick<AuthorityRecord, 'id' | 'kind' | 'publicKey' | 'certificate' | 'crossCertificate'> {
  /** PKCS #8, PEM: to be sealed. */
  privateKey: string;
}

const YEAR_MS = 365 * 86_400_000;
const CA_LIFE_MS = 10 * YEAR_MS;
/** Clocks of machines differ. */
export const CLOCK_TOLERANCE_MS = 5 * 60_000;

/** The name that a CA's certificate has: OpenSSL looks for issuers by it, so that each has its own. */
export const authorityName = (id: KeyHash): string => `whorl CA ${id.slice(0, 16)}`;

/**
 * Makes a key. A CA is also signed by the one that signs at the moment, for those who have not heard of the new one when it begins to
 * sign.
 */
export function newAuthority(kind: AuthorityKind, now: Date, before?: Signer): NewAuthority {
  const { publicKey, privateKey } = kind === 'tls' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
  const id = keyHash(publicKey);
  const ca = { name: authorityName(id), publicKey, privateKey };
  const validity = { from: new Date(now.getTime() - CLOCK_TOLERANCE_MS), until: new Date(now.getTime() + CA_LIFE_MS) };
  return {
    id,
    kind,
    publicKey: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    certificate: kind === 'tls' ? writeAuthorityCertificate(ca, ca, validity) : null,
    crossCertificate: kind === 'tls' && before ? writeAuthorityCertificate(ca, { ...before, name: authorityName(before.id) }, validity) : null,
  };
}

/** @param pem the private key, opened */
export function toSigner({ id, publicKey }: AuthorityRecord, pem: string): Signer {
  return { id, publicKey: createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' }), privateKey: createPrivateKey(pem) };
}
