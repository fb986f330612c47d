import { createHash } from 'node:crypto';
import type { VersionArtifact } from '#contract/artifact.js';
import type { Digest } from '#contract/ids.js';
import type { StoredVersion } from '#runtime/trigger/stored-version.js';

/** Artifacts are never changed: each is written out once to learn its digest. */
const known = new WeakMap<VersionArtifact, StoredVersion>();

/** The artifact as it is stored for runners. */
export function artifactBytes(artifact: VersionArtifact): Buffer {
  return Buffer.from(JSON.stringify(artifact));
}

/** What runners are told of a version. */
export function storedOf(artifact: VersionArtifact): StoredVersion {
  let stored = known.get(artifact);
  if (!stored) {
    const { version, digest } = artifact;
    stored = { version, digest, artifact: `sha256:${createHash('sha256').update(artifactBytes(artifact)).digest('hex')}` as Digest };
    known.set(artifact, stored);
  }
  return stored;
}
