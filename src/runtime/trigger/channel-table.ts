import { setTimeout as sleep } from 'node:timers/promises';
import type { AppName, ChannelName, VersionNumber } from '#contract/ids.js';
import type { AppVersion } from './app-version.js';
import type { Shadow } from './shadow.js';
import { Split } from './split.js';
import type { StoredVersion } from './stored-version.js';
import type { AppLane } from './version-host.js';

/** One channel of an app in a runner: the versions that are prepared, and which of them answer. */
export interface ServedChannel {
  key: string;
  lane: AppLane;
  versions: Map<VersionNumber, AppVersion>;
  /** Versions with the upper bound of their share, ascending to 100; empty: none is ready. */
  choices: readonly { below: number; version: AppVersion }[];
  /** null: at most one version answers. */
  split: Split | null;
  /** null: no other version gets copies of the requests. */
  shadow: Shadow | null;
}

/** Requests of a channel at one moment. */
export interface ChannelRequests {
  app: AppName;
  channel: ChannelName;
  requests: number;
}

export function toChannelKey(app: AppName, channel: ChannelName): string {
  return `${app}/${channel}`;
}

/** Chooses a version by the shares. Pure but for `position`, in [0, 100), which is asked for where there are several. */
export function pickVersion({ choices }: Pick<ServedChannel, 'choices'>, position: () => number): AppVersion | undefined {
  if (choices.length <= 1) return choices[0]?.version;
  const at = position();
  return choices.find(({ below }) => at < below)?.version;
}

/** The channels of a runner, found by host. */
export class ChannelTable {
  private readonly channels = new Map<string, ServedChannel>();
  private hosts = new Map<string, ServedChannel>();
  private readonly compared = new Set<ServedChannel>();

  /** @param shadowOf gives copies to a version; null: there are none here */
  constructor(private readonly shadowOf: (lane: AppLane, stored: StoredVersion) => Shadow | null) {}

  byHost(host: string): ServedChannel | undefined {
    return this.hosts.get(host);
  }

  find(app: AppName, channel: ChannelName): ServedChannel | undefined {
    return this.channels.get(toChannelKey(app, channel));
  }

  /** Those whose versions are compared. */
  underComparison(): Iterable<ServedChannel> {
    return this.compared;
  }

  /** Every version that is held. */
  *versions(): Iterable<AppVersion> {
    for (const { versions } of this.channels.values()) yield* versions.values();
  }

  /** Channels with requests, waiting ones included. */
  busy(): ChannelRequests[] {
    return [...this.channels.values()].flatMap(({ lane: { app, channel }, versions }) => {
      let requests = 0;
      for (const version of versions.values()) requests += version.running + version.arriving;
      return requests > 0 ? [{ app, channel, requests }] : [];
    });
  }

  /** Puts a version in; it answers nothing yet, unless it takes the place of one of the same number that does. */
  add(lane: AppLane, version: AppVersion): void {
    const key = toChannelKey(lane.app, lane.channel);
    let channel = this.channels.get(key);
    if (!channel) this.channels.set(key, (channel = { key, lane: { ...lane, generation: 0, hosts: [], serve: [] }, versions: new Map(), choices: [], split: null, shadow: null }));
    const { version: number } = version.stored;
    const before = channel.versions.get(number);
    channel.versions.set(number, version);
    if (before) channel.choices = channel.choices.map((choice) => (choice.version === before ? { ...choice, version } : choice));
    before?.close();
    if (before) this.setShadow(channel);
  }

  /** The versions that `serve` would have answer requests that others, which are loaded, answer now. */
  coldSuccessors(lane: AppLane): AppVersion[] {
    const known = this.find(lane.app, lane.channel);
    if (!known?.choices.some(({ version }) => version.isLoaded)) return [];
    return toChoices(lane, known.versions).map(({ version }) => version).filter((version) => !version.isLoaded);
  }

  /**
   * Switches a channel: hosts, shares and variables at once. A lane that is older than the one served is passed over. A version that is
   * not prepared here gets no share; without any the hosts answer that the app is not ready.
   */
  serve(lane: AppLane): void {
    const key = toChannelKey(lane.app, lane.channel);
    const known = this.channels.get(key);
    if (known && (known.lane.generation > lane.generation || known.lane.variablesRevision > lane.variablesRevision)) return;
    const channel: ServedChannel = known ?? { key, lane, versions: new Map(), choices: [], split: null, shadow: null };
    if (!known || known.lane.variablesRevision < lane.variablesRevision) for (const version of channel.versions.values()) version.setLane(lane);
    const hostsBefore = known?.lane.hosts ?? [];
    channel.lane = lane;
    channel.choices = toChoices(lane, channel.versions);
    channel.split = channel.choices.length > 1 ? new Split(lane, channel.split) : null;
    this.setShadow(channel);
    this.compared[channel.split ?? channel.shadow ? 'add' : 'delete'](channel);
    this.channels.set(key, channel);
    if (hostsBefore.length === 0) this.name(channel);
    else if (hostsBefore.join() !== lane.hosts.join()) this.index();
  }

  /** Resolves when no request runs any more on a version that is not served, at the latest after `timeoutMs`: then with false. */
  async settled(app: AppName, channel: ChannelName, timeoutMs: number): Promise<boolean> {
    const found = this.find(app, channel);
    if (!found) return true;
    const served = new Set(found.choices.map(({ version }) => version));
    const replaced = [...found.versions.values()].filter((version) => !served.has(version));
    const late = new AbortController();
    const isSettled = await Promise.race([
      Promise.all(replaced.map((version) => version.settled())).then(() => true),
      sleep(timeoutMs, false, { signal: late.signal }).catch(() => false),
    ]);
    late.abort();
    return isSettled;
  }

  remove(app: AppName, channel: ChannelName): void {
    const known = this.find(app, channel);
    if (!known) return;
    this.channels.delete(known.key);
    this.compared.delete(known);
    known.shadow?.close();
    for (const version of known.versions.values()) version.close();
    this.index();
  }

  private setShadow(channel: ServedChannel): void {
    const { lane, shadow } = channel;
    const stored = lane.shadow && channel.versions.get(lane.shadow.version)?.stored;
    if (stored && shadow?.isOf(lane.shadow!, stored)) return shadow.version.setLane(lane);
    shadow?.close();
    channel.shadow = stored ? this.shadowOf(lane, stored) : null;
  }

  /** All hosts anew: of two channels with the same one the later counts, and the other when that is gone. */
  private index(): void {
    this.hosts = new Map();
    for (const channel of this.channels.values()) this.name(channel);
  }

  private name(channel: ServedChannel): void {
    for (const host of channel.lane.hosts) this.hosts.set(host.toLowerCase(), channel);
  }
}

function toChoices({ serve }: AppLane, versions: ReadonlyMap<VersionNumber, AppVersion>): ServedChannel['choices'] {
  const ready = serve.flatMap(({ version, percent }) => {
    const found = versions.get(version);
    return found && percent > 0 ? [{ version: found, percent }] : [];
  });
  const total = ready.reduce((sum, { percent }) => sum + percent, 0);
  let below = 0;
  return ready.map(({ version, percent }) => ({ version, below: (below += (percent / total) * 100) }));
}
