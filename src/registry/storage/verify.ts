import { createHash } from 'node:crypto';
import { WhorlError } from '#contract/errors.js';
import type { BlobStat } from './blob-storage.js';

/**
 * Passes bytes on while they are checked. The last chunk comes only when size and digest are right, so that whoever writes the result
 * never completes a wrong one. Throws REGISTRY_BLOB_MISMATCH.
 */
export async function* verify({ digest, bytes }: BlobStat, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let seen = 0;
  let held: Uint8Array | undefined;
  for await (const chunk of content) {
    if (held) yield held;
    hash.update(chunk);
    seen += chunk.length;
    held = chunk;
    if (seen > bytes) break;
  }
  const actual = `sha256:${hash.digest('hex')}`;
  if (seen !== bytes) throw new WhorlError('REGISTRY_BLOB_MISMATCH', `${digest} should have ${bytes} bytes, ${seen > bytes ? 'more' : `only ${seen}`} came`);
  if (actual !== digest) throw new WhorlError('REGISTRY_BLOB_MISMATCH', `the bytes that should be ${digest} are ${actual}`);
  if (held) yield held;
}
