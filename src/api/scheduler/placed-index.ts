import { createHash } from 'node:crypto';
import type { AppName, ChannelName } from '#contract/ids.js';
import type { ReleasedChannel, RemovedChannel } from '#contract/assignment.js';
import type { ChannelPlacement, Replica } from './placement/placement.js';

/** What is known of a channel without looking into it. */
export interface IndexedChannel {
  id: string;
  app: string;
  channel: string;
  generation: number;
  /** The generation that it began with: older ones belong to an app of that name that is gone. */
  firstGeneration: number;
  isGone: boolean;
  /** When it last changed, and when it last changed or was placed. */
  changed: bigint;
  stamp: bigint;
  /** null: nobody has placed it yet. */
  placement: ChannelPlacement | null;
}

/** What a node says that it holds. */
export interface HeldChannel {
  app: string;
  channel: string;
  generation: number;
  placement?: number | undefined;
}

export interface PlacedChannel {
  channel: IndexedChannel;
  replica: Replica;
}

/** What a node is to hold and to let go of. */
export interface NodeState {
  placed: readonly PlacedChannel[];
  released: readonly ReleasedChannel[];
  removed: readonly RemovedChannel[];
  /** Equal for equal states. */
  digest: string;
}

/** Channels by node: who is told what, without a look at all channels for each node. Every control plane keeps one. */
export class PlacedIndex {
  private readonly channels = new Map<string, IndexedChannel>();
  /** Ids of those that are not gone, by name. */
  private readonly ids = new Map<string, string>();
  /** Last generations of gone ones, by name. */
  private readonly gone = new Map<string, number>();
  /** Ids by node, leaving ones included. */
  private readonly onNode = new Map<string, Set<string>>();
  /** By node, what it says that it holds, by name; and the other way round. */
  private readonly held = new Map<string, ReadonlyMap<string, HeldChannel>>();
  private readonly holders = new Map<string, Set<string>>();
  private readonly states = new Map<string, NodeState>();

  /** Takes a channel as it is now. Answers the nodes that it concerns. */
  take(channel: IndexedChannel): string[] {
    const before = this.channels.get(channel.id);
    const nodes = new Set([...nodesOf(before), ...nodesOf(channel), ...(this.holders.get(nameOf(channel)) ?? [])]);
    for (const node of nodesOf(before)) this.onNode.get(node)?.delete(channel.id);
    if (channel.isGone) this.forget(channel);
    else {
      this.channels.set(channel.id, channel);
      this.ids.set(nameOf(channel), channel.id);
      for (const node of nodesOf(channel)) getOrMake(this.onNode, node).add(channel.id);
    }
    for (const node of nodes) this.states.delete(node);
    return [...nodes];
  }

  /** Takes what a node says that it holds. */
  report(node: string, statuses: readonly HeldChannel[]): void {
    for (const name of this.held.get(node)?.keys() ?? []) this.holders.get(name)?.delete(node);
    this.held.set(node, new Map(statuses.map((status) => [nameOf(status), status])));
    for (const status of statuses) getOrMake(this.holders, nameOf(status)).add(node);
    this.states.delete(node);
  }

  find(id: string): IndexedChannel | undefined {
    return this.channels.get(id);
  }

  /** Every channel that is not gone. */
  all(): IterableIterator<IndexedChannel> {
    return this.channels.values();
  }

  stateOf(node: string): NodeState {
    let state = this.states.get(node);
    if (!state) this.states.set(node, (state = this.look(node)));
    return state;
  }

  private forget(channel: IndexedChannel): void {
    const name = nameOf(channel);
    this.channels.delete(channel.id);
    if (this.ids.get(name) === channel.id) this.ids.delete(name);
    this.gone.set(name, Math.max(this.gone.get(name) ?? 0, channel.generation));
  }

  private look(node: string): NodeState {
    const placed = [...(this.onNode.get(node) ?? [])].sort().flatMap((id) => {
      const channel = this.channels.get(id)!;
      const replica = replicaOn(channel, node);
      return replica && !replica.leaving ? [{ channel, replica }] : [];
    });
    const released: ReleasedChannel[] = [];
    const removed: RemovedChannel[] = [];
    for (const [name, { app: appName, channel: channelName }] of this.held.get(node) ?? []) {
      const [app, channel] = [appName as AppName, channelName as ChannelName];
      const known = this.channels.get(this.ids.get(name) ?? '');
      const gone = this.gone.get(name);
      if (known && isElsewhere(known, node)) released.push({ app, channel, firstGeneration: known.firstGeneration, placement: known.placement!.generation });
      else if (!known && gone !== undefined) removed.push({ app, channel, generation: gone });
    }
    const digest = digestOf([placed.map(({ channel, replica }) => [channel.id, String(channel.changed), replica.generation]), released, removed]);
    return { placed, released, removed, digest };
  }
}

export const nameOf = ({ app, channel }: { app: string; channel: string }): string => `${app}/${channel}`;

const nodesOf = (channel: IndexedChannel | undefined): string[] => channel?.placement?.replicas.map(({ node }) => node) ?? [];

const replicaOn = ({ placement }: IndexedChannel, node: string): Replica | undefined => placement?.replicas.find((replica) => replica.node === node);

/**
 * The node is to let go of it: it leaves there, or it is at others alone. A channel that is nowhere stays where somebody has it.
 */
function isElsewhere(channel: IndexedChannel, node: string): boolean {
  const replica = replicaOn(channel, node);
  if (replica) return replica.leaving;
  return channel.placement?.replicas.some(({ leaving }) => !leaving) ?? false;
}

function getOrMake(map: Map<string, Set<string>>, key: string): Set<string> {
  let set = map.get(key);
  if (!set) map.set(key, (set = new Set()));
  return set;
}

const digestOf = (state: unknown): string => createHash('sha256').update(JSON.stringify(state)).digest('base64url').slice(0, 22);
