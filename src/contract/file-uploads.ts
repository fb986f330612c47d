import type { Digest } from './ids.js';
import type { IngestedBundle } from './registry.js';

/** A file of an app, as an upload names it. */
export interface UploadedFile {
  /** Within the bundle: `www/index.html`. */
  path: string;
  digest: Digest;
  bytes: number;
}

export interface BlobBytes {
  digest: Digest;
  bytes: number;
}

/** What the API asks of the registry for uploads by digest; `src/bin/` binds the registry's. */
export abstract class FileUploads {
  /** Those of the digests that are in the store, whoever put them there; they stay for hours. */
  abstract present(digests: readonly Digest[]): Promise<Set<Digest>>;
  /** How many bytes of a file have come for an upload. */
  abstract received(upload: string, digest: Digest): Promise<number>;
  /**
   * Takes bytes of a file from `offset` on; answers how many are there. Of a `content` that ends too early what came stays. Once all are
   * there, their digest is checked and the file is in the store. Throws API_UPLOAD_OFFSET_WRONG, and API_UPLOAD_DIGEST_WRONG: then nothing
   * of the file is kept.
   */
  abstract append(upload: string, file: BlobBytes, offset: number, content: AsyncIterable<Uint8Array>): Promise<number>;
  /** Forgets what has come of these files and is not whole. */
  abstract drop(upload: string, digests: readonly Digest[]): Promise<void>;
  /** Takes in an app whose files are all in the store. Throws as `Registry.ingest` does, and REGISTRY_BLOB_UNKNOWN when one is gone. */
  abstract ingest(manifest: string, files: readonly UploadedFile[], signal: AbortSignal): Promise<IngestedBundle>;
}
