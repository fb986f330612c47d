import type { VersionArtifact } from '#contract/artifact.js';
import type { VersionNumber } from '#contract/ids.js';
import type { AppLane } from '#runtime/trigger/app-version.js';
import { type AppKey, toKey } from './app-lane.js';
import type { RunnerCommand } from './runner-protocol.js';

/** What every runner of a lane should hold of an app. */
export interface DesiredApp {
  /** As it was when a version was last prepared: gives the variables for that. */
  app: AppLane;
  versions: Map<VersionNumber, { artifact: VersionArtifact }>;
  served: AppLane | undefined;
}

/** What one runner holds of an app. */
export interface HeldApp {
  key: AppKey;
  versions: Map<VersionNumber, VersionArtifact>;
  served: AppLane | undefined;
}

export type Held = Map<string, HeldApp>;
type StateCommand = Extract<RunnerCommand, { type: 'prepare' | 'serve' | 'release' | 'remove' }>;

/**
 * What a runner lacks, or holds in excess: commands that may run at the same time. A `serve` comes when its versions are there, so
 * ask again until nothing is left. Artifacts and lanes are compared by identity: they are never changed.
 */
export function catchUp(desired: ReadonlyMap<string, DesiredApp>, held: Held): StateCommand[] {
  const commands: StateCommand[] = [];
  for (const [key, app] of held) if (!desired.has(key)) commands.push({ type: 'remove', app: app.key });
  for (const [key, { app, versions, served }] of desired) {
    const own = held.get(key);
    for (const [version, artifact] of own?.versions ?? []) {
      if (versions.get(version)?.artifact !== artifact) commands.push({ type: 'release', app, version });
    }
    const missing = [...versions.values()].filter(({ artifact }) => !own?.versions.has(artifact.version));
    for (const { artifact } of missing) commands.push({ type: 'prepare', app, artifact });
    if (served && served !== own?.served && served.serve.every((share) => own?.versions.has(share.version))) commands.push({ type: 'serve', app: served });
  }
  return commands;
}

/** Notes in `held` that the runner has carried out a command. */
export function note(held: Held, command: StateCommand): void {
  const key = toKey(command.app);
  if (command.type === 'remove') {
    held.delete(key);
    return;
  }
  let own = held.get(key);
  if (!own) held.set(key, (own = { key: { app: command.app.app, channel: command.app.channel }, versions: new Map(), served: undefined }));
  if (command.type === 'prepare') own.versions.set(command.artifact.version, command.artifact);
  else if (command.type === 'release') own.versions.delete(command.version);
  else own.served = command.app;
}
