import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import type { SimulatedNode } from './simulated-node.js';
import { until } from './until.js';

describe('variables', () => {
  let fixture: ControlPlaneFixture;
  let node: SimulatedNode;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    node = fixture.node();
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 1);
  });
  afterAll(() => fixture.stop());

  const put = (app: string, body: unknown, headers = {}) => fixture.call<{ revision: number; items: Record<string, unknown>[] }>('PUT', `/v1/apps/${app}/variables`, { body, headers });
  const get = (app: string) => fixture.call<{ revision: number; items: Record<string, unknown>[] }>('GET', `/v1/apps/${app}/variables`);

  it('can be set before the first push, which makes the app', async () => {
    expect(await put('early', { colour: 'red' })).toMatchObject({ status: 200, body: { items: [{ name: 'colour', value: 'red', set: true, declared: false }] } });
    expect(await fixture.call('GET', '/v1/apps/early')).toMatchObject({ status: 200, body: { live: [], latestVersion: null } });
  });

  it('are added to what is set; null takes one away', async () => {
    await put('merge', { a: '1', b: '2' });
    await put('merge', { b: '3', c: '' });
    const { body } = await put('merge', { a: null, never: null });
    expect(body.items.map(({ name, value }) => [name, value])).toEqual([['b', '3'], ['c', '']]);
  });

  it('are taken by what is live when the answer comes', async () => {
    await fixture.push('live', makeBundle(makeApp({ greeting: { secret: false, default: 'hi' } })));
    const { body } = await put('live', { greeting: 'hello' });
    expect(node.held.get('live')).toMatchObject({ variables: { greeting: 'hello' }, variablesRevision: body.revision });
    expect(node.switched.get('live')!.variablesRevision).toBe(body.revision);
  });

  it('do not move the revision when nothing changes', async () => {
    const first = await put('still', { a: '1' });
    expect((await put('still', { a: '1' })).body.revision).toBe(first.body.revision);
    expect((await put('still', { a: '2' })).body.revision).toBe(first.body.revision + 1);
  });

  describe('that are secret', () => {
    it.each([
      ['as the request says', 'said', {}, { key: { value: 'hunter2', secret: true } }],
      ['as the manifest says', 'declared', { key: { secret: true, default: '' } }, { key: 'hunter2' }],
    ])('%s are given to nodes, never shown, and sealed at rest', async (_how, app, declared, body) => {
      await fixture.push(app, makeBundle(makeApp(declared)));
      const answer = await put(app, body);
      expect(answer.body.items).toEqual([expect.objectContaining({ name: 'key', secret: true, set: true })]);
      expect(JSON.stringify([answer.body, (await get(app)).body])).not.toContain('hunter2');
      expect(node.held.get(app)!.variables).toEqual({ key: 'hunter2' });
      const [row] = await fixture.sql(`SELECT v.value FROM variable v JOIN app a ON a.id = v.app_id WHERE a.name = $1`, [app]);
      expect(row!['value']).toMatch(/^v1:/);
      expect(Buffer.from(String(row!['value']).slice(3), 'base64url').toString('latin1')).not.toContain('hunter2');
    });

    it('stay secret when they are set again without saying so', async () => {
      await put('kept', { key: { value: 'one', secret: true } });
      const { body } = await put('kept', { key: 'two-two' });
      expect(JSON.stringify(body)).not.toContain('two-two');
    });

    it('become so when a version calls them so', async () => {
      await put('turned', { key: 'in-the-open' });
      await fixture.push('turned', makeBundle(makeApp({ key: { secret: true } })));
      expect(JSON.stringify((await get('turned')).body)).not.toContain('in-the-open');
      const rows = await fixture.sql(`SELECT value FROM variable WHERE value LIKE '%in-the-open%'`);
      expect(rows).toEqual([]);
      expect(node.held.get('turned')!.variables).toEqual({ key: 'in-the-open' });
    });
  });

  it('that what is live needs cannot be taken away', async () => {
    await put('needed', { key: '1' });
    await fixture.push('needed', makeBundle(makeApp({ key: { secret: false } })));
    expect(await put('needed', { key: null })).toMatchObject({ status: 422, body: { code: 'API_VARIABLE_REQUIRED', errors: { key: [expect.any(String)] } } });
    expect((await get('needed')).body.items).toMatchObject([{ name: 'key', value: '1' }]);
  });

  it.each([
    ['an upper-case name', { Key: 'x' }, 'Key'],
    ['a name that ends in an underscore', { key_: 'x' }, 'key_'],
    ['a number', { key: 1 }, 'key'],
    ['an unknown field', { key: { value: 'x', hidden: true } }, 'key.hidden'],
    ['a NUL', { key: 'a\0b' }, 'key'],
    ['a value that is too long', { key: 'x'.repeat(65_537) }, 'key'],
  ])('refuse %s, by name', async (_what, body, field) => {
    const answer = await fixture.call('PUT', '/v1/apps/strict/variables', { body });
    expect([answer.status, answer.body['code']]).toEqual([400, 'API_INPUT_INVALID']);
    expect(Object.keys(answer.body['errors'] as object)).toEqual([field]);
    expect(await fixture.call('GET', '/v1/apps/strict')).toMatchObject({ status: 404 });
  });

  it('of an app that is not there are not found', async () => {
    expect(await get('nobody')).toMatchObject({ status: 404, body: { code: 'API_APP_NOT_FOUND' } });
    expect(await put('nobody', { a: 'b' }, { 'if-match': '"x"' })).toMatchObject({ status: 404, body: { code: 'API_APP_NOT_FOUND' } });
  });

  it('must be as they were seen, with If-Match', async () => {
    await put('guarded', { a: '1' });
    const etag = (await fixture.call('GET', '/v1/apps/guarded')).headers.get('etag')!;
    expect(await put('guarded', { a: '2' }, { 'if-match': etag })).toMatchObject({ status: 200 });
    expect(await put('guarded', { a: '3' }, { 'if-match': etag })).toMatchObject({ status: 412, body: { code: 'API_STATE_CHANGED' } });
  });

  it('set by several calls at once are all kept', async () => {
    await Promise.all(Array.from({ length: 10 }, (_, i) => put('many', { [`v${i}`]: String(i) })));
    expect((await get('many')).body.items).toHaveLength(10);
  });
});
