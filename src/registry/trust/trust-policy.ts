import { createPublicKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { fitsWildcard } from './wildcard.js';

/** RSA keys below this are no protection any more (NIST SP 800-131A). */
const LEAST_RSA_BITS = 2048;
const MOST_RULES = 100;

const KeySigner = z.strictObject({
  name: z.string().min(1).max(100).describe('What the signature is shown with.'),
  key: z.string().max(10_000).describe('Public key in PEM, as cosign.pub: ECDSA, Ed25519 or RSA.').superRefine((pem, context) => {
    const problem = keyProblem(pem);
    if (problem) context.addIssue({ code: 'custom', message: problem });
  }),
  transparencyLog: z.boolean().default(false).describe('The signature must be in a transparency log of the trusted root as well.'),
});
const IdentitySigner = z.strictObject({
  issuer: z.string().min(1).max(500).describe('Who knows the signer, exactly as in the certificate: https://token.actions.githubusercontent.com'),
  subject: z.string().min(1).max(1000).describe('Who signed: a mail address or a URL; `*` stands for any characters.'),
});

/** Whose signature counts. */
export const Signer = z.union([KeySigner, IdentitySigner]);
export type Signer = z.infer<typeof Signer>;
export type KeySigner = z.infer<typeof KeySigner>;
export type IdentitySigner = z.infer<typeof IdentitySigner>;

const patterns = z.array(z.string().min(1).max(500)).min(1).max(100);

export const TrustRule = z
  .strictObject({
    apps: patterns.default(['*']).describe('Names of apps; `*` stands for any characters.'),
    images: patterns.default(['*']).describe('Repositories with their hosts, without tags: ghcr.io/acme/*. `*` alone stands for bundles too, which nobody can sign.'),
    mode: z.enum(['off', 'warn', 'enforce']).describe('warn: a version is made, and says what is wrong. enforce: none is made.'),
    signers: z.array(Signer).max(100).default([]).describe('One of them must have signed.'),
  })
  .refine(({ mode, signers }) => mode === 'off' || signers.length > 0, { path: ['signers'], message: 'name at least one signer, or set the mode to off' });
export type TrustRule = z.infer<typeof TrustRule>;

/** Who must have signed what; the first rule that fits counts, and without one nothing is asked for. */
export const TrustPolicy = z.strictObject({ rules: z.array(TrustRule).max(MOST_RULES) });
export type TrustPolicy = z.infer<typeof TrustPolicy>;

export const NO_TRUST_POLICY: TrustPolicy = { rules: [] };

/**
 * The rule for a version of an app.
 * @param image host and repository of the image that it is made of; undefined: of a bundle
 */
export function ruleFor(policy: TrustPolicy, app: string, image: string | undefined): TrustRule | undefined {
  return policy.rules.find(({ apps, images }) => apps.some((each) => fitsWildcard(each, app)) && images.some((each) => fitsWildcard(each, image ?? '')));
}

/** Whether a signer is one by key. */
export const isKeySigner = (signer: Signer): signer is KeySigner => 'key' in signer;

function keyProblem(pem: string): string | undefined {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    return 'expected a public key in PEM';
  }
  if (/PRIVATE KEY/.test(pem)) return 'this is a private key: give the public one (cosign.pub), and take this one as lost';
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'rsa') return (details?.modulusLength ?? 0) >= LEAST_RSA_BITS ? undefined : `an RSA key needs ${LEAST_RSA_BITS} bits`;
  return type === 'ec' || type === 'ed25519' ? undefined : `a key of the type ${type} is not supported: use ECDSA, Ed25519 or RSA`;
}
