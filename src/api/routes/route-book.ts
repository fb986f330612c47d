import type { GoneRoute, Route, RouteChanges, RouteNode } from '#contract/routes.js';
import type { RouteState } from './route-state.js';

interface Entry<T> {
  value: T;
  text: string;
  /** The change that it came with. */
  seq: number;
}

/**
 * The route table as this process has seen it change. A revision names the process and how many changes it had seen: to one of its own it
 * answers with what has changed since, to any other with everything.
 */
export class RouteBook {
  private seq = 0;
  private readonly nodes = new Map<string, Entry<RouteNode>>();
  private readonly routes = new Map<string, Entry<Route>>();
  private readonly gone = new Map<string, Entry<GoneRoute>>();

  /** @param epoch unique for all time */
  constructor(private readonly epoch: string) {}

  get revision(): string {
    return `${this.epoch}.${this.seq}`;
  }

  /** Takes up what is now. */
  take({ nodes, routes, gone }: RouteState): void {
    const next = this.seq + 1;
    const changes = [
      ...nodes.map((node) => put(this.nodes, node.node, node, next)),
      ...routes.map((route) => put(this.routes, keyOf(route), route, next)),
      ...gone.map((each) => put(this.gone, keyOf(each), each, next)),
    ];
    for (const route of routes) this.gone.delete(keyOf(route));
    for (const each of gone) this.routes.delete(keyOf(each));
    const named = new Set<string>(nodes.map(({ node }) => node));
    // A node that was removed is in no route any more.
    for (const name of this.nodes.keys()) if (!named.has(name)) this.nodes.delete(name);
    if (changes.some((isChange) => isChange)) this.seq = next;
  }

  /** What takes a gateway from `after` to now. */
  since(after: string | undefined): RouteChanges {
    const from = this.seqOf(after);
    const newer = <T>(entries: Map<string, Entry<T>>): T[] => [...entries.values()].filter(({ seq }) => seq > from).map(({ value }) => value);
    return { revision: this.revision, isWhole: from === 0, nodes: newer(this.nodes), routes: newer(this.routes), gone: newer(this.gone) };
  }

  /** 0: nothing of it is known here. */
  private seqOf(revision: string | undefined): number {
    const [epoch, seq] = revision?.split('.') ?? [];
    return epoch === this.epoch && Number(seq) <= this.seq ? Number(seq) : 0;
  }
}

function put<T>(entries: Map<string, Entry<T>>, key: string, value: T, seq: number): boolean {
  const text = JSON.stringify(value);
  if (entries.get(key)?.text === text) return false;
  entries.set(key, { value, text, seq });
  return true;
}

const keyOf = ({ app, channel }: { app: string; channel: string }): string => `${app}/${channel}`;
