import { Digest } from '#contract/ids.js';

/**
 *   <root>/v1
 *   ├── blobs/sha256/<2 hex>/<64 hex>     immutable bytes: component sources, files of apps, plans, rewritten core modules
 *   ├── records/<name>.json               small records, e.g. builds/<engine>/<64 hex>: what was built of a component
 *   └── partial/<host>-<pid>-<random>     (folder only) being written; whose process is gone is swept at start
 */
const ROOT = 'v1';
export const BLOBS_PATH = `${ROOT}/blobs/sha256`;
export const PARTIAL_PATH = `${ROOT}/partial`;

/** Key of a blob. Throws for what is no digest, so that nothing else ever becomes a path. */
export function blobPath(digest: string): string {
  const hex = Digest.parse(digest).slice('sha256:'.length);
  return `${BLOBS_PATH}/${hex.slice(0, 2)}/${hex}`;
}

/** The digest of a blob's key; undefined for what is none. */
export function digestOfPath(path: string): Digest | undefined {
  const parsed = Digest.safeParse(`sha256:${path.slice(path.lastIndexOf('/') + 1)}`);
  return parsed.success && blobPath(parsed.data).endsWith(path.slice(-64)) ? parsed.data : undefined;
}

/** Key of a record. Names are segments of letters, digits, `.`, `_` and `-`, joined by `/`. */
export function recordPath(name: string): string {
  if (!/^[a-z0-9][a-z0-9._-]*(\/[a-z0-9][a-z0-9._-]*)*$/.test(name)) throw new Error(`"${name}" is no name of a record`);
  return `${ROOT}/records/${name}.json`;
}
