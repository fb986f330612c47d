import { join } from 'node:path';
import type { Digest } from '#contract/ids.js';

/**
 * Where a blob is in the folder of blobs:
 *
 *   blobs/
 *   ├── sha256/<first 2 hex>/<64 hex>
 *   └── partial/                          being fetched; emptied at start
 */
export function toBlobPath(digest: Digest): string {
  const [algorithm, hex] = digest.split(':') as [string, string];
  return join(algorithm, hex.slice(0, 2), hex);
}
