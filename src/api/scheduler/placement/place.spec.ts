import { describe, expect, it } from '@jest/globals';
import { channel, Fleet, many, MB, node, replicas } from '../../../../test/fixtures/placement-fleet.js';
import { explain } from './explain.js';
import { newestReport } from './newest-report.js';
import { place } from './place.js';
import type { PlacementChannel } from './placement-channel.js';
import type { PlacementNode } from './placement-node.js';

describe(place.name, () => {
  it('puts two replicas on two nodes, in two zones where there are two', () => {
    const fleet = new Fleet([node('n1'), node('n2'), node('n3', { zone: 'b' })], [channel('c', { replicas: replicas(2) })]);
    expect(fleet.on('c')).toHaveLength(2);
    expect(fleet.on('c')).toContain('n3');
  });

  it.each<[string, Partial<PlacementNode>, Partial<PlacementChannel>, string]>([
    ['for another engine', { engines: ['4'] }, {}, 'runs engine 4; built for engine 3'],
    ['without a capability', {}, { capabilities: ['mqtt', 'http'] }, 'does not support mqtt'],
    ['whose label is another', { labels: { disk: 'hdd' } }, { affinity: { required: [{ label: 'disk', operator: 'in', values: ['ssd'] }], preferred: [] } }, 'label disk is "hdd", must be one of ssd'],
    ['whose taint is not tolerated', { taints: [{ key: 'gpu', value: 'yes', effect: 'no-new' }] }, {}, 'taint gpu=yes is not tolerated'],
    ['that is cordoned', { wanted: 'cordoned' }, {}, 'cordoned: gets nothing new'],
    ['that is draining', { wanted: 'draining' }, {}, 'draining'],
    ['that is sick', { sickness: 'its disk is full' }, {}, 'says that it cannot serve: its disk is full'],
    ['without room', { capacity: { memoryBytes: 50 * MB, milliCores: 4000 } }, {}, 'needs 100 MB and 0.1 cores, 50 MB and 4 cores are free'],
  ])('puts nothing on a node %s, and says so', (_what, change, wish, reason) => {
    const fleet = new Fleet([node('n1', change), node('n2', { capabilities: ['http', 'mqtt'], labels: { disk: 'ssd' } })], [channel('c', wish)]);
    expect(fleet.on('c')).toEqual(['n2']);
    expect(fleet.why('c', 'n1')).toBe(reason);
  });

  it('goes where taints are tolerated and prefers what is preferred', () => {
    const nodes = [node('n1'), node('n2', { taints: [{ key: 'gpu', value: 'yes', effect: 'move' }], labels: { disk: 'ssd' } })];
    const preferred = [{ label: 'disk', operator: 'in' as const, values: ['ssd'] }];
    expect(new Fleet(nodes, [channel('c', { tolerations: [{ key: 'gpu', value: 'yes' }], affinity: { required: [], preferred } })]).on('c')).toEqual(['n2']);
  });

  it('keeps room for the version before', () => {
    const fleet = new Fleet([node('n1')], Array.from({ length: 10 }, (_, i) => channel(`c${i}`, { reserve: { memoryBytes: 100 * MB, milliCores: 0 } })));
    expect(fleet.decisions.short).toHaveLength(5);
    expect(explain([fleet.decisions.short[0]!], fleet.world(), fleet.placement)[0]!.summary).toBe(
      '0 of 1 replicas placed, 0 ready (at least 1, at most 4); each needs 200 MB and 0.1 cores; on disk of one more node; 1 more: no suitable node has room',
    );
  });

  it('chooses the same whatever the order in which nodes are named, also among nodes that hashing cannot tell apart', () => {
    // Without capacity they are infinitely far.
    const nodes = many(4, (i) => node(`n${i}`, { capacity: { memoryBytes: 1000 * MB, milliCores: 0 } }));
    const apps = Array.from({ length: 5 }, (_, i) => channel(`c${i}`, { demand: { memoryBytes: MB, milliCores: 0 } }));
    const [one, other] = [new Fleet(nodes, apps), new Fleet(nodes.toReversed(), apps.toReversed())];
    for (const { key } of apps) expect(other.on(key)).toEqual(one.on(key));
  });

  it('moves nothing for a node that comes', () => {
    const fleet = new Fleet(many(3), Array.from({ length: 9 }, (_, i) => channel(`c${i}`))).rest();
    fleet.nodes.push(node('new'));
    expect(fleet.pass(1_000).decisions.changed.size).toBe(0);
  });

  it('moves one replica of two that share a zone when another zone comes', () => {
    const fleet = new Fleet(many(3), [channel('c', { replicas: replicas(2) })]).rest();
    fleet.nodes.push(node('far', { zone: 'b' }));
    expect(fleet.rest().on('c')).toContain('far');
    expect(fleet.on('c')).toHaveLength(2);
  });

  it('decides nothing else for apps that are not concerned when one is pushed', () => {
    const fleet = new Fleet(many(5), Array.from({ length: 20 }, (_, i) => channel(`c${i}`))).rest();
    fleet.channels.push(channel('new'));
    expect([...fleet.pass(1_000).decisions.changed.keys()]).toEqual(['new']);
  });

  it('gives replicas beyond the least of one app to another that has fewer than it must have', () => {
    const fleet = new Fleet(many(2), [channel('c', { replicas: replicas(1, 2, 2), demand: { memoryBytes: 900 * MB, milliCores: 10 } })]).rest();
    fleet.channels.push(channel('d', { demand: { memoryBytes: 500 * MB, milliCores: 10 } }));
    fleet.rest();
    const active = (key: string) => fleet.placement.channels.get(key)!.replicas.filter((each) => each.active && !each.leaving).length;
    expect([active('c'), active('d'), fleet.decisions.short]).toEqual([1, 1, []]);
    // It keeps its bytes where it was, for when there is room again.
    expect(fleet.on('c')).toHaveLength(2);
  });

  it('moves a small one where it fits for a large one that fits nowhere else', () => {
    const small = channel('s', { demand: { memoryBytes: 300 * MB, milliCores: 10 }, affinity: { required: [], preferred: [{ label: 'x', operator: 'in', values: ['y'] }] } });
    const nodes = [node('n1', { labels: { x: 'y' } }), node('n2', { capacity: { memoryBytes: 400 * MB, milliCores: 4000 } })];
    const fleet = new Fleet(nodes, [small]).rest();
    expect(fleet.on('s')).toEqual(['n1']);
    fleet.channels.push(channel('l', { demand: { memoryBytes: 900 * MB, milliCores: 10 } }));
    fleet.rest();
    expect([fleet.on('s'), fleet.on('l')]).toEqual([['n2'], ['n1']]);
  });

  it('takes replicas off a node on which apps have grown', () => {
    const fleet = new Fleet([node('n1')], [channel('c'), channel('d')]).rest();
    fleet.nodes.push(node('n2'));
    fleet.channels = fleet.channels.map((each) => ({ ...each, demand: { memoryBytes: 600 * MB, milliCores: 100 } }));
    expect(fleet.pass(1_000).decisions.over).toEqual(['n1']);
    fleet.rest();
    expect([fleet.decisions.over, new Set([...fleet.on('c'), ...fleet.on('d')])]).toEqual([[], new Set(['n1', 'n2'])]);
  });
});

