import type { VersionArtifact } from '#contract/artifact.js';
import type { Digest } from '#contract/ids.js';
import type { BlobCache } from './blob-cache.js';

/** So many are fetched at the same time for one version. */
const PARALLEL = 8;

/** All blobs that running a version needs: plans, rewritten modules, the app's files. Each once. */
export function blobsOf({ app, builds }: VersionArtifact): Set<Digest> {
  const built = Object.values(builds).flatMap(({ plan, modules }) => [plan, ...modules]);
  const files = app.components.flatMap((component) => component.files.map((file) => file.digest));
  return new Set([...built, ...files]);
}

/** Returns when all blobs of the version are in the cache. Throws as `BlobCache.ensure` does, for the first that fails. */
export async function fetchArtifact(cache: BlobCache, artifact: VersionArtifact): Promise<void> {
  const left = [...blobsOf(artifact)].values();
  const worker = async (): Promise<void> => {
    for (const digest of left) await cache.ensure(digest);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}
