import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { requestScope, toRequestId } from '#contract/request-id.js';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import type { SimulatedNode } from './simulated-node.js';
import { until } from './until.js';

interface Page {
  items: { generation: number; from: string; until: string | null; [key: string]: unknown }[];
  next: string | null;
  request?: Record<string, unknown>;
}

describe('the history of an app', () => {
  let fixture: ControlPlaneFixture;
  let node: SimulatedNode;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    node = fixture.node();
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 1);
    for (const seed of ['1', '2']) await fixture.push('shop', makeBundle({ ...makeApp(), seed }));
    await fixture.call('POST', '/v1/apps/shop/rollback', { body: {} });
  });
  afterAll(() => fixture.stop());

  const history = async (query = ''): Promise<Page> => (await fixture.call<Page>('GET', `/v1/apps/shop/history?${query}`)).body;

  it('has all deployments with their causes, newest first, page by page', async () => {
    const { items } = await history();
    expect(items).toMatchObject([
      { generation: 3, serving: [{ version: 1, percent: 100 }], cause: 'rollback', causedBy: 'admin', until: null, reason: null, rollout: expect.any(Number), variablesRevision: 0 },
      { generation: 2, serving: [{ version: 2, percent: 100 }], cause: 'push' }, { generation: 1, serving: [{ version: 1, percent: 100 }], cause: 'push' },
    ]);
    expect(items[1]!.until).toBe(items[0]!.from);
    const first = await history('limit=2');
    expect((await history(`limit=2&cursor=${first.next!}`)).items.map(({ generation }) => generation)).toEqual([1]);
  });

  it('says what was served at a time', async () => {
    const [, second, first] = (await history()).items;
    expect((await history(`at=${second!.from}`)).items).toEqual([second]);
    expect((await history(`at=${new Date(Date.parse(first!.from) - 1).toISOString()}`)).items).toEqual([]);
  });

  it('says what answered a request, by its id alone', async () => {
    const at = Date.parse((await history()).items[1]!.from);
    const id = toRequestId(at, requestScope({ node: 'node-1', channel: 'production', version: 2, component: 0 }), 7);
    const line = { kind: 'log' as const, at, org: 'default', app: 'shop', channel: 'production', version: 2, component: 'web', requestId: id, stream: 'platform' as const, line: 'COMPONENT_TRAP: unreachable' };
    await node.ship([line as Parameters<SimulatedNode['ship']>[0][number]]);
    expect(await history(`requestId=${id}`)).toMatchObject({
      items: [{ generation: 2 }], request: { id, node: 'node-1', channel: 'production', version: 2, component: 'web', wasServed: true, failures: ['COMPONENT_TRAP: unreachable'] },
    });
  });

  it('tells an id that was made up', async () => {
    const id = (over: object): string => toRequestId(Date.now(), requestScope({ node: 'node-1', channel: 'production', version: 2, component: 0, ...over }), 7);
    expect((await history(`requestId=${id({ node: 'other', channel: 'none' })}`)).request).toMatchObject({ node: null, channel: null, wasServed: false });
    for (const bad of [id({ version: 99 }), 'nothing']) {
      expect(await fixture.call('GET', `/v1/apps/shop/history?requestId=${bad}`)).toMatchObject({ status: 400, body: { errors: { requestId: [expect.any(String)] } } });
    }
  });
});
