import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { LockedComponent } from '#contract/bundle/locked-app.js';
import type { Digest } from '#contract/ids.js';
import { checkDigest, unreadableBlob } from './corrupt-blob.js';

/** So much is read and hashed before other requests have their turn: about a millisecond. */
const CHUNK_BYTES = 1024 * 1024;
/** Files that are read at the same time: the digests take longer than the disk. */
const PARALLEL = 4;

/**
 * Compares the files that guests of a component may read with their digests: a guest reads them as they lie in the node's cache. Throws
 * NODE_BLOB_CORRUPT for one that is damaged or missing.
 */
export async function checkFiles(files: LockedComponent['files'], blobPath: (digest: Digest) => string): Promise<void> {
  const left = new Set(files.map(({ digest }) => digest)).values();
  const worker = async (): Promise<void> => {
    for (const digest of left) await checkFile(digest, blobPath(digest));
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

async function checkFile(digest: Digest, path: string): Promise<void> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path, { highWaterMark: CHUNK_BYTES }), hash);
  } catch (cause) {
    throw unreadableBlob(digest, cause);
  }
  checkDigest(digest, hash.digest('hex'));
}
