import { createHash } from 'node:crypto';
import { WhorlError } from '#contract/errors.js';
import type { BlobDigest } from '#contract/ids.js';

type Algorithm = 'sha256' | 'sha512';

export const algorithmOf = (digest: BlobDigest): Algorithm => digest.slice(0, digest.indexOf(':')) as Algorithm;

/**
 * Passes bytes on while they are checked. The last chunk comes only when size and digest are right, so that whoever writes the result
 * never completes a wrong one. Throws REGISTRY_BLOB_MISMATCH.
 */
export async function* verify({ digest, bytes }: { digest: BlobDigest; bytes: number }, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const hash = createHash(algorithmOf(digest));
  let seen = 0;
  let held: Uint8Array | undefined;
  for await (const chunk of content) {
    if (held) yield held;
    hash.update(chunk);
    seen += chunk.length;
    held = chunk;
    if (seen > bytes) break;
  }
  if (seen > bytes) throw new WhorlError('REGISTRY_BLOB_MISMATCH', `${digest} should have ${bytes} bytes, more came`);
  checkBlob({ digest, bytes }, `${algorithmOf(digest)}:${hash.digest('hex')}`, seen);
  if (held) yield held;
}

/** Throws REGISTRY_BLOB_MISMATCH when what came is not what it should be. Without `bytes` any number of them will do. */
export function checkBlob({ digest, bytes }: { digest: BlobDigest; bytes?: number | undefined }, actual: string, seen: number): void {
  if (bytes !== undefined && seen !== bytes) throw new WhorlError('REGISTRY_BLOB_MISMATCH', `${digest} should have ${bytes} bytes, ${seen} came`);
  if (actual !== digest) throw new WhorlError('REGISTRY_BLOB_MISMATCH', `the bytes that should be ${digest} are ${actual}`);
}
