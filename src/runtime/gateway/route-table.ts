import type { NodeName } from '#contract/ids.js';
import type { Route, RouteChanges, RouteNode } from '#contract/routes.js';

export const toRouteKey = ({ app, channel }: Pick<Route, 'app' | 'channel'>): string => `${app}/${channel}`;

/** Which nodes have which hosts, as far as the control plane has told this node, and which generation of a channel nobody may go back from. */
export class RouteTable {
  revision: string | null = null;
  private readonly routes = new Map<string, Route>();
  private readonly keys = new Map<string, string>();
  private readonly nodes = new Map<string, RouteNode>();
  private readonly floors = new Map<string, number>();
  private readonly listeners = new Set<() => void>();

  get size(): number {
    return this.routes.size;
  }

  /** @param host lower case, without a port */
  byHost(host: string): Route | undefined {
    const key = this.keys.get(host);
    return key === undefined ? undefined : this.routes.get(key);
  }

  node(name: NodeName): RouteNode | undefined {
    return this.nodes.get(name);
  }

  /** The newest generation of the channel that anybody is known to have been answered by. */
  floorOf(route: Pick<Route, 'app' | 'channel'>): number {
    return this.floors.get(toRouteKey(route)) ?? 0;
  }

  /** Somebody was answered by this generation. True when that is new. */
  raise(route: Pick<Route, 'app' | 'channel'>, generation: number): boolean {
    const key = toRouteKey(route);
    if (generation <= (this.floors.get(key) ?? 0)) return false;
    this.floors.set(key, generation);
    return true;
  }

  /** Takes up what has changed. What is not named stays; nodes that a whole table does not name count as lost. */
  apply({ revision, isWhole, nodes, routes, gone }: RouteChanges): void {
    if (isWhole) {
      const named = new Set<string>(nodes.map(({ node }) => node));
      for (const [name, node] of this.nodes) if (!named.has(name)) this.nodes.set(name, { ...node, state: 'lost' });
    }
    for (const node of nodes) this.nodes.set(node.node, node);
    for (const route of routes) this.put(route);
    for (const { app, channel, generation } of gone) {
      const key = toRouteKey({ app, channel });
      const held = this.routes.get(key);
      if (held && held.generation <= generation) this.drop(key, held);
    }
    this.revision = revision;
    // Who is called may begin to listen anew.
    const listeners = Array.from(this.listeners);
    for (const listener of listeners) listener();
  }

  /** Everything there is, as one change. */
  whole(): RouteChanges {
    return { revision: this.revision ?? '', isWhole: true, nodes: [...this.nodes.values()], routes: [...this.routes.values()], gone: [] };
  }

  allFloors(): Iterable<[key: string, generation: number]> {
    return this.floors;
  }

  /** Calls after each change. What is given back ends that. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private put(route: Route): void {
    const key = toRouteKey(route);
    const before = this.routes.get(key);
    for (const host of before?.hosts ?? []) if (this.keys.get(host) === key) this.keys.delete(host);
    this.routes.set(key, route);
    for (const host of route.hosts) this.keys.set(host, key);
    for (const { generation } of route.replicas) this.raise(route, generation);
  }

  private drop(key: string, { hosts }: Route): void {
    this.routes.delete(key);
    this.floors.delete(key);
    for (const host of hosts) if (this.keys.get(host) === key) this.keys.delete(host);
  }
}
