import { hostOf } from '#contract/hosts.js';
import type { GatewayAddress } from '#contract/node-facts.js';
import type { GoneRoute, Route, RouteNode, RouteReplica } from '#contract/routes.js';

/** A channel as the tables have it. */
export interface RoutedChannel {
  id: string;
  app: string;
  channel: string;
  generation: number;
  /** What nodes say of an older one is about an app of this name that is gone. */
  firstGeneration: number;
  isServed: boolean;
  isGone: boolean;
  /** Where it is placed; null: it is not placed by anybody, and is where nodes say that it is. */
  placed: readonly { node: string; isLeaving: boolean }[] | null;
}

/** What a node says. */
export interface RoutedNode {
  node: string;
  gateway: GatewayAddress | null;
  /** Generation by `app/channel`, of those that it has switched to. */
  switched: ReadonlyMap<string, number>;
}

export interface NodePulse {
  node: string;
  /** Nothing was heard of it lately, or it has stopped. */
  isLost: boolean;
  /** It is to let go of all that it has. */
  isLeaving: boolean;
}

export interface RouteState {
  nodes: RouteNode[];
  routes: Route[];
  gone: GoneRoute[];
}

/**
 * Which nodes have which hosts. A node has a channel when it says that it has switched to it; where the channel is placed, one that it is not
 * placed on is to let go of it. Pure.
 */
export function toRouteState(channels: Iterable<RoutedChannel>, nodes: ReadonlyMap<string, RoutedNode>, pulses: readonly NodePulse[], domain: string): RouteState {
  const reachable = pulses.flatMap((pulse) => {
    const said = nodes.get(pulse.node);
    return said?.gateway ? [{ ...pulse, said, gateway: said.gateway }] : [];
  });
  const state: RouteState = { nodes: reachable.map(({ node, gateway, isLost }) => ({ node: node as RouteNode['node'], gateway, state: isLost ? 'lost' : 'live' })), routes: [], gone: [] };
  const holders = new Map<string, { node: string; generation: number; isLeaving: boolean }[]>();
  for (const { node, isLeaving, said } of reachable) {
    for (const [key, generation] of said.switched) {
      const there = holders.get(key) ?? [];
      holders.set(key, there);
      there.push({ node, generation, isLeaving });
    }
  }
  const live = new Set<string>();
  const all = [...channels];
  for (const channel of all) {
    if (channel.isGone) continue;
    const key = `${channel.app}/${channel.channel}`;
    live.add(key);
    state.routes.push(toRoute(channel, holders.get(key) ?? [], domain));
  }
  for (const { isGone, app, channel, generation } of all) {
    if (isGone && !live.has(`${app}/${channel}`)) state.gone.push({ app: app as GoneRoute['app'], channel: channel as GoneRoute['channel'], generation });
  }
  return state;
}

function toRoute({ app, channel, generation, firstGeneration, isServed, placed }: RoutedChannel, holders: readonly { node: string; generation: number; isLeaving: boolean }[], domain: string): Route {
  const staying = placed && new Set(placed.filter(({ isLeaving }) => !isLeaving).map(({ node }) => node));
  const replicas = holders.filter((holder) => holder.generation >= firstGeneration).map((holder): RouteReplica => {
    const leaving = holder.isLeaving || (staying !== null && !staying.has(holder.node));
    return { node: holder.node as RouteReplica['node'], generation: holder.generation, ...(leaving && { leaving }) };
  });
  return { app: app as Route['app'], channel: channel as Route['channel'], generation, hosts: [hostOf(app, channel, domain).toLowerCase()], isServed, replicas: isServed ? replicas : [] };
}
