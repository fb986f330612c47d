import type { VersionArtifact } from '#contract/artifact.js';
import type { Digest } from '#contract/ids.js';

/** A version as it lies on the node's disk: all that is kept of it in memory while nobody asks for it. */
export interface StoredVersion extends Pick<VersionArtifact, 'version' | 'digest'> {
  /** The blob with the JSON of the version's artifact. Other builds of the same version make another blob. */
  artifact: Digest;
}
