import { BlobDigest } from '#contract/ids.js';

/**
 *   <root>/v1
 *   ├── blobs/<algorithm>/<2 hex>/<hex>   immutable bytes, shared by all: files of apps, plans, rewritten modules, manifests and layers of images
 *   ├── records/<name>.json               small records, e.g. builds/<engine>/<64 hex>: what was built of a component
 *   ├── uploads/<id>/<offset>             parts of an upload, each named by the bytes that stand before it (16 digits)
 *   ├── deleting/<algorithm>-<hex>        a blob that is being deleted: who puts it waits
 *   └── partial/<host>-<pid>-<random>     (folder only) being written; whose process is gone is swept at start
 *
 * A blob's algorithm is sha256 (64 hex) or sha512 (128 hex).
 */
const ROOT = 'v1';
const BLOBS_PATH = `${ROOT}/blobs`;
export const RECORDS_PATH = `${ROOT}/records`;
export const UPLOADS_PATH = `${ROOT}/uploads`;
export const PARTIAL_PATH = `${ROOT}/partial`;

const OFFSET_DIGITS = 16;

/** Key of a blob. Throws for what is no digest, so that nothing else ever becomes a path. */
export function blobPath(digest: string): string {
  const [algorithm, hex] = BlobDigest.parse(digest).split(':') as [string, string];
  return `${BLOBS_PATH}/${algorithm}/${hex.slice(0, 2)}/${hex}`;
}

/** What the keys of all blobs of an algorithm begin with whose hex digits begin with `prefix`. */
export function blobsPath(algorithm: 'sha256' | 'sha512', prefix: string): string {
  return `${BLOBS_PATH}/${algorithm}/${prefix.length < 2 ? prefix : `${prefix.slice(0, 2)}/${prefix}`}`;
}

/** The digest of a blob's key; undefined for what is none. */
export function digestOfPath(path: string): BlobDigest | undefined {
  const [algorithm, , hex] = path.slice(BLOBS_PATH.length + 1).split('/');
  const parsed = BlobDigest.safeParse(`${algorithm}:${hex}`);
  return parsed.success && blobPath(parsed.data) === path ? parsed.data : undefined;
}

/** Key of a record. Names are segments of letters, digits, `.`, `_` and `-`, joined by `/`. */
export function recordPath(name: string): string {
  if (!/^[a-z0-9][a-z0-9._-]*(\/[a-z0-9][a-z0-9._-]*)*$/.test(name)) throw new Error(`"${name}" is no name of a record`);
  return `${RECORDS_PATH}/${name}.json`;
}

/** What the keys of an upload's parts begin with. Ids are letters, digits and inner hyphens, at most 64. */
export function uploadPath(id: string): string {
  if (!/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/.test(id)) throw new Error(`"${id}" is no id of an upload`);
  return `${UPLOADS_PATH}/${id}/`;
}

export function partPath(id: string, offset: number): string {
  return `${uploadPath(id)}${String(offset).padStart(OFFSET_DIGITS, '0')}`;
}

/** Upload and offset of a part's key; undefined for what is none. */
export function partOfPath(path: string): { id: string; offset: number } | undefined {
  const match = /^\/([a-z0-9-]+)\/(\d{16})$/.exec(path.slice(UPLOADS_PATH.length));
  return match ? { id: match[1]!, offset: Number(match[2]) } : undefined;
}

/** Key of the mark that says that a blob is being deleted. */
export function deletingPath(digest: string): string {
  return `${ROOT}/deleting/${BlobDigest.parse(digest).replace(':', '-')}`;
}
