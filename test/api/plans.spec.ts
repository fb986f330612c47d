import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import { until } from './until.js';

const TABLES = ['app', 'channel', 'version', 'version_build', 'rollout', 'deployment', 'operation', 'variable', 'variable_revision', 'store_link', 'version_blob'];

describe('plan=true', () => {
  let fixture: ControlPlaneFixture;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    fixture.node();
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 1);
    for (const seed of ['1', '2']) await push(seed);
    await fixture.call('PUT', '/v1/apps/shop/variables', { body: { a: '2' } });
  });
  afterAll(() => fixture.stop());

  const app = (seed: string) => {
    const made = makeApp();
    const [web] = made.components!;
    return { ...made, seed, components: [{ ...web!, allowedOutboundHosts: ['https://pay.example'], environment: { SEED: seed }, keyValueStores: ['default'] }] };
  };
  const push = (seed: string, query = 'wait=20') => fixture.push('shop', makeBundle(app(seed)), query);
  const state = async (): Promise<string> => JSON.stringify(await Promise.all(TABLES.map((table) => fixture.sql(`SELECT to_jsonb(t) - 'claimed_until' AS row FROM ${table} t ORDER BY 1`))));
  /** Runs it, and sees that nothing is stored. */
  const planned = async <T>(work: () => Promise<T>): Promise<T> => {
    const before = await state();
    const answer = await work();
    expect(await state()).toBe(before);
    return answer;
  };

  it('of a push says what would be served, how, where, and how it differs', async () => {
    const { status, body } = await planned(() => push('3', 'plan=true&rollout=steps:10@30s,50@manual'));
    expect(status).toBe(200);
    expect(body).toMatchObject({
      plan: true, app: 'shop', channel: 'production', version: 3, isNew: true, outcome: 'rolled-out', serving: [{ version: 2, percent: 100 }], strategy: 'steps:10@30s,50@manual',
      steps: [{ step: 0, percent: 10, pause: '30s' }, { step: 1, percent: 50, pause: 'manual' }], nodes: ['node-1'], asks: [], variables: null,
      changes: { from: 2, to: 3, components: { changed: [{ id: 'web', environment: { changed: [{ name: 'SEED', from: '2', to: '3' }] } }] } },
    });
  });

  it('of a push of a new app makes none', async () => {
    const { body } = await planned(() => fixture.push('unborn', makeBundle(app('1')), 'plan=true'));
    expect(body).toMatchObject({ version: 1, isNew: true, outcome: 'rolled-out', serving: [], changes: null });
    expect(await fixture.call('GET', '/v1/apps/unborn')).toMatchObject({ status: 404 });
  });

  it('of a rollback says beforehand what goes back and what does not', async () => {
    const { body } = await planned(() => fixture.call('POST', '/v1/apps/shop/rollback?plan=true', { body: {} }));
    expect(body).toMatchObject({ version: 1, isNew: false, outcome: 'rolled-out', variables: { restored: ['a'], left: [] }, changes: { from: 2, to: 1 } });
    expect((body['staysAsItIs'] as { kind: string; name: string }[]).map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'key-value default', 'outbound https://pay.example', 'operator runtime configuration and stores',
    ]);
    const kept = await planned(() => fixture.call('POST', '/v1/apps/shop/rollback?plan=true', { body: { keepVariables: true } }));
    expect(kept.body).toMatchObject({ variables: null });
  });

  it('of a rollout says that there is nothing to do', async () => {
    expect((await planned(() => fixture.call('POST', '/v1/apps/shop/rollouts?plan=true', { body: { version: 2 } }))).body).toMatchObject({ outcome: 'nothing', changes: null, staysAsItIs: [] });
  });

  it('says who must agree, and to what', async () => {
    await fixture.call('PUT', '/v1/apps/shop/channels/production/policy', { body: { approval: { newCapabilities: true } } });
    const asking = { ...app('4'), components: [{ ...app('4').components[0]!, allowedOutboundHosts: ['https://other.example'] }] };
    const { body } = await planned(() => fixture.push('shop', makeBundle(asking), 'plan=true'));
    expect(body).toMatchObject({ outcome: 'awaiting-approval', asks: [{ kind: 'outbound-host', name: 'https://other.example' }] });
    await fixture.call('PUT', '/v1/apps/shop/channels/production/policy', { body: {} });
  });

  it('refuses what the call would refuse', async () => {
    expect(await planned(() => fixture.call('POST', '/v1/apps/shop/rollouts?plan=true', { body: { version: 9 } }))).toMatchObject({ status: 404, body: { code: 'API_VERSION_NOT_FOUND' } });
    expect(await planned(() => fixture.push('shop', makeBundle(makeApp({ host: { secret: false } })), 'plan=true'))).toMatchObject({ status: 422, body: { code: 'API_VARIABLE_REQUIRED' } });
  });
});

