/**
 * What holds the collector off blobs that somebody relies on (docs/adr/0025). Bytes that are new in the store are safe by their age; who
 * finds old ones there and goes on without sending them claims them first, and looks afterwards: they are gone by then, or stay.
 */
export abstract class BlobClaims {
  /**
   * From when it returns, the collector deletes none of these blobs for CLAIM_MS, whether they are there or not. Waits while it is just
   * deleting one. Throws REGISTRY_STORAGE_UNAVAILABLE when that takes too long, and API_DATABASE_UNAVAILABLE.
   */
  abstract claim(digests: readonly string[]): Promise<void>;
}

/** A claim is renewed by the next one: time enough for the longest push, and for a collection that began before it. */
export const CLAIM_MS = 48 * 60 * 60_000;

/** For a store that nothing is ever collected from. */
export const NO_CLAIMS: BlobClaims = { claim: async () => {} };
