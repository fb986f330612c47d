import { z } from 'zod';

/**
 * The tag that cosign keeps what is attached to an image under, where it does not refer to the image by its `subject` (sigstore/cosign,
 * specs/SIGNATURE_SPEC.md).
 */
export const attachedTag = (digest: string, suffix: 'sig' | 'att' | 'sbom'): string => `${digest.replace(':', '-')}.${suffix}`;

/** Whether a tag is of something attached to an image: one of these, or the list of referrers where a registry has none (distribution-spec, referrers tag schema). */
export const isAttachedTag = (tag: string): boolean => /^sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{128})(?:\.[a-z]+)?$/.test(tag);

/** One signature of cosign's on an image, and what became of its verification. */
export const ImageSignature = z.object({
  /** How it is stored: under the tag `sha256-<hex>.sig`, or as a bundle that refers to the image. */
  stored: z.enum(['tag', 'bundle']),
  /** Of the layer or the bundle that holds it. */
  digest: z.string(),
  /** It is made by somebody whom the policy names. */
  verified: z.boolean(),
  /** Who made it: the name of the policy's key, or the identity in the certificate; absent: not known. */
  key: z.string().optional(),
  issuer: z.string().optional(),
  subject: z.string().optional(),
  /** By the transparency log. */
  signedAt: z.iso.datetime().optional(),
  /** Why it does not count. */
  reason: z.string().optional(),
});
export type ImageSignature = z.infer<typeof ImageSignature>;

/** Something that is attached to an image and speaks of it: provenance, a list of what is in it, any other artifact. */
export const ImageAttachment = z.object({
  kind: z.enum(['provenance', 'sbom', 'attestation', 'other']),
  /** A manifest that refers to the image, or a layer under the tag `sha256-<hex>.att` or `.sbom`. */
  stored: z.enum(['referrer', 'tag']),
  digest: z.string(),
  bytes: z.int().nonnegative(),
  mediaType: z.string(),
  artifactType: z.string().optional(),
  /** Of an in-toto statement. */
  predicateType: z.string().optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  /** Where its bytes are had: at the registry of the image; a path for the built-in one. */
  url: z.string(),
  /** Of a signed one: whether it is by somebody whom the policy names; absent: not looked into. */
  verified: z.boolean().optional(),
  /** Why it is not. */
  reason: z.string().optional(),
});
export type ImageAttachment = z.infer<typeof ImageAttachment>;

/**
 * What was found out about an image when a version was made of it. `unchecked`: no policy asks for signatures. `verified`: one signature at
 * least is by somebody whom the policy names. `unsigned`: there is none at all. `untrusted`: there are, and none counts, or they cannot be read.
 */
export const ImageTrust = z.object({
  state: z.enum(['unchecked', 'verified', 'unsigned', 'untrusted']),
  /** Why it is not verified, in a sentence. */
  reason: z.string().optional(),
  signatures: z.array(ImageSignature),
  attachments: z.array(ImageAttachment),
});
export type ImageTrust = z.infer<typeof ImageTrust>;