describe('the order of sources', () => {
  let fixture: ControlPlaneFixture;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    fixture.node();
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 1);
  });
  afterAll(() => fixture.stop());

  const push = (app: string, seed: string, query: string) => fixture.push(app, makeBundle({ ...makeApp(), seed }), `wait=20&${query}`);
  const source = (commit: string, time: string): string => `sourceCommit=${commit}&sourceTime=${time}&sourceRef=main`;

  it('is kept: an older commit does not replace a newer one, unless it is forced to', async () => {
    expect(await push('ordered', 'new', source('bbb', '2026-01-02T00:00:00Z'))).toMatchObject({ status: 201 });
    const older = await push('ordered', 'old', source('aaa', '2026-01-01T00:00:00Z'));
    expect(older).toMatchObject({ status: 409, body: { code: 'API_SOURCE_OLDER', detail: expect.stringContaining('commit aaa of main') } });
    expect((await fixture.call<{ items: unknown[] }>('GET', '/v1/apps/ordered/versions')).body.items).toHaveLength(1);
    expect(await push('ordered', 'old', `${source('aaa', '2026-01-01T00:00:00Z')}&rollout=none`)).toMatchObject({ status: 201, body: { state: 'ready' } });
    expect(await push('ordered', 'old', `${source('aaa', '2026-01-01T00:00:00Z')}&force=true`)).toMatchObject({ status: 200, body: { state: 'serving' } });
    expect(await fixture.call('GET', '/v1/apps/ordered/versions/2')).toMatchObject({ body: { source: { commit: 'aaa', ref: 'main', time: '2026-01-01T00:00:00.000Z' } } });
  });

  it('lets the same commit, and whoever says nothing, go on', async () => {
    await push('same', '1', source('bbb', '2026-01-02T00:00:00Z'));
    expect(await push('same', '1', source('bbb', '2026-01-02T00:00:00Z'))).toMatchObject({ status: 200, body: { version: 1, state: 'serving' } });
    expect(await push('same', 'rebuilt', source('bbb', '2026-01-01T00:00:00Z'))).toMatchObject({ status: 201 });
    expect(await push('same', '3', '')).toMatchObject({ status: 201 });
  });

  it('goes by the sequence where there is one, and a plan says so too', async () => {
    await push('run', '1', 'sourceSequence=10&sourceTime=2026-01-01T00:00:00Z');
    expect(await push('run', '2', 'sourceSequence=9&sourceTime=2026-01-05T00:00:00Z&plan=true')).toMatchObject({ status: 409, body: { code: 'API_SOURCE_OLDER' } });
    expect(await push('run', '2', 'sourceSequence=11')).toMatchObject({ status: 201 });
  });

  it('is that of what is served: after a rollback what lies between may come', async () => {
    await push('between', '1', source('aaa', '2026-01-01T00:00:00Z'));
    await push('between', '3', source('ccc', '2026-01-03T00:00:00Z'));
    await fixture.call('POST', '/v1/apps/between/rollback', { body: {} });
    expect(await push('between', '2', source('bbb', '2026-01-02T00:00:00Z'))).toMatchObject({ status: 201, body: { state: 'serving' } });
  });
});

describe('two deploys that race', () => {
  it('end with one of them, and the state of now for the other', async () => {
    const fixture = await ControlPlaneFixture.start();
    try {
      fixture.node();
      await fixture.push('race', makeBundle({ ...makeApp(), seed: '1' }));
      const etag = (await fixture.call('GET', '/v1/apps/race')).headers.get('etag')!;
      const answers = await Promise.all(['2', '3'].map((seed) => fixture.push('race', makeBundle({ ...makeApp(), seed }), 'wait=20', { 'if-match': etag })));
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 412]);
      expect(answers.find(({ status }) => status === 412)!.body).toMatchObject({ code: 'API_STATE_CHANGED', detail: expect.stringContaining('its newest version is 2') });
    } finally {
      await fixture.stop();
    }
  });
});
