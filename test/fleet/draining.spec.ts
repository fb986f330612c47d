import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startFleet, type Fleet, type FleetNode } from './harness/fleet.mjs';
import { PoliteClients, statusOf } from './polite-clients.js';

interface Holding {
  app: string;
  ready: boolean;
}

/** Real nodes that are cordoned, drained, stopped and removed while apps are asked for. */
describe('nodes that come and go in order', () => {
  let fleet: Fleet;
  let clients: PoliteClients | undefined;
  beforeAll(async () => {
    fleet = await startFleet({ nodes: 3 });
    await fleet.deploy('shop', 'first');
    await fleet.call('PUT', '/v1/apps/shop/channels/production/scale', { json: { min: 2, max: 2 } });
  }, 180_000);
  afterAll(() => fleet?.stop(), 60_000);
  beforeEach(async () => {
    for (const node of fleet.nodes) if (!node.isRunning) await node.start();
    for (const { name } of fleet.nodes) await fleet.call('POST', `/v1/nodes/${name}/uncordon`);
    // A node that has come back gets nothing new at first.
    await fleet.until('nodes that serve the shop, three that are live', async () => {
      const states = await Promise.all(fleet.nodes.map(async ({ name }) => (await show(name)).state as string));
      return states.every((state) => state === 'live') && (await holders('shop')).length >= 2;
    });
  }, 180_000);
  afterEach(async () => {
    await clients?.stop();
    clients = undefined;
  });

  const show = (name: string) => fleet.call('GET', `/v1/nodes/${name}`);
  const holders = async (app: string): Promise<FleetNode[]> => {
    const serves = await Promise.all(fleet.nodes.map(async ({ name }) => ((await show(name)).holds as Holding[]).some((each) => each.app === app && each.ready)));
    return fleet.nodes.filter((_, index) => serves[index]);
  };

  it('moves what a node has when it is drained, without a request that fails, and says so', async () => {
    const [first, ...others] = (await holders('shop')) as [FleetNode, FleetNode];
    clients = new PoliteClients([first, ...others], 'shop.localhost');
    await fleet.until('requests', () => clients!.answered > 50);
    // Without gateways it is up to whoever sends requests to know where the app is.
    clients.setNodes(others);
    await fleet.call('POST', `/v1/nodes/${first.name}/drain?wait=1`);
    await fleet.until('the end of the drain', async () => (await show(first.name)).state === 'drained', 120_000);
    clients.setNodes(await holders('shop'));
    const before = clients.answered;
    await fleet.until('requests to the nodes that have it now', () => clients!.answered > before + 50);
    const { drain, holds } = await show(first.name);
    expect(drain).toMatchObject({ by: 'operator', moved: 1, dropped: 0, kept: [], waiting: [], complete: true, endedAt: expect.any(String) });
    expect(holds).toEqual([]);
    expect((await fleet.call('GET', `/v1/operations/${drain.operation}`)).state).toBe('succeeded');
    expect(clients.failures).toEqual([]);
  }, 240_000);

  it('takes SIGTERM for a drain: clients are sent on while it still answers, and it says goodbye', async () => {
    const [first, ...others] = (await holders('shop')) as [FleetNode, FleetNode];
    clients = new PoliteClients([first, ...others], 'shop.localhost');
    await fleet.until('requests', () => clients!.answered > 50);
    expect(await first.stop()).toBe(0);
    const node = await show(first.name);
    expect(node).toMatchObject({ state: 'gone', wanted: 'active', drain: { by: 'node', dropped: 0, complete: true, waiting: [], endedAt: expect.any(String) } });
    expect(clients.left).toContain(first.name);
    await clients.stop();
    expect(clients.failures).toEqual([]);
    const { startCount } = node;
    await first.start();
    await fleet.until('its return', async () => (await show(first.name)).state === 'live');
    expect((await show(first.name)).startCount).toBe(startCount + 1);
  }, 240_000);

  it('gives a node nothing new while it is cordoned', async () => {
    const [cordoned] = fleet.nodes as [FleetNode];
    await fleet.call('POST', `/v1/nodes/${cordoned.name}/cordon`);
    const apps = Array.from({ length: 5 }, (_, index) => `while-cordoned-${index}`);
    for (const app of apps) await fleet.deploy(app, app.slice(-16));
    const held = ((await show(cordoned.name)).holds as Holding[]).map(({ app }) => app);
    expect(apps.filter((app) => held.includes(app))).toEqual([]);
    await fleet.call('POST', `/v1/nodes/${cordoned.name}/uncordon`);
    // Which of several gets it is a matter of their names: one of a dozen is its.
    for (let index = 0; index < 12; index++) {
      await fleet.deploy(`after-cordon-${index}`, `after-${index}`);
      if (((await show(cordoned.name)).holds as Holding[]).some(({ app }) => app.startsWith('after-cordon'))) return;
    }
    throw new Error('the node got nothing after it was uncordoned');
  }, 240_000);

  it('has a node that is removed let go of everything, and takes it back', async () => {
    const [node] = (await holders('shop')) as [FleetNode];
    expect(await fleet.ask('DELETE', `/v1/nodes/${node.name}`)).toMatchObject({ status: 409, body: { code: 'API_NODE_IN_USE' } });
    await fleet.call('DELETE', `/v1/nodes/${node.name}?force=true`);
    await fleet.until('a node that serves nothing', async () => (await statusOf(node, 'shop.localhost')) !== 200);
    await fleet.until('a node that knows it', () => node.output.includes('this node was removed from the fleet'));
    expect((await show(node.name)).state).toBe('removed');
    await fleet.call('POST', `/v1/nodes/${node.name}/uncordon`);
    await fleet.until('its return', async () => (await show(node.name)).state === 'live');
  }, 240_000);
});
