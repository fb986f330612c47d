import { createHash } from 'node:crypto';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import { BlobDigest } from '#contract/ids.js';

/** A tag (distribution-spec, pulling manifests). */
export const Tag = z.string().regex(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/, 'expected a tag: up to 128 letters, digits, ".", "_" and "-", the first no "." or "-"').brand<'Tag'>();
export type Tag = z.infer<typeof Tag>;

export const DIGEST_ALGORITHMS = ['sha256', 'sha512'] as const;
export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number];

/** Throws REGISTRY_DIGEST_INVALID. */
export function parseDigest(text: string): BlobDigest {
  const parsed = BlobDigest.safeParse(text);
  if (!parsed.success) throw new WhorlError('REGISTRY_DIGEST_INVALID', `${JSON.stringify(text.slice(0, 200))} is no digest that is known here: ${parsed.error.issues[0]!.message}`);
  return parsed.data;
}

/** A tag or a digest, told apart by the colon that only a digest has. Throws REGISTRY_TAG_INVALID or REGISTRY_DIGEST_INVALID. */
export function parseReference(text: string): { tag: Tag } | { digest: BlobDigest } {
  if (text.includes(':')) return { digest: parseDigest(text) };
  return { tag: parseTag(text) };
}

/** Throws REGISTRY_TAG_INVALID. */
export function parseTag(text: string): Tag {
  const parsed = Tag.safeParse(text);
  if (!parsed.success) throw new WhorlError('REGISTRY_TAG_INVALID', `${JSON.stringify(text.slice(0, 200))}: ${parsed.error.issues[0]!.message}`);
  return parsed.data;
}

/** The digest of bytes that are in memory. */
export const digestOf = (content: Uint8Array, algorithm: DigestAlgorithm): BlobDigest => `${algorithm}:${createHash(algorithm).update(content).digest('hex')}` as BlobDigest;
