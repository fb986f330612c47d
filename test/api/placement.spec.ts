import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AppName, ChannelName } from '#contract/ids.js';
import type { PlacementView } from '#api/scheduler/placement.schema.js';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import { SimulatedNode } from './simulated-node.js';
import { until } from './until.js';

/** Machines are slow and shared. */
const PATIENCE_MS = 40_000;

describe('placement', () => {
  let fixture: ControlPlaneFixture;
  const nodes = new Map<string, SimulatedNode>();
  const start = (name: string): SimulatedNode => {
    const node = fixture.node(name);
    nodes.set(name, node);
    return node;
  };
  const placement = async (app: string) => (await fixture.call<PlacementView>('GET', `/v1/apps/${app}/placement`)).body;
  const placedOn = async (app: string) => (await placement(app)).replicas.filter(({ leaving }) => !leaving).map(({ node }) => node);
  const holders = (app: string) => [...nodes].filter(([, node]) => node.held.has(app)).map(([name]) => name).sort();
  const scale = (app: string, body: object, headers = {}) => fixture.call('PUT', `/v1/apps/${app}/channels/production/scale`, { body, headers });
  const push = (app: string, change = {}) => fixture.push(app, makeBundle({ ...makeApp(), seed: app, ...change }), 'wait=40');

  const rows = () => fixture.sql('SELECT channel_id, generation, replicas FROM placement ORDER BY 1');
  /** Where everything is, as soon as nothing of it has changed for some passes. */
  const atRest = async () => {
    let last = await rows();
    await until(async () => {
      const before = last;
      await sleep(3_000);
      last = await rows();
      return JSON.stringify(before) === JSON.stringify(last);
    }, PATIENCE_MS);
    return last;
  };

  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    for (const name of ['n1', 'n2', 'n3', 'n4']) start(name);
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 4, PATIENCE_MS);
  });
  afterAll(() => fixture.stop());

  it('gives an app without requests to three nodes, on disk only, and to no other', async () => {
    expect((await push('idle')).body).toMatchObject({ state: 'serving' });
    const { replicas, pinnedBy, frozen } = await placement('idle');
    expect({ pinnedBy, frozen }).toEqual({ pinnedBy: [], frozen: null });
    expect(replicas).toHaveLength(3);
    expect(replicas.every(({ active, ready }) => !active && ready)).toBe(true);
    expect(holders('idle')).toEqual(replicas.map(({ node }) => node).sort());
  });

  it('says of every node why it was chosen or why not', async () => {
    const { nodes: reasons, summary } = await placement('idle');
    expect(reasons.map(({ node }) => node)).toEqual(['n1', 'n2', 'n3', 'n4']);
    expect(reasons.filter(({ chosen }) => chosen)).toHaveLength(3);
    expect(reasons.find(({ chosen }) => !chosen)).toMatchObject({ code: 'zone', reason: expect.stringContaining('3 of 3 replicas are placed') });
    expect(summary).toContain('idle: on disk of 3 of 3 nodes');
  });

  it('says who decides', async () => {
    expect((await fixture.call('GET', '/v1/fleet')).body).toMatchObject({ state: 'deciding', leader: expect.any(String), epoch: 1, frozen: null, short: { count: 0, channels: [] } });
  });

  it('keeps an app with state in files at one node, and says what keeps it there', async () => {
    const stateful = { components: makeApp().components!.map((component) => ({ ...component, keyValueStores: ['default'] })) };
    expect((await push('stateful', stateful)).body).toMatchObject({ state: 'serving' });
    const { replicas, pinnedBy } = await placement('stateful');
    expect(replicas).toHaveLength(1);
    expect(pinnedBy).toEqual(['default/stateful/key-value/default.sqlite']);
    expect(await scale('stateful', { min: 2 })).toMatchObject({ status: 409, body: { code: 'SCHEDULER_STATE_PINNED', detail: expect.stringContaining('stateful/key-value/default.sqlite') } });
    expect((await scale('stateful', { min: 1 })).status).toBe(200);
  });

  it('has as many active replicas as are asked for, where they may be', async () => {
    await push('busy');
    expect((await scale('busy', { min: 4 })).status).toBe(200);
    await until(async () => (await placement('busy')).replicas.filter(({ active, ready }) => active && ready).length === 4, PATIENCE_MS);
    await scale('busy', { min: 1, affinity: { required: [{ label: 'disk', operator: 'in', values: ['ssd'] }] } });
    await until(async () => (await placement('busy')).nodes.every(({ reason }) => reason.includes('label disk is not set')), PATIENCE_MS);
    expect((await fixture.call('GET', '/v1/apps/busy')).body).toMatchObject({ live: [{ version: 1, percent: 100 }] });
  });

  it('has more active replicas while requests ask for them, up to what is allowed', async () => {
    await push('asked');
    const channels = [{ app: 'asked' as AppName, channel: 'production' as ChannelName, inFlight: 150, requests: 300, cpuMs: 100 }];
    for (const [name, node] of nodes) node.load = { spanMs: 1_000, channels: name === 'n1' ? channels : [] };
    await until(async () => (await placement('asked')).replicas.filter(({ active }) => active).length === 3, PATIENCE_MS);
    const { replicas, scaling } = await placement('asked');
    expect(replicas.filter(({ leaving }) => !leaving)).toHaveLength(3);
    expect(scaling).toMatch(/150\.0 requests at a time and 0\.10 cores; 70 and 0\.7 for each replica: 3/);
    await scale('asked', { max: 1 });
    await until(async () => (await placement('asked')).replicas.filter(({ active }) => active).length === 1, PATIENCE_MS);
    for (const node of nodes.values()) node.load = { spanMs: 1_000, channels: [] };
  });

  it('changes the scale of a channel only from the state that the caller has seen', async () => {
    const { headers } = await fixture.call('GET', '/v1/apps/idle/channels/production/scale');
    const seen = { 'if-match': headers.get('etag')! };
    expect((await scale('idle', { max: 2 }, seen)).status).toBe(200);
    expect(await scale('idle', {}, seen)).toMatchObject({ status: 412, body: { code: 'API_STATE_CHANGED' } });
    expect(await scale('idle', { min: 3, max: 2 })).toMatchObject({ status: 400, body: { errors: { min: [expect.any(String)] } } });
    expect((await scale('idle', {})).body).toMatchObject({ min: 0, max: null });
  });

  it('moves nothing when a control plane starts', async () => {
    const before = await atRest();
    await fixture.startReplica();
    await fixture.stopReplica(0);
    for (const node of nodes.values()) node.baseUrl = fixture.url();
    await until(async () => Number((await fixture.sql('SELECT epoch FROM placement_lead'))[0]!['epoch']) === 2, PATIENCE_MS);
    await until(async () => (await fixture.call('GET', '/v1/fleet')).body['state'] === 'deciding', PATIENCE_MS);
    expect(await atRest()).toEqual(before);
  });

  it('gives the apps of a node that is lost to others, and the node lets go of them when it returns', async () => {
    const [lost] = (await placedOn('idle')) as [string];
    const other = ['n1', 'n2', 'n3', 'n4'].find((name) => !holders('idle').includes(name))!;
    const held = nodes.get(lost)!.held.get('idle')!;
    await nodes.get(lost)!.stop();
    await until(async () => (await placedOn('idle')).includes(other), PATIENCE_MS);
    await until(async () => nodes.get(other)!.serving('idle') === 1, PATIENCE_MS);
    expect((await placement('idle')).nodes.find(({ node }) => node === lost)).toMatchObject({ chosen: false, code: 'lost', reason: expect.stringMatching(/not heard of for \d+\.\d s/) });
    // It comes back with what it had, and says so.
    const back = start(lost);
    back.held.set('idle', held);
    back.switched.set('idle', { generation: held.generation, variablesRevision: held.variablesRevision });
    await until(async () => !back.held.has('idle'), PATIENCE_MS);
    expect(await placedOn('idle')).not.toContain(lost);
  });

  it('gives an app that is deleted to nobody, and forgets where it was when nodes have let go', async () => {
    expect((await fixture.call('DELETE', '/v1/apps/busy')).status).toBe(204);
    expect(holders('busy')).toEqual([]);
    await until(async () => (await fixture.sql(`SELECT 1 FROM placement p JOIN channel c ON c.id = p.channel_id JOIN app a ON a.id = c.app_id WHERE a.name = 'busy'`)).length === 0, PATIENCE_MS);
  });

  it('stops when most nodes vanish at once, says so, and goes on where it was when they are back', async () => {
    const gone = ['n1', 'n2', 'n3'];
    await Promise.all(gone.map((name) => nodes.get(name)!.stop()));
    await until(async () => (await fixture.call('GET', '/v1/fleet')).body['state'] === 'frozen', PATIENCE_MS);
    expect((await fixture.call('GET', '/v1/fleet')).body).toMatchObject({ frozen: { reason: expect.stringMatching(/most nodes vanished at once \(\d of 4 nodes absent\)/) } });
    expect((await placement('idle')).summary).toContain('the scheduler has stopped');
    const before = await rows();
    await sleep(8_000);
    expect(await rows()).toEqual(before);
    // Nobody who was silent a moment longer than the others has lost everything to the one that is left.
    expect(new Set((await rows()).flatMap(({ replicas }) => (replicas as { node: string }[]).map(({ node }) => node))).size).toBeGreaterThan(1);
    for (const name of gone) start(name);
    await until(async () => (await fixture.call('GET', '/v1/fleet')).body['state'] === 'deciding', PATIENCE_MS);
    expect((await fixture.call('GET', '/v1/apps/idle')).body).toMatchObject({ live: [{ version: 1, percent: 100 }] });
  });
});
