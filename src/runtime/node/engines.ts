import type { VersionArtifact } from '#contract/artifact.js';
import type { Engines } from '#contract/assignment.js';
import { WhorlError } from '#contract/errors.js';
import { ENGINE_VERSION } from '#engine/plan.js';

/** Versions of the engine whose plans this node can run. */
export const RUNNABLE_ENGINES: Engines = [ENGINE_VERSION];

/** Whether this node can run what was built of a version. */
export function isRunnable({ builds }: VersionArtifact): boolean {
  return Object.values(builds).every(({ engine }) => RUNNABLE_ENGINES.includes(engine));
}

/** Refuses what was built for another engine (NODE_ENGINE_UNSUPPORTED): a snapshot from before an upgrade, or a control plane of an older release. */
export function checkEngine(artifact: VersionArtifact): void {
  if (isRunnable(artifact)) return;
  const engines = [...new Set(Object.values(artifact.builds).map(({ engine }) => engine))].join(', ');
  throw new WhorlError('NODE_ENGINE_UNSUPPORTED', `version ${artifact.version} is built for engine ${engines}, this node runs ${RUNNABLE_ENGINES.join(', ')}`);
}