describe('an idle app', () => {
  it('is on disk only, takes no room, and becomes active where it is', () => {
    const fleet = new Fleet(many(4), [channel('c', { replicas: replicas(0, 2, 0) })], { diskCopies: 3 }).rest();
    const onDisk = fleet.on('c');
    expect(onDisk).toHaveLength(3);
    expect(fleet.placement.channels.get('c')!.replicas.map(({ active }) => active)).toEqual([false, false, false]);
    fleet.channels = [channel('c', { replicas: replicas(0, 2, 1) })];
    fleet.rest();
    expect(fleet.placement.channels.get('c')!.replicas.filter(({ active }) => active)).toHaveLength(1);
    expect(fleet.on('c')).toEqual(onDisk);
  });
});

describe('copies on disk', () => {
  const disk = (fleet: Fleet, key: string) => fleet.placement.channels.get(key)!.replicas.map(({ active }) => active).sort();

  it('stand beside the active replicas of an app that is used', () => {
    const fleet = new Fleet(many(5), [channel('c', { replicas: replicas(0, 9, 1) })], { diskCopies: 3 }).rest();
    expect(disk(fleet, 'c')).toEqual([false, false, true]);
    fleet.channels = [channel('c', { replicas: replicas(0, 9, 4) })];
    expect(disk(fleet.rest(), 'c')).toEqual([true, true, true, true]);
    fleet.channels = [channel('c', { replicas: replicas(0, 9, 1) })];
    expect(disk(fleet.rest(), 'c')).toEqual([false, false, true]);
  });

  it('become active at once when the active one is lost', () => {
    const fleet = new Fleet(many(4), [channel('c', { replicas: replicas(1, 1, 1) })], { diskCopies: 2 }).rest();
    const { node: lost } = fleet.placement.channels.get('c')!.replicas.find(({ active }) => active)!;
    const { node: spare, generation } = fleet.placement.channels.get('c')!.replicas.find(({ active }) => !active)!;
    fleet.away.add(lost);
    for (let i = 0; i < 6; i++) fleet.pass(1_000);
    expect(fleet.placement.channels.get('c')!.replicas.find(({ active }) => active)).toMatchObject({ node: spare, generation });
    expect(fleet.on('c')).toHaveLength(2);
  });
});

