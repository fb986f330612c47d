import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import type { SimulatedNode } from './simulated-node.js';
import { until } from './until.js';

describe('apps', () => {
  let fixture: ControlPlaneFixture;
  let node: SimulatedNode;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    node = fixture.node();
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 1);
  });
  afterAll(() => fixture.stop());

  const push = (app: string, seed: string) => fixture.push(app, makeBundle({ ...makeApp(), seed }));

  it('are listed by name, page by page', async () => {
    for (const name of ['cherry', 'apple', 'banana']) await push(name, '1');
    const first = await fixture.call<{ items: { name: string }[]; next: string }>('GET', '/v1/apps?limit=2');
    expect(first.body.items.map((app) => app.name)).toEqual(['apple', 'banana']);
    const second = await fixture.call<{ items: { name: string }[]; next: null }>('GET', `/v1/apps?limit=2&cursor=${first.body.next}`);
    expect([second.body.items.map((app) => app.name), second.body.next]).toEqual([['cherry'], null]);
  });

  it('show URL, what is live and since when there is the app', async () => {
    await push('shown', '1');
    const { headers, body } = await fixture.call('GET', '/v1/apps/shown');
    expect(body).toEqual({
      name: 'shown', url: 'http://shown.localhost:3000/', live: [{ version: 1, percent: 100 }], createdAt: expect.any(String), generation: 1, latestVersion: 1,
      variablesRevision: 0, rollout: null,
    });
    expect(headers.get('etag')).toMatch(/^"[^"]+"$/);
  });

  it.each(['?limit=0', '?limit=201', '?limit=x'])('are not listed with %s', async (query) => {
    expect(await fixture.call('GET', `/v1/apps${query}`)).toMatchObject({ status: 400, body: { errors: { limit: [expect.any(String)] } } });
  });

  it.each(['GET', 'DELETE'])('that are not there are not found: %s', async (method) => {
    expect(await fixture.call(method, '/v1/apps/nobody')).toMatchObject({ status: 404, body: { code: 'API_APP_NOT_FOUND', detail: expect.stringContaining('nobody') } });
  });

  describe('when deleted', () => {
    it('are served by no node when the answer comes', async () => {
      await push('gone', '1');
      expect(node.serving('gone')).toBe(1);
      expect(await fixture.call('DELETE', '/v1/apps/gone')).toMatchObject({ status: 204 });
      expect(node.serving('gone')).toBeUndefined();
      expect(await fixture.call('GET', '/v1/apps/gone')).toMatchObject({ status: 404 });
      expect(await fixture.call('DELETE', '/v1/apps/gone')).toMatchObject({ status: 404 });
    });

    it('free their name: versions count from 1, values are forgotten, nodes do not mistake one for the other', async () => {
      await push('again', '1');
      await push('again', '2');
      await fixture.call('PUT', '/v1/apps/again/variables', { body: { colour: 'red' } });
      await fixture.call('DELETE', '/v1/apps/again');
      const { body: pushed } = await push('again', '2');
      expect(pushed).toMatchObject({ version: 1, state: 'serving' });
      expect(await fixture.call('GET', '/v1/apps/again/versions')).toMatchObject({ body: { items: [{ version: 1 }] } });
      expect(await fixture.call('GET', '/v1/apps/again/variables')).toMatchObject({ body: { items: [] } });
      expect(node.held.get('again')!.generation).toBeGreaterThan(2);
    });

    it('end the rollout that is under way', async () => {
      node.stuck = true;
      const pushed = push('halfway', '1');
      await until(async () => (await fixture.call('GET', '/v1/apps/halfway')).status === 200);
      expect(await fixture.call('DELETE', '/v1/apps/halfway')).toMatchObject({ status: 204 });
      expect(await pushed).toMatchObject({ status: 404, body: { code: 'API_APP_NOT_FOUND' } });
      node.stuck = false;
      await node.settle();
    });

    it('must be as they were seen, with If-Match', async () => {
      await push('guarded', '1');
      const etag = (await fixture.call('GET', '/v1/apps/guarded')).headers.get('etag')!;
      await push('guarded', '2');
      expect(await fixture.call('DELETE', '/v1/apps/guarded', { headers: { 'if-match': etag } })).toMatchObject({ status: 412, body: { code: 'API_STATE_CHANGED' } });
      expect(node.serving('guarded')).toBe(2);
    });
  });
});
