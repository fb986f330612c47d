import { describe, expect, it } from '@jest/globals';
import { NO_RUNTIME_GRANT, RuntimeGrant } from '#contract/runtime-grant.js';
import { ChannelRow, enginesFor, storesInFiles } from './channel-row.js';
import { NodeRow } from './node-row.js';
import { type ChannelNews, World } from './world.js';

const row = (id: string, change: Partial<ChannelRow> = {}): ChannelRow => ChannelRow.parse({
  id, appId: `a-${id}`, org: 'default', app: `app-${id}`, channel: 'production', firstGeneration: 2, serve: [{ version: 1, percent: 100 }], held: [1], isGone: false, ...change,
});
const news = (id: string, change: Partial<ChannelNews> = {}): ChannelNews => ({ row: row(id), scale: null, facts: { engines: [['3']], keyValueStores: [], sqliteDatabases: [] }, stores: [], ...change });
const node = (statuses: object[], facts = {}): NodeRow => NodeRow.parse({ node: 'n1', facts, statuses: statuses.map((status) => ({ app: 'app-a', channel: 'production', generation: 3, placement: 7, prepared: [1], ...status })) });
const pulse = { nowMs: 1_000, nodes: [{ node: 'n1', wanted: 'active', lastSeenMs: 900 }] };
const read = (world: World, change: Partial<Parameters<World['take']>[0]>) => {
  world.take({ channels: [], gone: [], nodes: [], pulse, ...change });
  return world.news();
};

describe(storesInFiles.name, () => {
  const facts = { engines: [], keyValueStores: ['default', 'cache'], sqliteDatabases: ['default'] };

  it('names what is a file without any configuration, by a name that all who share it have', () => {
    expect(storesInFiles(row('a'), facts, NO_RUNTIME_GRANT)).toEqual(['default/app-a/key-value/cache.sqlite', 'default/app-a/key-value/default.sqlite', 'default/app-a/sqlite/default.sqlite']);
  });

  it('leaves out what is linked to a service, and takes the file of a link', () => {
    const grant = RuntimeGrant.parse({ keyValueStores: { default: { type: 'redis', url: 'redis://h' }, cache: { type: 'spin', file: '.stores/1.sqlite' } }, sqliteDatabases: { default: { type: 'libsql', url: 'http://h', token: 't' } } });
    expect(storesInFiles(row('a'), facts, grant)).toEqual(['default/.stores/1.sqlite']);
  });
});

describe(enginesFor.name, () => {
  it('are those that every version is built for, and all of the fleet when no node runs one', () => {
    expect(enginesFor({ engines: [['3', '4'], ['4']] }, ['3', '4'])).toEqual(['4']);
    expect(enginesFor({ engines: [['3'], ['4']] }, ['3', '4'])).toEqual(['3', '4']);
  });
});

describe(World.name, () => {
  it('hands a channel over when it comes and when something of it changes, and not again', () => {
    const world = new World();
    expect(read(world, { channels: [news('a')] }).channels).toMatchObject([{ key: 'a', replicas: { min: 0, wanted: 0 }, stateGroup: null }]);
    expect(read(world, { channels: [news('a')] }).channels).toEqual([]);
    expect(read(world, { channels: [news('a', { row: row('a', { held: [] }) })] }).channels).toMatchObject([{ replicas: { max: 0 } }]);
  });

  it('names the channels of a group anew when another joins it', () => {
    const world = new World();
    read(world, { channels: [news('a', { stores: ['s2'] })] });
    expect(read(world, { channels: [news('b', { stores: ['s1', 's2'] })] }).channels.map(({ key, stateGroup }) => [key, stateGroup]).sort()).toEqual([['a', 's1'], ['b', 's1']]);
  });

  it('takes a node for ready when it has all that is served prepared, also when what is served changes', () => {
    const world = new World();
    const { reports } = read(world, { channels: [news('a')], nodes: [node([{}])] });
    expect(reports.get('n1')).toEqual(new Map([['a', { generation: 7, ready: true }]]));
    const next = read(world, { channels: [news('a', { row: row('a', { serve: ChannelRow.shape.serve.parse([{ version: 2, percent: 100 }]) }) })] });
    expect(next.reports.get('n1')).toEqual(new Map([['a', { generation: 7, ready: false }]]));
  });

  it('does not take what a node has of an earlier app of the name for this one', () => {
    expect(read(new World(), { channels: [news('a')], nodes: [node([{ generation: 1 }])] }).reports.get('n1')).toEqual(new Map());
  });

  it('drains a node that says that it stops, unless the operator wants something else', () => {
    const world = new World();
    expect(read(world, { nodes: [node([], { farewell: 'leaving' })] }).nodes).toMatchObject([{ wanted: 'draining' }]);
    expect(read(world, { pulse: { nowMs: 1, nodes: [{ ...pulse.nodes[0]!, wanted: 'removed' }] } }).nodes).toMatchObject([{ wanted: 'removed' }]);
  });

  it('says of a channel that is gone that it is, once', () => {
    const world = new World();
    read(world, { channels: [news('a')] });
    expect(read(world, { gone: ['a'] }).removed).toEqual(['a']);
    expect([read(world, {}).removed, world.idOf({ app: 'app-a', channel: 'production' })]).toEqual([[], undefined]);
  });
});
