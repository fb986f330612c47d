import { createHash } from 'node:crypto';
import { type Bundle, bundleFromJSON } from '@sigstore/bundle';
import { HashAlgorithm } from '@sigstore/protobuf-specs';
import { z } from 'zod';
import type { ImageSignature } from '#contract/image-trust.js';

/** Media types, annotations and predicates that cosign writes (sigstore/cosign, specs/SIGNATURE_SPEC.md and BUNDLE_SPEC.md). */
export const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json';
export const DSSE_ENVELOPE = 'application/vnd.dsse.envelope.v1+json';
export const BUNDLE_TYPE = /^application\/vnd\.dev\.sigstore\.bundle(?:\.v0\.3)?\+json/;
export const COSIGN_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';
const SIMPLE_SIGNING_TYPES = ['cosign container image signature', COSIGN_PREDICATE];
const IN_TOTO = 'application/vnd.in-toto+json';
const ANNOTATION = {
  signature: 'dev.cosignproject.cosign/signature',
  certificate: 'dev.sigstore.cosign/certificate',
  log: 'dev.sigstore.cosign/bundle',
  timestamp: 'dev.sigstore.cosign/rfc3161timestamp',
};

/** A signature as it was found, brought into the one form that is verified. */
export interface FoundSignature extends Pick<ImageSignature, 'stored' | 'digest'> {
  bundle: Bundle;
  /** The bytes that are signed; of a DSSE envelope they are in the bundle. */
  signed: Buffer;
  /** Images that it speaks of. */
  images: string[];
  /** Of the in-toto statement; absent for one that is only a signature. */
  predicateType?: string;
}

const SimpleSigning = z.object({
  critical: z.object({ type: z.enum(SIMPLE_SIGNING_TYPES), image: z.object({ 'docker-manifest-digest': z.string() }) }),
});
const RekorBundle = z.object({
  SignedEntryTimestamp: z.string(),
  Payload: z.object({ body: z.string(), integratedTime: z.int(), logIndex: z.int(), logID: z.string().regex(/^[0-9a-f]{64}$/) }),
});
const RekorBody = z.object({ kind: z.string(), apiVersion: z.string() });
const Statement = z.object({ predicateType: z.string(), subject: z.array(z.object({ digest: z.record(z.string(), z.string()) })) });

/**
 * A layer under the tag `sha256-<hex>.sig`: the payload is its content, all else its annotations. Throws an error that says what is wrong.
 * @param payload bytes that have the layer's digest
 */
export function readTagSignature(digest: string, payload: Buffer, annotations: Readonly<Record<string, string>>): FoundSignature {
  const { critical } = parse(SimpleSigning, payload, 'the payload');
  const signature = annotations[ANNOTATION.signature];
  if (!signature) throw new Error(`it has no annotation ${ANNOTATION.signature}`);
  const certificate = annotations[ANNOTATION.certificate];
  const log = annotations[ANNOTATION.log];
  const timestamp = annotations[ANNOTATION.timestamp];
  const stamped = timestamp === undefined ? [] : [{ signedTimestamp: parse(z.object({ SignedRFC3161Timestamp: z.string() }), timestamp, ANNOTATION.timestamp).SignedRFC3161Timestamp }];
  const bundle = bundleFromJSON({
    // The version whose entries have a promise of the log and no proof, which is what these annotations hold.
    mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1',
    verificationMaterial: {
      ...(certificate === undefined ? { publicKey: { hint: '' } } : { x509CertificateChain: { certificates: [{ rawBytes: derOf(certificate) }] } }),
      tlogEntries: log === undefined ? [] : [toLogEntry(log)],
      timestampVerificationData: { rfc3161Timestamps: stamped },
    },
    messageSignature: { messageDigest: { algorithm: 'SHA2_256', digest: sha256Of(payload).toString('base64') }, signature },
  });
  return { stored: 'tag', digest, bundle, signed: payload, images: [critical.image['docker-manifest-digest']] };
}

/**
 * A bundle that refers to the image (cosign 3, GitHub's attestations). Throws an error that says what is wrong.
 * @param manifest of the image: what a signature without a statement is on
 */
export function readBundle(digest: string, content: Buffer, image: { digest: string; manifest: Buffer }): FoundSignature {
  const bundle = bundleFromJSON(parse(z.record(z.string(), z.unknown()), content, 'the bundle'));
  if (bundle.content.$case === 'messageSignature') {
    const { algorithm, digest: signed } = bundle.content.messageSignature.messageDigest;
    const isThis = algorithm === HashAlgorithm.SHA2_256 && sha256Of(image.manifest).equals(signed);
    return { stored: 'bundle', digest, bundle, signed: image.manifest, images: isThis ? [image.digest] : [] };
  }
  const { payload, payloadType } = bundle.content.dsseEnvelope;
  if (payloadType !== IN_TOTO) throw new Error(`its payload is of the type ${payloadType}, not ${IN_TOTO}`);
  const { predicateType, subject } = parse(Statement, payload, 'the statement');
  const images = subject.flatMap(({ digest: digests }) => Object.entries(digests).map(([algorithm, hex]) => `${algorithm}:${hex}`));
  return { stored: 'bundle', digest, bundle, signed: payload, images, ...(predicateType !== COSIGN_PREDICATE && { predicateType }) };
}

/** What cosign keeps of Rekor's answer, as an entry of a bundle. */
function toLogEntry(text: string): object {
  const { SignedEntryTimestamp, Payload } = parse(RekorBundle, text, ANNOTATION.log);
  const { kind, apiVersion } = parse(RekorBody, Buffer.from(Payload.body, 'base64'), 'the entry of the log');
  return {
    logIndex: String(Payload.logIndex),
    logId: { keyId: Buffer.from(Payload.logID, 'hex').toString('base64') },
    kindVersion: { kind, version: apiVersion },
    integratedTime: String(Payload.integratedTime),
    inclusionPromise: { signedEntryTimestamp: SignedEntryTimestamp },
    canonicalizedBody: Payload.body,
  };
}

const sha256Of = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();

/** The first certificate of a PEM text. */
function derOf(pem: string): string {
  const [, body] = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/.exec(pem) ?? [];
  if (body === undefined) throw new Error(`the annotation ${ANNOTATION.certificate} is no certificate in PEM`);
  return body.replaceAll(/\s/g, '');
}

function parse<T>(schema: z.ZodType<T>, content: Buffer | string, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(content.toString());
  } catch {
    throw new Error(`${what} is no JSON`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`${what} is not as cosign writes it: ${issue!.path.join('.')}: ${issue!.message}`);
}
