import type { AppName, ChannelName, VersionNumber } from '#contract/ids.js';
import type { AppLane, AppVersion } from './app-version.js';

/** One channel of an app in a runner: the versions that are prepared, and which of them answer. */
export interface ServedChannel {
  key: string;
  lane: AppLane;
  versions: Map<VersionNumber, AppVersion>;
  /** Versions with the upper bound of their share, ascending to 100; empty: none is ready. */
  choices: readonly { below: number; version: AppVersion }[];
}

export function toChannelKey(app: AppName, channel: ChannelName): string {
  return `${app}/${channel}`;
}

/** Chooses a version by the shares. Pure but for `random`, in [0, 100). */
export function pickVersion({ choices }: Pick<ServedChannel, 'choices'>, random: () => number): AppVersion | undefined {
  if (choices.length <= 1) return choices[0]?.version;
  const at = random();
  return choices.find(({ below }) => at < below)?.version;
}

/** The channels of a runner, found by host. */
export class ChannelTable {
  private readonly channels = new Map<string, ServedChannel>();
  private hosts = new Map<string, ServedChannel>();

  byHost(host: string): ServedChannel | undefined {
    return this.hosts.get(host);
  }

  find(app: AppName, channel: ChannelName): ServedChannel | undefined {
    return this.channels.get(toChannelKey(app, channel));
  }

  /** Puts a prepared version in; it answers nothing yet. */
  add(lane: AppLane, version: AppVersion): void {
    const key = toChannelKey(lane.app, lane.channel);
    let channel = this.channels.get(key);
    if (!channel) this.channels.set(key, (channel = { key, lane: { ...lane, generation: 0, hosts: [], serve: [] }, versions: new Map(), choices: [] }));
    channel.versions.get(version.artifact.version)?.close();
    channel.versions.set(version.artifact.version, version);
  }

  /**
   * Switches a channel: hosts, shares and variables at once. A lane that is older than the one served is passed over. A version that is
   * not prepared here gets no share; without any the hosts answer that the app is not ready.
   */
  serve(lane: AppLane): void {
    const key = toChannelKey(lane.app, lane.channel);
    const known = this.channels.get(key);
    if (known && (known.lane.generation > lane.generation || known.lane.variablesRevision > lane.variablesRevision)) return;
    const channel: ServedChannel = known ?? { key, lane, versions: new Map(), choices: [] };
    if (!known || known.lane.variablesRevision < lane.variablesRevision) for (const version of channel.versions.values()) version.setVariables(lane.variables);
    channel.lane = lane;
    channel.choices = toChoices(lane, channel.versions);
    this.channels.set(key, channel);
    this.index();
  }

  remove(app: AppName, channel: ChannelName): void {
    const known = this.find(app, channel);
    if (!known) return;
    this.channels.delete(known.key);
    for (const version of known.versions.values()) version.close();
    this.index();
  }

  private index(): void {
    this.hosts = new Map([...this.channels.values()].flatMap((channel) => channel.lane.hosts.map((host) => [host.toLowerCase(), channel] as const)));
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
