import type { Digest, VersionNumber } from '#contract/ids.js';
import type { KnownChannel } from '#runtime/trigger/front.js';
import type { StoredVersion } from '#runtime/trigger/stored-version.js';
import type { AppLane } from '#runtime/trigger/version-host.js';
import { type AppKey, toKey } from './app-lane.js';
import type { RunnerCommand } from './runner-protocol.js';

/** A version that every runner of a lane should hold. */
export interface DesiredVersion {
  stored: StoredVersion;
  /** It was prepared on this node: other runners need not prove it again. */
  proved: boolean;
}

/** What every runner of a lane should hold of an app. */
export interface DesiredApp {
  /** As it was when a version was last prepared: gives the variables for that. */
  app: AppLane;
  versions: Map<VersionNumber, DesiredVersion>;
  served: AppLane | undefined;
}

/** What one runner holds of an app. */
export interface HeldApp {
  key: AppKey;
  /** By number, which artifact. */
  versions: Map<VersionNumber, Digest>;
  served: AppLane | undefined;
}

export type Held = Map<string, HeldApp>;
type StateCommand = Extract<RunnerCommand, { type: 'know' | 'prepare' | 'serve' | 'release' | 'remove' }>;

/** Channels in one message: neither end is held up for long by it. */
const KNOWN_AT_A_TIME = 250;

/**
 * What a runner lacks, or holds in excess: commands that may run at the same time. A `serve` comes when its versions are there, so
 * ask again until nothing is left. Lanes are compared by identity: they are never changed.
 */
export function catchUp(desired: ReadonlyMap<string, DesiredApp>, held: Held): StateCommand[] {
  const commands: StateCommand[] = [];
  const known: KnownChannel[] = [];
  for (const [key, app] of held) if (!desired.has(key)) commands.push({ type: 'remove', app: app.key });
  for (const [key, { app, versions, served }] of desired) {
    const own = held.get(key);
    for (const version of own?.versions.keys() ?? []) if (!versions.has(version)) commands.push({ type: 'release', app, version });
    const missing = [...versions.values()].filter(({ stored }) => own?.versions.get(stored.version) !== stored.artifact);
    const proved = missing.filter((version) => version.proved).map(({ stored }) => stored);
    const unserved = served && served !== own?.served ? served : undefined;
    const isThere = (version: VersionNumber): boolean => own?.versions.has(version) === true || proved.some((stored) => stored.version === version);
    const ready = unserved?.serve.every((share) => isThere(share.version)) ? unserved : undefined;
    if (proved.length > 0) known.push({ lane: app, versions: proved, served: ready });
    else if (ready) commands.push({ type: 'serve', app: ready });
    for (const { stored, proved: isProved } of missing) if (!isProved) commands.push({ type: 'prepare', app, version: stored });
  }
  return [...inMessages(known), ...commands];
}

/** Commands that make channels known. */
export function inMessages(channels: readonly KnownChannel[]): Extract<RunnerCommand, { type: 'know' }>[] {
  const messages = Math.ceil(channels.length / KNOWN_AT_A_TIME);
  return Array.from({ length: messages }, (_, i) => ({ type: 'know', channels: channels.slice(i * KNOWN_AT_A_TIME, (i + 1) * KNOWN_AT_A_TIME) }));
}

/** Notes in `held` that the runner has carried out a command. */
export function note(held: Held, command: StateCommand): void {
  switch (command.type) {
    case 'remove': return void held.delete(toKey(command.app));
    case 'know':
      for (const { lane, versions, served } of command.channels) {
        const own = heldApp(held, lane);
        for (const { version, artifact } of versions) own.versions.set(version, artifact);
        if (served) own.served = served;
      }
      return;
    case 'prepare': return void heldApp(held, command.app).versions.set(command.version.version, command.version.artifact);
    case 'release': return void heldApp(held, command.app).versions.delete(command.version);
    case 'serve': heldApp(held, command.app).served = command.app;
  }
}

function heldApp(held: Held, { app, channel }: AppKey): HeldApp {
  const key = toKey({ app, channel });
  let own = held.get(key);
  if (!own) held.set(key, (own = { key: { app, channel }, versions: new Map(), served: undefined }));
  return own;
}