describe('a node that is lost', () => {
  it('has its apps placed elsewhere after 5 s, and not before', () => {
    const fleet = new Fleet(many(3), [channel('c', { replicas: replicas(2) })]).rest();
    const [lost] = fleet.on('c') as [string];
    fleet.away.add(lost);
    expect(fleet.pass(1_000).pass(2_000).pass(1_900).decisions.changed.size).toBe(0);
    fleet.pass(200);
    expect(fleet.on('c')).toHaveLength(2);
    expect(fleet.on('c')).not.toContain(lost);
    expect(fleet.why('c', lost)).toBe('lost: not heard of for 5.1 s');
  });

  it('is not taken for holding what it held when it returns, and gets nothing new for a while', () => {
    const fleet = new Fleet(many(3), [channel('c', { replicas: replicas(2) })]).rest();
    const [lost, other] = fleet.on('c') as [string, string];
    const before = fleet.placement.channels.get('c')!.generation;
    fleet.away.add(lost);
    for (let i = 0; i < 6; i++) fleet.pass(1_000);
    fleet.change(other, { wanted: 'draining' });
    fleet.away.delete(lost);
    // It still says that it holds the channel, of the generation of then.
    fleet.pass(1_000);
    expect(fleet.on('c')).not.toContain(lost);
    expect(fleet.why('c', lost)).toBe('came back a moment ago: gets nothing new yet');
    for (let i = 0; i < 12; i++) fleet.pass(1_000);
    const replica = fleet.placement.channels.get('c')!.replicas.find((each) => each.node === lost)!;
    expect(replica.generation).toBeGreaterThan(before);
    expect(fleet.on('c')).toContain(other);
    expect(fleet.obey().pass(1_000).on('c')).not.toContain(other);
  });

  it('goes on being waited for by apps whose state is in its files, which are not started elsewhere', () => {
    const fleet = new Fleet(many(5), [channel('c', { stateGroup: 'g' })]).rest();
    const [home] = fleet.on('c') as [string];
    const { generation } = fleet.placement.channels.get('c')!;
    fleet.away.add(home);
    for (let i = 0; i < 10; i++) fleet.pass(1_000);
    expect(fleet.on('c')).toEqual([home]);
    expect(fleet.placement.channels.get('c')!.replicas[0]!.generation).toBeGreaterThan(generation);
    expect(fleet.why('c', home)).toContain('to move: lost: not heard of for 10.0 s, but its state is in files here');
  });
});

