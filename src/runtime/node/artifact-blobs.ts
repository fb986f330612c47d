import type { VersionArtifact } from '#contract/artifact.js';
import type { Digest } from '#contract/ids.js';
import type { BlobCache } from './blob-cache.js';
import { artifactBytes, storedOf } from './stored-versions.js';

/** So many are fetched at the same time for one version. */
const PARALLEL = 8;

/** All blobs that running a version needs: its artifact, plans, rewritten modules, the app's files. Each once. */
export function blobsOf(artifact: VersionArtifact): Set<Digest> {
  const { app, builds } = artifact;
  const built = Object.values(builds).flatMap(({ plan, modules }) => [plan, ...modules]);
  const files = app.components.flatMap((component) => component.files.map((file) => file.digest));
  return new Set([storedOf(artifact).artifact, ...built, ...files]);
}

/** Returns when all blobs of the version are in the cache. Throws as `BlobCache.ensure` does, for the first that fails. */
export async function fetchArtifact(cache: BlobCache, artifact: VersionArtifact): Promise<void> {
  // The only one that is made here and not fetched.
  await cache.put(storedOf(artifact).artifact, artifactBytes(artifact));
  const left = [...blobsOf(artifact)].values();
  const worker = async (): Promise<void> => {
    for (const digest of left) await cache.ensure(digest);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}
