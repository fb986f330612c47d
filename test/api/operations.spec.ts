import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import { EventStream } from './event-stream.js';
import type { SimulatedNode } from './simulated-node.js';
import { until } from './until.js';

interface Operation {
  id: number;
  state: string;
  revision: string;
  steps: { name: string; endedAt: string | null; detail: string | null }[];
  [key: string]: unknown;
}

describe('operations', () => {
  let fixture: ControlPlaneFixture;
  let node: SimulatedNode;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    node = fixture.node();
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 1);
  });
  afterAll(() => fixture.stop());

  const bundle = (seed: string): Buffer<ArrayBuffer> => makeBundle({ ...makeApp(), seed });
  const get = async (id: unknown, query = 'wait=20'): Promise<Operation> => (await fixture.call<Operation>('GET', `/v1/operations/${String(id)}?${query}`)).body;
  const settle = async (change: Partial<Pick<SimulatedNode, 'stuck' | 'frozen'>>): Promise<void> => {
    Object.assign(node, change);
    await node.settle();
  };
  const RESPOND_ASYNC = { prefer: 'respond-async' };

  it('is what a push becomes for a client that does not want to wait', async () => {
    const pushed = await fixture.push('async', bundle('1'), 'wait=20', RESPOND_ASYNC);
    expect(pushed).toMatchObject({ status: 202, body: { version: 1, state: 'pending', operation: expect.any(Number) } });
    expect(pushed.headers.get('location')).toBe(`/v1/operations/${pushed.body['operation']}`);
    expect(pushed.headers.get('preference-applied')).toBe('respond-async');
    const operation = await get(pushed.body['operation']);
    expect(operation).toMatchObject({ kind: 'deploy', state: 'succeeded', target: { app: 'async', channel: 'production', version: 1 }, result: { version: 1, generation: 1 }, error: null, causedBy: 'admin', waitsFor: null });
    expect(operation.steps.map(({ name, endedAt }) => [name, endedAt !== null])).toEqual([['prepare', true], ['switch', true]]);
  });

  it('is not forced on anybody: a push answers as ever without the header', async () => {
    const pushed = await fixture.push('async', bundle('2'), 'wait=0');
    expect(pushed.status).toBe(201);
    expect(pushed.headers.get('location')).toBe('/v1/apps/async/versions/2');
    expect((await get(pushed.body['operation'])).state).toBe('succeeded');
  });

  it('is what a rollout and a rollback become, with wait=0 too', async () => {
    const back = await fixture.call('POST', '/v1/apps/async/rollback?wait=0', { body: {} });
    expect(back).toMatchObject({ status: 202, body: { version: 1, state: 'pending' } });
    expect(await get(back.headers.get('location')!.split('/').at(-1))).toMatchObject({ kind: 'rollback', state: 'succeeded', rollout: back.body['rollout'] });
    const forward = await fixture.call('POST', '/v1/apps/async/rollouts', { body: { version: 2 }, headers: RESPOND_ASYNC });
    expect(await get(forward.body['operation'])).toMatchObject({ kind: 'rollout', state: 'succeeded' });
    const nothing = await fixture.call('POST', '/v1/apps/async/rollouts', { body: { version: 2 }, headers: RESPOND_ASYNC });
    expect(nothing).toMatchObject({ status: 200, body: { state: 'serving', rollout: null, operation: null } });
  });

  it('lists them by app, kind and state, page by page', async () => {
    const list = async (query: string): Promise<Operation[]> => (await fixture.call<{ items: Operation[] }>('GET', `/v1/operations?${query}`)).body.items;
    expect((await list('app=async')).map(({ kind }) => kind)).toEqual(['rollout', 'rollback', 'deploy', 'deploy']);
    expect((await list('app=async&kind=deploy&state=succeeded')).length).toBe(2);
    expect(await list('app=async&state=running')).toEqual([]);
    expect(await list('app=nothing')).toEqual([]);
    const first = await fixture.call<{ items: Operation[]; next: string }>('GET', '/v1/operations?app=async&limit=3');
    expect((await fixture.call<{ items: Operation[]; next: string | null }>('GET', `/v1/operations?app=async&limit=3&cursor=${first.body.next}`)).body).toMatchObject({ items: [{ kind: 'deploy' }], next: null });
    expect(await fixture.call('GET', '/v1/operations/999999')).toMatchObject({ status: 404, body: { code: 'API_OPERATION_NOT_FOUND' } });
  });

  it('says why it failed, as a problem', async () => {
    node.broken.set('broken/1', { code: 'COMPONENT_TRAP', message: 'it does not start' });
    const pushed = await fixture.push('broken', bundle('b'), 'wait=0', RESPOND_ASYNC);
    expect(await get(pushed.body['operation'])).toMatchObject({ state: 'failed', result: null, error: { code: expect.any(String), detail: expect.stringContaining('it does not start'), hint: expect.any(String) } });
  });

  it('is cancelled: what was served before is served', async () => {
    await settle({ stuck: true });
    const pushed = await fixture.push('async', bundle('3'), 'wait=0', RESPOND_ASYNC);
    const id = pushed.body['operation'];
    expect(await get(id, 'wait=0')).toMatchObject({ state: 'running', endedAt: null });
    expect(await fixture.call('POST', `/v1/operations/${String(id)}/cancel`)).toMatchObject({ status: 200, body: { state: 'cancelled', error: { code: 'API_ROLLOUT_ABORTED', detail: `admin ended it: operation ${String(id)} was cancelled` } } });
    expect(await fixture.call('POST', `/v1/operations/${String(id)}/cancel`)).toMatchObject({ status: 409, body: { code: 'API_OPERATION_ENDED' } });
    await settle({ stuck: false });
    expect(await fixture.call('GET', '/v1/apps/async')).toMatchObject({ body: { live: [{ version: 2, percent: 100 }], rollout: null } });
  });

  it('cannot be cancelled by name where its kind cannot be left half done', async () => {
    const begun = await fixture.call('POST', '/v1/collections?wait=20', { body: { dryRun: true }, headers: RESPOND_ASYNC });
    expect(begun.headers.get('location')).toMatch(/^\/v1\/operations\/\d+$/);
    const id = begun.headers.get('location')!.split('/').at(-1)!;
    expect(await get(id)).toMatchObject({ kind: 'collect', state: 'failed', collection: begun.body['id'], steps: [{ name: 'collect', endedAt: expect.any(String) }], error: { code: expect.any(String) } });
    await fixture.sql(`UPDATE collection SET state = 'running', ended_at = NULL WHERE id = $1`, [begun.body['id']]);
    expect(await fixture.call('POST', `/v1/operations/${id}/cancel`)).toMatchObject({ status: 409, body: { code: 'API_OPERATION_NOT_CANCELLABLE' } });
    await fixture.sql(`UPDATE collection SET state = 'done', ended_at = now() WHERE id = $1`, [begun.body['id']]);
  });

  it('tells each change to whoever follows, and nothing twice to one who comes back', async () => {
    await settle({ frozen: true });
    const pushed = await fixture.push('async', bundle('4'), 'wait=0', RESPOND_ASYNC);
    const url = `${fixture.url()}/v1/operations/${String(pushed.body['operation'])}/events`;
    const first = await EventStream.open(url, fixture.adminToken);
    await until(() => first.events.some(({ data }) => (data['steps'] as Operation['steps']).at(-1)?.name === 'switch'));
    const seen = first.events.at(-1)!.id;
    await first.close();
    const second = await EventStream.open(url, fixture.adminToken, seen);
    await settle({ frozen: false });
    await until(() => second.events.at(-1)?.data['state'] === 'succeeded');
    expect(second.events.map(({ id }) => id)).not.toContain(seen);
    await second.close();
    const third = await EventStream.open(url, fixture.adminToken, second.events.at(-1)!.id);
    await third.close();
    expect(third.events).toEqual([]);
  });

  it('is forgotten 90 days after its end; what became of rollouts stays', async () => {
    const ended = (days: number): Promise<unknown> =>
      fixture.sql(`INSERT INTO operation (kind, target, caused_by, state, ended_at) VALUES ('drain', '{}', 'admin', 'succeeded', now() - interval '${days} days')`);
    await Promise.all([ended(91), ended(89)]);
    const count = async (kind: string): Promise<number> => (await fixture.sql(`SELECT 1 FROM operation WHERE kind = '${kind}'`)).length;
    const deploys = await count('deploy');
    expect(deploys).toBeGreaterThan(0);
    await fixture.sweep();
    expect([await count('drain'), await count('deploy')]).toEqual([1, deploys]);
  });

  it('has its revision as ETag', async () => {
    const { body, headers } = await fixture.call<Operation>('GET', '/v1/operations/1');
    expect(headers.get('etag')).toBe(`"${body.revision}"`);
  });
});
