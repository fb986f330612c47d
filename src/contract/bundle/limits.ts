/** What one bundle may cost before it is refused. */
export interface BundleLimits {
  /** Of the bytes as sent, compressed. */
  bundleBytes: number;
  /** Of all files together. */
  unpackedBytes: number;
  fileBytes: number;
  /** Files and folders. */
  entries: number;
  pathBytes: number;
  /** Unpacked over compressed bytes; more is taken for a bomb (wasm and JavaScript stay below 20). */
  ratio: number;
}

export const DEFAULT_BUNDLE_LIMITS: BundleLimits = {
  bundleBytes: 100 * 1024 * 1024,
  unpackedBytes: 1024 * 1024 * 1024,
  fileBytes: 512 * 1024 * 1024,
  entries: 10_000,
  pathBytes: 1024,
  ratio: 200,
};

export const MANIFEST_NAME = 'spin.toml';
/** Far above any manifest; it is parsed in memory. */
export const MANIFEST_MAX_BYTES = 1024 * 1024;
/** A locked app names each file of its components, small ones with their bytes. */
export const LOCKED_APP_MAX_BYTES = 8 * 1024 * 1024;
