import { createPublicKey, verify } from 'node:crypto';
import type { Bundle } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { type SignedEntity, toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import type { ImageSignature } from '#contract/image-trust.js';
import type { FoundSignature } from './found-signature.js';
import { isKeySigner, type IdentitySigner, type KeySigner, type Signer } from './trust-policy.js';
import { fitsWildcard } from './wildcard.js';

export interface Judgement {
  signers: readonly Signer[];
  /** What the operator trusts for keyless signatures and transparency logs; undefined: none is configured. */
  root: TrustedRoot | undefined;
}

const MOST_NAMED = 3;

const NO_ROOT = TrustedRoot.fromJSON({ mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1' });

/** Whether a signature counts for an image, and whose it is. Pure, and never throws: what is wrong is in the answer. */
export function judge(found: FoundSignature, imageDigest: string, { signers, root }: Judgement): ImageSignature {
  const { stored, digest, bundle } = found;
  const head = { stored, digest };
  const refuse = (reason: string, who: Partial<ImageSignature> = {}): ImageSignature => ({ ...head, ...who, verified: false, reason });
  // A good signature on something else says nothing about this image.
  if (!found.images.includes(imageDigest)) return refuse(`it is on ${named(found.images)}, not on this image`);
  if (bundle.verificationMaterial.content.$case === 'publicKey') {
    const keys = signers.filter(isKeySigner);
    if (keys.length === 0) return refuse('it is made with a key, and the policy names none');
    const tried = keys.map((key) => ({ key, problem: keyProblem(found, key, root) }));
    const right = tried.find(({ problem }) => problem === undefined);
    if (right) return { ...head, ...(right.key.transparencyLog && timeOf(bundle)), verified: true, key: right.key.name };
    return refuse(tried.map(({ key, problem }) => `${key.name}: ${problem}`).join('; '));
  }
  if (!root) return refuse('it is keyless, and the operator has configured no trusted root (WHORL_TRUSTED_ROOT)');
  const identity = identityOf(found, root);
  if ('problem' in identity) return refuse(identity.problem);
  const right = signers.some((signer) => !isKeySigner(signer) && isThem(signer, identity));
  return right ? { ...head, ...identity, ...timeOf(bundle), verified: true } : refuse(`the policy does not name ${identity.subject} (${identity.issuer})`, identity);
}

/** undefined: the key made it. */
function keyProblem(found: FoundSignature, { key, transparencyLog }: KeySigner, root: TrustedRoot | undefined): string | undefined {
  if (transparencyLog && !root) return 'the log cannot be asked without a trusted root (WHORL_TRUSTED_ROOT)';
  const publicKey = createPublicKey(key);
  const material = toTrustMaterial(root ?? NO_ROOT, () => ({ publicKey, validFor: () => true }));
  const verifier = new Verifier(material, { tlogThreshold: transparencyLog ? 1 : 0, timestampThreshold: 0, ctlogThreshold: 0 });
  return attempt(() => {
    const entity = toEntity(found);
    // A key is trusted as it is: when it signed is nobody's question unless the policy asks.
    verifier.verify(transparencyLog ? entity : { ...entity, tlogEntries: [], timestamps: [] });
  });
}

function identityOf(found: FoundSignature, root: TrustedRoot): { issuer: string; subject: string } | { problem: string } {
  const material = toTrustMaterial(root);
  // With logs of certificates in the trusted root, a certificate that none of them knows may have been made in secret.
  const verifier = new Verifier(material, { tlogThreshold: 1, timestampThreshold: 1, ctlogThreshold: material.ctlogs.length > 0 ? 1 : 0 });
  let identity: { issuer: string; subject: string } | undefined;
  const problem = attempt(() => {
    const { subjectAlternativeName: subject, extensions } = verifier.verify(toEntity(found)).identity ?? {};
    if (subject === undefined || extensions?.issuer === undefined) throw new Error('the certificate names no signer');
    identity = { issuer: extensions.issuer, subject };
  });
  return identity ?? { problem: problem! };
}

function isThem({ issuer, subject }: IdentitySigner, identity: { issuer: string; subject: string }): boolean {
  return issuer === identity.issuer && fitsWildcard(subject, identity.subject);
}

function toEntity({ bundle, signed }: FoundSignature): SignedEntity {
  const entity = toSignedEntity(bundle, signed);
  if (bundle.content.$case !== 'messageSignature') return entity;
  const { signature } = bundle.content.messageSignature;
  const check = entity.signature.verifySignature.bind(entity.signature);
  // Ed25519 hashes by itself, and with a digest named Node's verify throws.
  entity.signature.verifySignature = (key) => (key.asymmetricKeyType === 'ed25519' ? verify(null, signed, key, signature) : check(key));
  return entity;
}

/** What went wrong, with its causes. */
function attempt(work: () => void): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    const messages: string[] = [];
    for (let at: unknown = error; at instanceof Error; at = at.cause) messages.push(at.message);
    return messages.join(': ') || 'it cannot be verified';
  }
}

/** Others may have written any number of them. */
function named(images: readonly string[]): string {
  if (images.length === 0) return 'nothing';
  return images.slice(0, MOST_NAMED).join(', ') + (images.length > MOST_NAMED ? ` and ${images.length - MOST_NAMED} more` : '');
}

/** By the log, once it is verified. */
function timeOf({ verificationMaterial: { tlogEntries } }: Bundle): { signedAt?: string } {
  const seconds = Number(tlogEntries[0]?.integratedTime ?? 0);
  return seconds > 0 ? { signedAt: new Date(seconds * 1000).toISOString() } : {};
}
