import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startFleet, type Fleet } from './harness/fleet.mjs';

interface Placed {
  node: string;
  leaving: boolean;
  ready: boolean;
}

/** Real nodes that are killed and come back: where apps are then. */
describe('placement of a fleet', () => {
  let fleet: Fleet;
  const replicas = async (app: string): Promise<Placed[]> => (await fleet.call('GET', `/v1/apps/${app}/placement`)).replicas;
  const readyOn = async (app: string) => (await replicas(app)).filter(({ ready }) => ready).map(({ node }) => node).sort();
  const rows = () => fleet.sql('SELECT channel_id, generation FROM placement ORDER BY 1');
  const state = async (): Promise<string> => (await fleet.call('GET', '/v1/fleet')).state;

  beforeAll(async () => {
    fleet = await startFleet({ nodes: 4, controlPlanes: 2 });
    await fleet.deploy('shop', 'first');
  }, 240_000);
  afterAll(() => fleet?.stop(), 60_000);

  it('gives an app to three nodes, and another takes over when one is killed', async () => {
    await fleet.until('three nodes have it', async () => (await readyOn('shop')).length === 3, 60_000);
    const before = await readyOn('shop');
    const killed = fleet.nodes.find(({ node }) => before.includes(node))!;
    await killed.kill();
    await fleet.until('another has it', async () => {
      const now = await readyOn('shop');
      return now.length === 3 && !now.includes(killed.node);
    }, 60_000);
    const { nodes } = await fleet.call('GET', '/v1/apps/shop/placement');
    expect(nodes.find(({ node }: { node: string }) => node === killed.node)).toMatchObject({ chosen: false, code: 'lost' });

    // It comes back with what it had on its disk, and is told that it is another's.
    await killed.start();
    await fleet.until('it has let go', async () => (await fleet.sql(`SELECT jsonb_array_length(report->'statuses') AS held FROM node WHERE name = '${killed.node}' AND last_seen > now() - interval '2 seconds'`))[0]?.held === 0, 60_000);
    expect(await readyOn('shop')).not.toContain(killed.node);
  }, 240_000);

  it('stays as it is when all control planes are started again', async () => {
    const before = await rows();
    for (const plane of fleet.planes) await plane.restart();
    await fleet.until('one decides', async () => (await state().catch(() => '')) === 'deciding', 60_000);
    expect(await rows()).toEqual(before);
  }, 240_000);

  it('stops deciding when most nodes are killed at once, and says so', async () => {
    const others = fleet.nodes.slice(1);
    await Promise.all(others.map((node) => node.kill()));
    await fleet.until('it has stopped', async () => (await state()) === 'frozen', 60_000);
    expect((await fleet.call('GET', '/v1/fleet')).frozen.reason).toContain('most nodes vanished at once');
    for (const node of others) await node.start();
    await fleet.until('it goes on', async () => (await state()) === 'deciding', 60_000);
    expect((await fleet.call('GET', '/v1/apps/shop')).live).toMatchObject([{ percent: 100 }]);
  }, 240_000);
});
