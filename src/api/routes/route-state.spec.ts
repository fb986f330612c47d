import { describe, expect, it } from '@jest/globals';
import { RouteBook } from './route-book.js';
import { type NodePulse, type RoutedChannel, type RoutedNode, toRouteState } from './route-state.js';

const channel = (app: string, more: Partial<RoutedChannel> = {}): RoutedChannel =>
  ({ id: app, app, channel: 'production', generation: 3, firstGeneration: 2, isServed: true, isGone: false, placed: null, ...more });
const node = (name: string, switched: Record<string, number>, port: number | null = 1): [string, RoutedNode] =>
  [name, { node: name, gateway: port === null ? null : { host: name, port }, switched: new Map(Object.entries(switched)) }];
const pulse = (name: string, more: Partial<NodePulse> = {}): NodePulse => ({ node: name, isLost: false, isLeaving: false, ...more });
const routes = (channels: RoutedChannel[], nodes: [string, RoutedNode][], pulses: NodePulse[]) => toRouteState(channels, new Map(nodes), pulses, 'apps.test');

describe(toRouteState.name, () => {
  it('names the nodes that say that they have switched, with what they have switched to', () => {
    const { routes: [route] } = routes([channel('shop')], [node('a', { 'shop/production': 3 }), node('b', { 'shop/production': 2 }), node('c', {})], [pulse('a'), pulse('b'), pulse('c')]);
    expect(route).toEqual({ app: 'shop', channel: 'production', generation: 3, hosts: ['shop.apps.test'], isServed: true, replicas: [{ node: 'a', generation: 3 }, { node: 'b', generation: 2 }] });
  });

  it('gives other channels their own hosts', () => {
    expect(routes([channel('shop', { channel: 'staging' })], [], []).routes[0]!.hosts).toEqual(['staging--shop.apps.test']);
  });

  it('leaves out what a node says of an app of this name that is gone, and nodes that nobody can reach', () => {
    const { routes: [route] } = routes([channel('shop')], [node('a', { 'shop/production': 1 }), node('b', { 'shop/production': 3 }, null)], [pulse('a'), pulse('b')]);
    expect(route!.replicas).toEqual([]);
  });

  it('says which nodes are to let go: those it is not placed on, those that leave it, and those that are drained', () => {
    const said = ['a', 'b', 'c', 'd'].map((name) => node(name, { 'shop/production': 3 }));
    const placed = [{ node: 'a', isLeaving: false }, { node: 'b', isLeaving: true }, { node: 'd', isLeaving: false }];
    const { routes: [route] } = routes([channel('shop', { placed })], said, [pulse('a'), pulse('b'), pulse('c'), pulse('d', { isLeaving: true })]);
    expect(route!.replicas.filter(({ leaving }) => leaving).map(({ node: name }) => name)).toEqual(['b', 'c', 'd']);
  });

  it('keeps a lost node in the table, as one that is asked last', () => {
    const { nodes, routes: [route] } = routes([channel('shop')], [node('a', { 'shop/production': 3 })], [pulse('a', { isLost: true })]);
    expect([nodes.map(({ state }) => state), route!.replicas.length]).toEqual([['lost'], 1]);
  });

  it('says what is gone, unless its name is used again', () => {
    const { gone, routes: [route] } = routes([channel('old', { isGone: true }), channel('shop', { id: '1', isGone: true, generation: 2 }), channel('shop', { id: '2', generation: 5 })], [], []);
    expect(gone).toEqual([{ app: 'old', channel: 'production', generation: 3 }]);
    expect(route).toMatchObject({ app: 'shop', generation: 5 });
  });
});

describe(RouteBook.name, () => {
  const state = (generation: number, apps = ['shop', 'blog']) => routes(apps.map((app) => channel(app, { generation })), [node('a', {})], [pulse('a')]);

  it('answers with what has changed since a revision of its own, and with everything to others', () => {
    const book = new RouteBook('x');
    book.take(state(3));
    const first = book.since(undefined);
    expect([first.isWhole, first.routes.length, first.nodes.length]).toEqual([true, 2, 1]);
    book.take({ ...state(3), routes: [...state(4, ['shop']).routes, ...state(3, ['blog']).routes] });
    expect(book.since(first.revision)).toMatchObject({ isWhole: false, nodes: [], routes: [{ app: 'shop', generation: 4 }], gone: [] });
    expect(book.since('y.1').isWhole).toBe(true);
    expect(book.since(`x.99`).isWhole).toBe(true);
  });

  it('keeps its revision as long as nothing changes', () => {
    const book = new RouteBook('x');
    book.take(state(3));
    const { revision } = book;
    book.take(state(3));
    expect(book.revision).toBe(revision);
  });

  it('says once what is gone, and takes it back when the name is used again', () => {
    const book = new RouteBook('x');
    book.take(state(3));
    const { revision } = book;
    book.take(routes([channel('shop', { isGone: true }), channel('blog')], [node('a', {})], [pulse('a')]));
    expect(book.since(revision)).toMatchObject({ routes: [], gone: [{ app: 'shop' }] });
    book.take(state(5));
    expect(book.since(undefined).gone).toEqual([]);
  });
});
