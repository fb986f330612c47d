import { WhorlError } from '#contract/errors.js';
import type { Digest } from '#contract/ids.js';

/** A blob of the node's cache that is missing, or cannot be read. */
export const unreadableBlob = (digest: Digest, cause: unknown): WhorlError => new WhorlError('NODE_BLOB_CORRUPT', `${digest} cannot be read from the node's cache`, { cause });

/** Throws NODE_BLOB_CORRUPT unless the SHA-256 of what was read is the blob's. */
export function checkDigest(digest: Digest, sha256Hex: string): void {
  if (digest !== `sha256:${sha256Hex}`) throw new WhorlError('NODE_BLOB_CORRUPT', `the file for ${digest} has the digest sha256:${sha256Hex}`);
}
