import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import { until } from './until.js';

interface Node {
  name: string;
  state: string;
  wanted: string;
  drain: { operation: number | null; moved: number; moving: number; waiting: { app: string }[]; kept: { app: string; reason: string }[]; finished: number; dropped: number; endedAt: string | null; cancelled: boolean } | null;
}

describe('nodes as resources', () => {
  let fixture: ControlPlaneFixture;
  let sequence = 0;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
  });
  afterAll(() => fixture.stop());
  beforeEach(() => fixture.sql('DELETE FROM node'));

  const status = (app: string, generation = 1) => ({ app, channel: 'production', generation, variablesRevision: 0, prepared: [1], failed: [] });
  const letGo = (counts: object = {}) => ({ channels: 0, finished: 0, dropped: 0, underWay: 0, ...counts });
  const report = (node: string, more: object = {}) =>
    fixture.call('PUT', `/v1/nodes/${node}/report`, { body: { node, incarnation: 'i', runners: 2, statuses: [], startCount: 1, sequence: ++sequence, ...more }, token: fixture.nodeToken });
  const get = async (node: string) => (await fixture.call<Node>('GET', `/v1/nodes/${node}`)).body;
  const act = (node: string, action: string, query = '', headers: Record<string, string> = {}) => fixture.call<Node>('POST', `/v1/nodes/${node}/${action}${query}`, { headers });
  const names = async (query: string) => (await fixture.call<{ items: Node[] }>('GET', `/v1/nodes${query}`)).body.items.map(({ name }) => name);
  const silence = (node: string) => fixture.sql(`UPDATE node SET last_seen = now() - interval '6 seconds' WHERE name = '${node}'`);

  it('show what a node says of itself and what it holds', async () => {
    await report('n1', {
      zone: 'eu-1', labels: { disk: 'ssd' }, taints: [{ key: 'gpu', value: 'yes', effect: 'no-new' }], capacity: { memoryBytes: 1_000, milliCores: 2_000 }, capabilities: ['http'],
      engines: ['3'], platform: '0.1.0', gateway: { host: '10.0.0.1', port: 4443 }, sickness: null, statuses: [status('shop'), status('blog', 0)],
      load: { spanMs: 2_000, channels: [{ app: 'shop', channel: 'production', inFlight: 3, requests: 20, cpuMs: 100 }] },
    });
    const { body, headers } = await fixture.call('GET', '/v1/nodes/n1');
    expect(body).toMatchObject({
      name: 'n1', state: 'live', wanted: 'active', platform: '0.1.0', zone: 'eu-1', labels: { disk: 'ssd' }, capacity: { milliCores: 2_000 }, sickness: null, runners: 2, channels: 2,
      gateway: { port: 4443 }, startCount: 1, load: { inFlight: 3, requestsPerSecond: 10, milliCores: 50 }, drain: null, lostSince: null,
      holds: [{ app: 'shop', ready: true, load: { requests: 20 } }, { app: 'blog', ready: false, load: null }],
    });
    expect(headers.get('etag')).toMatch(/^"active\.\d+"$/);
    expect(await fixture.call('GET', '/v1/nodes/unknown')).toMatchObject({ status: 404, body: { code: 'API_NODE_NOT_FOUND' } });
  });

  it('of older releases say less', async () => {
    await fixture.call('PUT', '/v1/nodes/old/report', { body: { node: 'old', incarnation: 'i', runners: 1, statuses: [] }, token: fixture.nodeToken });
    expect(await get('old')).toMatchObject({ state: 'live', platform: null, zone: 'default', capacity: null, engines: ['3'], load: null });
  });

  it('are listed by name, a page at a time, by state and by labels', async () => {
    for (const name of ['c', 'a', 'b']) await report(name, { labels: { disk: name === 'b' ? 'hdd' : 'ssd', row: name } });
    await silence('c');
    const first = await fixture.call<{ items: Node[]; next: string }>('GET', '/v1/nodes?limit=2');
    expect(first.body.items.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(await names(`?limit=2&cursor=${first.body.next}`)).toEqual(['c']);
    expect([await names('?state=lost'), await names('?state=live'), await names('?label=disk=ssd'), await names('?label=disk=ssd,row=a')]).toEqual([['c'], ['a', 'b'], ['a', 'c'], ['a']]);
    expect(await fixture.call('GET', '/v1/nodes?label=disk')).toMatchObject({ status: 400 });
    expect(await get('c')).toMatchObject({ state: 'lost', lostSince: expect.any(String) });
  });

  it('are cordoned and uncordoned, by whoever knows what is wanted of them', async () => {
    await report('n1');
    const etag = (await fixture.call('GET', '/v1/nodes/n1')).headers.get('etag')!;
    const cordoned = await act('n1', 'cordon', '', { 'if-match': etag });
    expect(cordoned).toMatchObject({ status: 200, body: { state: 'cordoned', wanted: 'cordoned' } });
    expect(await act('n1', 'uncordon', '', { 'if-match': etag })).toMatchObject({ status: 412, body: { code: 'API_STATE_CHANGED' } });
    expect(await act('n1', 'uncordon', '', { 'if-match': cordoned.headers.get('etag')! })).toMatchObject({ status: 200, body: { state: 'live' } });
  });

  describe('a drain', () => {
    it('says how far it is, waits for requests under way, and keeps the proof', async () => {
      await report('n1', { statuses: [status('shop'), status('blog')], letGo: letGo({ finished: 5 }) });
      await report('n2', { statuses: [status('shop')] });
      const begun = await act('n1', 'drain');
      expect(begun).toMatchObject({ status: 202, body: { state: 'draining', drain: { moving: 1, waiting: [{ app: 'blog' }], endedAt: null } } });
      const location = begun.headers.get('location')!;
      await report('n2', { statuses: [status('shop'), status('blog')] });
      await report('n1', { statuses: [status('blog')], letGo: letGo({ channels: 1, finished: 6, underWay: 2 }) });
      expect(await get('n1')).toMatchObject({ drain: { moved: 1, moving: 1, waiting: [], finished: 1 } });
      await report('n1', { letGo: letGo({ channels: 2, finished: 6, underWay: 3 }) });
      expect(await get('n1')).toMatchObject({ state: 'draining', drain: { moved: 2, underWay: 3 } });
      expect((await fixture.call('GET', location)).body).toMatchObject({ state: 'running', kind: 'drain', target: { node: 'n1' }, steps: [{ name: 'move' }, { name: 'finish', detail: '3 requests under way' }] });
      const waiting = fixture.call<Node>('GET', '/v1/nodes/n1?wait=60');
      await report('n1', { letGo: letGo({ channels: 2, finished: 9 }) });
      expect((await waiting).body).toMatchObject({ state: 'drained', drain: { moved: 2, finished: 4, dropped: 0, kept: [], endedAt: expect.any(String), cancelled: false } });
      expect((await fixture.call('GET', location)).body).toMatchObject({ state: 'succeeded', result: { moved: 2, finished: 4, dropped: 0, kept: [] } });
      expect(await act('n1', 'drain')).toMatchObject({ status: 200, body: { state: 'drained', drain: { moved: 2 } } });
    });

    it('of a node that has nothing is over at once', async () => {
      await report('n1');
      expect(await act('n1', 'drain', '?wait=60')).toMatchObject({ status: 200, body: { state: 'drained', drain: { moved: 0, finished: 0, dropped: 0 } } });
    });

    it('tells of requests that were cut off', async () => {
      await report('n1', { statuses: [status('shop')] });
      await report('n2', { statuses: [status('shop')] });
      await act('n1', 'drain');
      await report('n1', { letGo: letGo({ channels: 1, finished: 2, dropped: 1 }) });
      expect(await get('n1')).toMatchObject({ state: 'drained', drain: { moved: 1, finished: 2, dropped: 1 } });
    });

    it('is taken back by an uncordon, and by cancelling its operation', async () => {
      await report('n1', { statuses: [status('shop')] });
      const { headers } = await act('n1', 'drain');
      expect(await act('n1', 'uncordon')).toMatchObject({ body: { state: 'live', drain: { cancelled: true } } });
      expect((await fixture.call('GET', headers.get('location')!)).body).toMatchObject({ state: 'cancelled', error: { code: 'API_DRAIN_TAKEN_BACK' } });
      const again = await act('n1', 'drain');
      expect(again).toMatchObject({ status: 202, body: { drain: { cancelled: false } } });
      await fixture.call('POST', `${again.headers.get('location')!}/cancel`);
      expect(await get('n1')).toMatchObject({ state: 'live', wanted: 'active', drain: { cancelled: true } });
    });
  });

  describe('a node that leaves by itself', () => {
    const beat = (node: string, more: object = {}) => report(node, { statuses: [status('shop')], ...more });

    it('has nothing to wait for when nobody could take over', async () => {
      await beat('n1', { farewell: 'leaving' });
      expect((await beat('n1', { farewell: 'leaving' })).body).toMatchObject({ mayGo: true, others: false });
    });

    it('waits until another serves what it serves, and its last word is kept', async () => {
      await report('n2');
      expect((await beat('n1', { farewell: 'leaving' })).body).toMatchObject({ mayGo: false, others: true });
      expect(await get('n1')).toMatchObject({ state: 'leaving', drain: { by: 'node', waiting: [{ app: 'shop' }] } });
      await beat('n2');
      expect((await beat('n1', { farewell: 'leaving' })).body).toMatchObject({ mayGo: true, others: true });
      await beat('n1', { farewell: 'gone', letGo: letGo({ channels: 1, finished: 7 }) });
      expect(await get('n1')).toMatchObject({ state: 'gone', drain: { by: 'node', moved: 1, finished: 7, dropped: 0, kept: [], endedAt: expect.any(String) } });
    });

    it('does not count on another that leaves as well, is drained, or is sick', async () => {
      for (const more of [{ farewell: 'leaving' }, { sickness: 'the disk is full' }]) {
        await beat('n2', more);
        expect((await beat('n1', { farewell: 'leaving' })).body).toMatchObject({ others: false, mayGo: true });
      }
      await beat('n2');
      await report('n3');
      await act('n2', 'drain');
      expect((await beat('n1', { farewell: 'leaving' })).body).toMatchObject({ others: true, mayGo: false });
    });

    it('names what nobody else served', async () => {
      await report('n2');
      await beat('n1', { farewell: 'leaving' });
      await beat('n1', { farewell: 'gone' });
      expect(await get('n1')).toMatchObject({ drain: { moved: 0, kept: [{ app: 'shop', reason: expect.stringContaining('no other node served it') }] } });
    });

    it('is live again when it comes back', async () => {
      await report('n2');
      await beat('n1', { farewell: 'gone' });
      await report('n1', { startCount: 2 });
      expect(await get('n1')).toMatchObject({ state: 'live', wanted: 'active' });
    });
  });

  describe('the removal of a node', () => {
    const remove = (node: string, query = '') => fixture.call('DELETE', `/v1/nodes/${node}${query}`);

    it('is refused while it serves, and forced by whoever does not mind', async () => {
      await report('n1', { statuses: [status('shop')] });
      expect(await remove('n1')).toMatchObject({ status: 409, body: { code: 'API_NODE_IN_USE', errors: { state: ['live'] } } });
      expect(await remove('n1', '?force=true')).toMatchObject({ status: 200, body: { node: { state: 'removed' }, lost: [] } });
    });

    it('is done when it is drained, stopped or lost', async () => {
      await report('drained');
      await act('drained', 'drain');
      await report('gone', { farewell: 'gone' });
      await report('lost', { statuses: [status('shop')] });
      await silence('lost');
      for (const node of ['drained', 'gone', 'lost']) expect(await remove(node)).toMatchObject({ status: 200, body: { node: { state: 'removed' } } });
    });

    it('names what is lost with it', async () => {
      await report('n1', { farewell: 'gone', unshippedBytes: 1_234 });
      const { status: code, body } = await remove('n1');
      expect([code, body['errors']]).toEqual([409, { state: ['gone'], lost: [expect.stringContaining('journals: 1234 bytes')] }]);
      expect(await remove('n1', '?force=true')).toMatchObject({ status: 200, body: { lost: [expect.stringContaining('1234 bytes')] } });
    });

    it('has every message of it refused, until it is taken back', async () => {
      await report('n1');
      await remove('n1', '?force=true');
      expect(await report('n1')).toMatchObject({ status: 410, body: { code: 'API_NODE_REMOVED' } });
      expect(await fixture.call('POST', '/v1/nodes/n1/heartbeat', { body: { startCount: 1, sequence: ++sequence, reported: 1 }, token: fixture.nodeToken })).toMatchObject({ status: 410 });
      expect(await fixture.call('GET', '/v1/nodes/n1/assignments', { token: fixture.nodeToken })).toMatchObject({ status: 410 });
      expect(await act('n1', 'cordon')).toMatchObject({ status: 410 });
      expect(await act('n1', 'uncordon')).toMatchObject({ status: 200, body: { wanted: 'active' } });
      await report('n1');
      await until(async () => (await get('n1')).state === 'live');
    });
  });
});
