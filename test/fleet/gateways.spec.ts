import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Fleet, type FleetNode, startFleet } from './harness/fleet.mjs';

const RATE = 120;

/** Three nodes, each a machine of its own, with an app on one of them: all of them answer for it. */
describe('nodes that answer for each other', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet({ nodes: 3, nodeEnv: { WHORL_GATEWAY_LISTEN: '127.0.0.1:0' } });
    await wish('cordon', fleet.nodes[1]!, fleet.nodes[2]!);
    await fleet.deploy('shop', 'v1');
  }, 120_000);
  afterAll(() => fleet?.stop(), 60_000);

  const wish = async (what: string, ...nodes: FleetNode[]): Promise<void> => {
    for (const { name } of nodes) await fleet.call('POST', `/v1/nodes/${name}/${what}`);
  };
  /** Names of the nodes that say that they have it. */
  const holders = async (app: string): Promise<string[]> =>
    (await fleet.sql(`SELECT n.name FROM node n, jsonb_array_elements(n.report->'statuses') s WHERE s->>'app' = $1 AND (s->>'generation')::int > 0 ORDER BY 1`, [app])).map(({ name }) => String(name));
  const gatewayOf = ({ pid }: FleetNode): number => {
    const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n').filter((row) => row.includes('gateway.process.js'));
    return Number(rows.map((row) => row.trim().split(/\s+/)).find(([, parent]) => Number(parent) === pid)![0]);
  };
  const untilAnswered = async (node: FleetNode, app: string): Promise<void> => {
    for (let tries = 0; tries < 300; tries++) {
      const rows = await (async () => {
        const load = fleet.load({ rate: 20, apps: [app], targets: [{ node: node.name, address: node.address, port: node.port }] });
        await sleep(150);
        return load.stop();
      })();
      if (rows.length > 0 && rows.every(({ status }) => status === 200)) return;
      await sleep(100);
    }
    throw new Error(`${node.name} does not answer for ${app}: ${node.output}`);
  };

  it('answer for an app that one of them has, through deploys and rollbacks, without a failed request', async () => {
    expect(await holders('shop')).toEqual(['node-1']);
    for (const node of fleet.nodes) await untilAnswered(node, 'shop');
    const load = fleet.load({ rate: RATE, apps: ['shop'] });
    await sleep(1_000);
    await fleet.deploy('shop', 'v2');
    await sleep(500);
    await fleet.call('POST', '/v1/apps/shop/rollback');
    await sleep(500);
    const outcome = await fleet.judge(load);
    expect({ failures: outcome.failures, disallowed: outcome.disallowed }).toEqual({ failures: [], disallowed: [] });
    expect(Object.keys(outcome.byVersion)).toHaveLength(2);
    expect(new Set(load.rows.filter(({ status }) => status === 200).map(({ node }) => node)).size).toBe(3);
  }, 180_000);

  it('answer on while the control plane is away, also after their gateways and one of them have ended', async () => {
    const load = fleet.load({ rate: RATE, apps: ['shop'] });
    await fleet.planes[0]!.stop();
    await sleep(500);
    await load.stop();
    expect(load.rows.filter(({ status }) => status !== 200)).toEqual([]);
    const [, second, third] = fleet.nodes as [FleetNode, FleetNode, FleetNode];
    process.kill(gatewayOf(second), 'SIGKILL');
    await third.restart();
    await untilAnswered(second, 'shop');
    await untilAnswered(third, 'shop');
    await fleet.planes[0]!.start();
  }, 180_000);

  it('lose nothing but what was in flight when the node that has the app is killed', async () => {
    await wish('uncordon', fleet.nodes[1]!, fleet.nodes[2]!);
    const load = fleet.load({ rate: RATE, apps: ['shop'], targets: fleet.nodes.slice(1).map(({ node, address, port }) => ({ node, address, port })) });
    await sleep(1_000);
    await fleet.nodes[0]!.kill();
    for (let tries = 0; tries < 600 && !(await holders('shop')).some((name) => name !== 'node-1'); tries++) await sleep(100);
    await sleep(1_500);
    const rows = await load.stop();
    const killedMs = fleet.kills.at(-1)!.atMs;
    const failed = rows.filter(({ status }) => status !== 200);
    // A safe request that was in flight is sent again; they all are.
    expect(failed.filter(({ startMs }) => startMs < killedMs)).toEqual([]);
    expect(failed).toEqual([]);
    expect(rows.some(({ startMs, status }) => startMs > killedMs + 1_000 && status === 200)).toBe(true);
  }, 180_000);
});
