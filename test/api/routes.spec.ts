import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RouteChanges } from '#contract/routes.js';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';

/** What gateways learn of the control plane, by real reports and deploys. */
describe('route tables', () => {
  let fixture: ControlPlaneFixture;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    for (const name of ['node-1', 'node-2']) {
      const node = fixture.node(name);
      node.gateway = { host: `${name}.test`, port: 3001 };
      await node.settle();
    }
    await fixture.push('shop', makeBundle(makeApp()));
  }, 120_000);
  afterAll(() => fixture.stop());

  const ask = async (query = ''): Promise<RouteChanges> => (await fixture.call<RouteChanges>('GET', `/v1/nodes/node-9/routes${query}`, { token: fixture.nodeToken })).body;
  /** Follows the table from `from` on until it satisfies `good`. */
  const until = async (from: string, good: (changes: RouteChanges) => boolean): Promise<RouteChanges> => {
    let after = from;
    for (const endMs = performance.now() + 30_000; performance.now() < endMs;) {
      const changes = await ask(`?wait=5&after=${after}`);
      if (good(changes)) return changes;
      after = changes.revision;
    }
    throw new Error('it did not come');
  };

  it('say where an app is once its nodes have switched', async () => {
    const { revision, isWhole, nodes, routes, gone } = await ask();
    expect([isWhole, gone]).toEqual([true, []]);
    expect(nodes).toEqual(['node-1', 'node-2'].map((node) => ({ node, gateway: { host: `${node}.test`, port: 3001 }, state: 'live' })));
    expect(routes).toEqual([{ app: 'shop', channel: 'production', generation: 1, hosts: ['shop.localhost'], isServed: true, replicas: [{ node: 'node-1', generation: 1 }, { node: 'node-2', generation: 1 }] }]);
    expect(await ask(`?after=${revision}`)).toMatchObject({ revision, isWhole: false, nodes: [], routes: [] });
  });

  it('come with what has changed, as soon as it has', async () => {
    const { revision } = await ask();
    const polled = until(revision, ({ routes }) => routes.some(({ app, replicas }) => app === 'blog' && replicas.length === 2));
    await fixture.push('blog', makeBundle(makeApp()));
    const { isWhole, routes } = await polled;
    expect([isWhole, routes.map(({ app }) => app)]).toEqual([false, ['blog']]);
  });

  it('say that an app is gone', async () => {
    await fixture.push('short', makeBundle(makeApp()));
    const { revision } = await ask();
    await fixture.call('DELETE', '/v1/apps/short');
    const { gone } = await until(revision, (changes) => changes.gone.length > 0);
    expect(gone).toMatchObject([{ app: 'short', channel: 'production' }]);
  });

  it('say that a node is drained, and that it is not any more', async () => {
    const { revision } = await ask();
    await fixture.call('POST', '/v1/nodes/node-2/drain', { body: {} });
    const { revision: drained } = await until(revision, ({ routes }) => routes.some(({ app, replicas }) => app === 'shop' && replicas.some(({ node, leaving }) => node === 'node-2' && leaving)));
    await fixture.call('POST', '/v1/nodes/node-2/uncordon', { body: {} });
    await until(drained, ({ routes }) => routes.some(({ app, replicas }) => app === 'shop' && replicas.every(({ leaving }) => !leaving)));
  });

  it('say that a node is lost within the time that it takes to be noticed, without anybody saying so', async () => {
    const node = fixture.node('node-3');
    node.gateway = { host: 'node-3.test', port: 1 };
    await node.settle();
    const { revision } = await ask();
    await node.stop();
    const { nodes } = await until(revision, (changes) => changes.nodes.some(({ node: name, state }) => name === 'node-3' && state === 'lost'));
    expect(nodes.map(({ node: name }) => name)).toEqual(['node-3']);
  });

  it('are the same for whoever asks another control plane, which answers with everything', async () => {
    const whole = await ask();
    const replica = await fixture.startReplica();
    const response = await fetch(`${fixture.url(replica)}/v1/nodes/node-9/routes?after=${whole.revision}`, { headers: { authorization: `Bearer ${fixture.nodeToken}` } });
    const other = (await response.json()) as RouteChanges;
    expect({ ...other, revision: '' }).toEqual({ ...whole, revision: '' });
    await fixture.stopReplica(replica);
  });

  it('take note of a channel that is wanted, and of none that there is not', async () => {
    const want = (app: string) => fixture.call('POST', '/v1/nodes/node-1/wanted', { body: { app, channel: 'production' }, token: fixture.nodeToken });
    expect((await want('shop')).status).toBe(204);
    expect((await want('nothing')).status).toBe(204);
    expect(await fixture.sql('SELECT a.name, w.node FROM channel_wanted w JOIN channel c ON c.id = w.channel_id JOIN app a ON a.id = c.app_id')).toEqual([{ name: 'shop', node: 'node-1' }]);
  });
});