describe('most nodes', () => {
  const apps = Array.from({ length: 12 }, (_, i) => channel(`c${i}`, { replicas: replicas(2) }));

  it('that vanish at once move nothing, however long it lasts, and nothing when they come back', () => {
    const fleet = new Fleet(many(6), apps).rest();
    const { channels } = fleet.placement;
    for (const name of ['n0', 'n1', 'n2', 'n3']) fleet.away.add(name);
    for (let i = 0; i < 600; i++) expect(fleet.pass(1_000).decisions.changed.size).toBe(0);
    expect(fleet.decisions.fleet.frozen!.reason).toBe('most nodes vanished at once (4 of 6 nodes absent): nothing is moved until they are back or removed');
    expect(explain(['c1'], fleet.world(), fleet.placement)[0]!.summary).toContain('the scheduler has stopped: most nodes vanished');
    for (const name of ['n0', 'n1', 'n2', 'n3']) {
      fleet.away.delete(name);
      expect(fleet.pass(1_000).decisions.changed.size).toBe(0);
    }
    expect([fleet.decisions.fleet.frozen, fleet.placement.channels]).toEqual([null, channels]);
  });

  it('that vanish at once do not keep away what was never placed: it comes to those that are there', () => {
    const fleet = new Fleet(many(3), [channel('old', { replicas: replicas(2) })]).rest();
    const before = fleet.placement.channels.get('old');
    fleet.away.add('n0').add('n1');
    for (let i = 0; i < 7; i++) fleet.pass(1_000);
    fleet.channels = [...fleet.channels, channel('new', { replicas: replicas(2) })];
    fleet.pass(1_000).pass(1_000);
    expect(fleet.decisions.fleet.frozen).not.toBeNull();
    expect([fleet.on('new'), fleet.placement.channels.get('old')]).toEqual([['n2'], before]);
  });

  it('that vanish one after the other within a minute count as at once', () => {
    const fleet = new Fleet(many(7), apps).rest();
    for (let i = 0; i < 5; i++) {
      fleet.away.add(`n${i}`);
      fleet.pass(6_000 / 4).pass(6_000 / 4).pass(6_000 / 4).pass(6_000 / 4);
    }
    expect(fleet.decisions.fleet.frozen!.reason).toContain('of 7 nodes absent');
  });

  it('that stay away are lost when the operator removes them', () => {
    const fleet = new Fleet(many(4), apps).rest();
    for (const name of ['n0', 'n1', 'n2']) fleet.away.add(name);
    fleet.pass(4_000).pass(4_000);
    expect(fleet.decisions.fleet.frozen).not.toBeNull();
    for (const name of ['n0', 'n1', 'n2']) fleet.change(name, { wanted: 'removed' });
    fleet.pass(1_000);
    expect([fleet.decisions.fleet.frozen, new Set(apps.flatMap(({ key }) => fleet.on(key)))]).toEqual([null, new Set(['n3'])]);
  });

  it('that were drained before they went do not count', () => {
    const fleet = new Fleet(many(4), apps).rest();
    for (const name of ['n0', 'n1', 'n2']) {
      fleet.change(name, { wanted: 'draining' }).rest();
      fleet.away.add(name);
      fleet.pass(3_000).pass(3_000);
    }
    expect([fleet.decisions.fleet.frozen, fleet.drain('n2').waiting]).toEqual([null, 0]);
  });

  it('that nobody listened to are not lost: a control plane that was away for a minute moves nothing', () => {
    const fleet = new Fleet(many(3), apps).rest();
    const seenMs = fleet.nowMs;
    fleet.nowMs += 60_000;
    fleet.nodes = fleet.nodes.map((each) => ({ ...each, lastSeenMs: seenMs }));
    const { decisions } = place(fleet.world(), fleet.placement, fleet.settings);
    expect([decisions.changed.size, decisions.fleet.frozen]).toEqual([0, null]);
  });

  it('that are not named any more are not removed', () => {
    const fleet = new Fleet(many(3), apps).rest();
    fleet.nodes = [];
    expect(fleet.pass(1_000).decisions.changed.size).toBe(0);
    expect(fleet.decisions.fleet.frozen!.reason).toContain('3 of 3 nodes absent');
  });
});

describe('a desired state that is empty', () => {
  it('takes nothing down; a channel goes when it is named as removed, once its nodes have let go', () => {
    const fleet = new Fleet(many(3), [channel('c', { replicas: replicas(2) })]).rest();
    fleet.channels = [];
    expect(fleet.pass(1_000).decisions.changed.size).toBe(0);
    fleet.removed = ['c'];
    fleet.pass(1_000);
    expect(fleet.placement.channels.get('c')!.replicas.map(({ leaving }) => leaving)).toEqual([true, true]);
    expect(fleet.rest().placement.channels.has('c')).toBe(false);
  });
});

describe('a drain', () => {
  it('moves first and frees then, a bounded number at a time, and counts what is left', () => {
    const fleet = new Fleet(many(3), Array.from({ length: 9 }, (_, i) => channel(`c${i}`)), { movesInFlight: 2 }).rest();
    const held = fleet.drain('n0').waiting;
    expect(held).toBeGreaterThan(2);
    fleet.change('n0', { wanted: 'draining' }).pass(1_000);
    expect([...fleet.placement.channels.values()].flatMap((each) => each.replicas).find(({ replaces }) => replaces === 'n0')!.reason).toMatch(
      /^takes over from n0 \(draining\): zone a had 0 of its replicas; first by hash of those with room, of 2 suitable nodes; takes 100 MB and 0.1 cores, \d+ MB and [\d.]+ cores stay free$/,
    );
    expect(fleet.drain('n0')).toEqual({ waiting: held - 2, moving: 2, leaving: 0, blocked: [], done: false });
    // Nothing leaves before its successor is ready.
    expect(fleet.pass(60).drain('n0').leaving).toBe(0);
    fleet.obey().pass(60);
    expect(fleet.drain('n0')).toMatchObject({ leaving: 2, moving: Math.min(2, held - 2) });
    expect(fleet.rest().drain('n0')).toEqual({ waiting: 0, moving: 0, leaving: 0, blocked: [], done: true });
  });

  it('names what it cannot move', () => {
    const fleet = new Fleet(many(2), [channel('c', { stateGroup: 'g' })]).rest();
    const [home] = fleet.on('c') as [string];
    fleet.change(home, { wanted: 'draining' }).rest();
    expect(fleet.drain(home)).toMatchObject({ blocked: ['c/production'], done: false });
  });

  it('does without a successor where all other nodes have the app already and are enough, and not before they are ready', () => {
    const fleet = new Fleet(many(3), [channel('idle', { replicas: replicas(0, 4, 0) }), channel('busy', { replicas: replicas(1, 4, 3) }), channel('needed', { replicas: replicas(3) })], { diskCopies: 3 }).rest();
    expect(['idle', 'busy', 'needed'].map((key) => fleet.on(key).length)).toEqual([3, 3, 3]);
    fleet.change('n0', { wanted: 'draining' });
    const held = new Map(fleet.held);
    for (const other of ['n1', 'n2']) fleet.held.set(other, new Map());
    expect(fleet.pass(60).drain('n0')).toMatchObject({ waiting: 3, leaving: 0 });
    for (const [name, holdings] of held) fleet.held.set(name, holdings);
    fleet.rest();
    expect(['idle', 'busy', 'needed'].map((key) => fleet.on(key).sort())).toEqual([['n1', 'n2'], ['n1', 'n2'], ['n0', 'n1', 'n2']]);
    expect(fleet.drain('n0')).toMatchObject({ waiting: 1, leaving: 0, done: false });
    fleet.change('n0', { wanted: 'active' }).rest();
    expect(['idle', 'busy', 'needed'].map((key) => fleet.on(key).length)).toEqual([3, 3, 3]);
  });

  it('has a copy on disk elsewhere become active where all other nodes have the app already', () => {
    const fleet = new Fleet(many(3), [channel('two', { replicas: replicas(2, 2) }), channel('one', { replicas: replicas(0, 3, 1) })], { diskCopies: 3 }).rest();
    const drained = fleet.placement.channels.get('two')!.replicas.find(({ active }) => active)!.node;
    fleet.change(drained, { wanted: 'draining' }).rest();
    expect(fleet.drain(drained)).toMatchObject({ waiting: 0, moving: 0, leaving: 0, done: true });
    const active = (key: string): number => fleet.placement.channels.get(key)!.replicas.filter((replica) => replica.active).length;
    expect([active('two'), active('one')]).toEqual([2, 1]);
  });

  it('that is called off leaves the rest where it is', () => {
    const fleet = new Fleet(many(3), Array.from({ length: 9 }, (_, i) => channel(`c${i}`)), { movesInFlight: 1 }).rest();
    const held = fleet.drain('n0').waiting;
    fleet.change('n0', { wanted: 'draining' }).pass(1_000);
    fleet.change('n0', { wanted: 'active' }).rest();
    expect(fleet.drain('n0').waiting).toBe(held - 1);
  });
});

describe('apps with state in files', () => {
  it('are placed once, together with all that share it, and the explanation says why', () => {
    const fleet = new Fleet(many(5), [channel('c', { stateGroup: 'g', replicas: replicas(3) }), channel('d', { stateGroup: 'g' })]).rest();
    expect(fleet.on('c')).toHaveLength(1);
    expect(fleet.on('d')).toEqual(fleet.on('c'));
    const [{ summary, nodes }] = explain(['c'], fleet.world(), fleet.placement) as [ReturnType<typeof explain>[0]];
    expect(summary).toContain('one replica instead of 3: its state is in files of one node; link its stores to a service that nodes share to have more');
    expect(nodes.filter(({ code }) => code === 'home')).toHaveLength(4);
  });

  it('stay where they are when they come to have it', () => {
    const fleet = new Fleet(many(5), [channel('c', { replicas: replicas(2) })]).rest();
    const before = fleet.on('c');
    fleet.channels = [channel('c', { replicas: replicas(2), stateGroup: 'g' })];
    fleet.rest();
    expect(fleet.on('c')).toHaveLength(1);
    expect(before).toContain(fleet.on('c')[0]);
  });
});

describe(newestReport.name, () => {
  it('is not changed by one that is late or comes twice, nor by one of a start before', () => {
    const of = (start: number, sequence: number) => ({ start, sequence, holdings: new Map() });
    const known = of(2, 5);
    for (const late of [of(2, 4), of(2, 5), of(1, 9)]) expect(newestReport(known, late)).toBe(known);
    for (const newer of [of(2, 6), of(3, 1)]) expect(newestReport(known, newer)).toBe(newer);
  });
});
