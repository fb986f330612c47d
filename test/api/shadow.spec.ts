import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RolloutDetails } from '#api/rollouts/rollout.schema.js';
import type { ComponentShadow } from '#contract/shadow.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import { makeApp, makeBundle } from './bundle-registry.js';
import type { SimulatedNode } from './simulated-node.js';
import { until } from './until.js';

/** One that a few hundred requests satisfy; copies are not judged by latency. */
const QUICK = { minRequests: 50, warmUpMs: 0, warmUpRequests: 0, errors: { refusedSlack: 0.1 }, traps: { judge: false }, limits: { judge: false }, cpu: { judge: false } };
const NONE = { skipped: {}, examples: [] };

describe('a rollout by copies of requests', () => {
  let fixture: ControlPlaneFixture;
  let node: SimulatedNode;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    node = fixture.node();
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 1);
  });
  afterAll(() => fixture.stop());

  const call = (method: string, path: string, body?: object) => fixture.call(method, `/v1/apps/${path}`, body && { body });
  const push = (app: string, seed: number, query = 'wait=20', edit = {}) => fixture.push(app, makeBundle({ ...makeApp(), seed: String(seed), ...edit }), query);
  const latest = async (app: string) => (await fixture.call<RolloutDetails>('GET', `/v1/apps/${app}/rollouts/latest`)).body;
  const reaches = async (app: string, is: Partial<RolloutDetails>): Promise<RolloutDetails> => {
    let found = await latest(app);
    await until(async () => {
      found = await latest(app);
      return Object.entries(is).every(([key, value]) => found[key as keyof RolloutDetails] === value);
    }).catch(() => expect(found).toMatchObject(is));
    return found;
  };
  const begin = async (app: string, rollout: string, more: object = {}) => {
    await push(app, 1);
    await push(app, 2, 'rollout=none');
    return call('POST', `${app}/rollouts?wait=0`, { version: 2, rollout, analysis: QUICK, ...more });
  };
  /** A second of copies, in which the version did as it is said. */
  const copied = (app: string, { errors = 0, ...compared }: Partial<ComponentShadow> & { errors?: number }) =>
    node.sample(app, [{ version: 1, requests: 60 }, { version: 2, requests: 60, errors }], { version: 2, components: [{ component: 'web', equal: 0, different: 0, ...NONE, ...compared }] });

  it('leaves what is served as it is while the version gets copies, and goes on with steps', async () => {
    expect(await begin('first', 'shadow:20@1s,steps:30@manual', { shadow: { ignoredFields: ['X-Request-Id'] } })).toMatchObject({ status: 202 });
    const copying = await reaches('first', { phase: 'holding', step: 0 });
    expect(copying).toMatchObject({
      serving: [{ version: 1, percent: 100 }], steps: [{ step: 0, percent: 20, shadow: true }], ahead: [{ step: 1, percent: 30, pause: 'manual' }],
      shadow: { compared: 0, skipped: { busy: 0, refused: 0 }, examples: [] },
    });
    expect(node.held.get('first')).toMatchObject({ serve: [{ version: 1, percent: 100 }], shadow: { version: 2, percent: 20, ignoredFields: ['x-request-id'] } });
    for (let i = 0; i < 3; i++) await copied('first', { equal: 50, different: 1, skipped: { busy: 2 }, examples: [{ atMs: i, method: 'GET', path: '/a', status: [200, 404], fields: [] }] });
    const paused = await reaches('first', { state: 'paused', step: 1 });
    expect(paused).toMatchObject({ serving: [{ version: 1, percent: 70 }, { version: 2, percent: 30 }], steps: [{ verdict: { verdict: 'pass' } }, { percent: 30 }] });
    expect(paused.shadow).toMatchObject({ compared: 153, equal: 150, different: 3, skipped: { busy: 6 }, components: [{ component: 'web', compared: 153 }] });
    expect(paused.shadow!.examples[0]).toMatchObject({ component: 'web', path: '/a', status: [200, 404] });
    await until(() => node.held.get('first')!.shadow === undefined);
    // What copies have shown counts for nothing where clients get the version's answers.
    expect(paused.verdict).toMatchObject({ verdict: 'insufficient-data', figures: [{ candidate: { requests: 0 } }] });
  });

  it('is rolled back when copies fail, and no client has seen the version', async () => {
    await begin('failing', 'shadow:50@30s');
    await reaches('failing', { phase: 'holding' });
    const before = node.shares.get('failing')!.length;
    for (let i = 0; i < 4; i++) await copied('failing', { errors: 20, different: 20, equal: 40 });
    expect(await reaches('failing', { state: 'rolled_back' })).toMatchObject({ step: 0, serving: [{ version: 1, percent: 100 }], verdict: { reasons: [{ code: 'worse', signal: 'errors' }] }, shadow: { different: 80 } });
    await until(() => node.held.get('failing')!.shadow === undefined);
    expect(node.shares.get('failing')!.slice(before - 1).every((serve) => serve.length === 1 && serve[0]!.version === 1)).toBe(true);
  });

  it('is rolled back when more answers differ than may, and only then', async () => {
    for (const [app, maxDifferent] of [['few', 0.1], ['many', 0.02]] as const) {
      await begin(app, 'shadow@1s', { shadow: { maxDifferent } });
      await reaches(app, { phase: 'holding' });
      for (let i = 0; i < 3; i++) await copied(app, { equal: 57, different: 3 });
    }
    expect(await reaches('few', { state: 'promoted' })).toMatchObject({ serving: [{ version: 2, percent: 100 }], shadow: { compared: 180, different: 9 } });
    expect(await reaches('many', { state: 'rolled_back' })).toMatchObject({ serving: [{ version: 1, percent: 100 }], verdict: { reasons: [{ code: 'different', message: expect.stringContaining('answers differ') }] } });
  });

  it('takes a report that is sent again once', async () => {
    await begin('again', 'shadow@30s');
    await reaches('again', { phase: 'holding' });
    const report = await copied('again', { equal: 7 });
    await until(async () => (await latest('again')).shadow!.compared === 7);
    await node.sendSamples(report);
    await copied('again', { equal: 1 });
    await until(async () => (await latest('again')).shadow!.compared > 7);
    expect((await latest('again')).shadow).toMatchObject({ compared: 8 });
  });

  it('says that copies were refused their effects where there is nothing else to judge, and waits for somebody', async () => {
    await begin('writer', 'shadow@1s', { analysis: { ...QUICK, holdMs: 0 } });
    await reaches('writer', { phase: 'holding' });
    await node.sample('writer', [], { version: 2, components: [{ component: 'web', equal: 1, different: 0, ...NONE, skipped: { refused: 9 } }] });
    const paused = await reaches('writer', { state: 'paused' });
    expect(paused.pausedFor).toContain('9 copies asked for an effect');
    expect(await call('POST', `writer/rollouts/${paused.rollout}/approve`, { step: 0 })).toMatchObject({ status: 200, body: { state: 'serving', version: 2 } });
  });

  it('ends when somebody rolls back, and no copies are made any more', async () => {
    await begin('back', 'shadow@manual');
    const { rollout } = await reaches('back', { state: 'paused' });
    expect(node.held.get('back')!.shadow).toBeDefined();
    expect(await call('POST', 'back/rollback')).toMatchObject({ status: 200, body: { version: 1, state: 'serving' } });
    expect(await call('GET', `back/rollouts/${rollout}`)).toMatchObject({ body: { state: 'rolled_back' } });
    await until(() => node.held.get('back')!.shadow === undefined);
  });

  it('can be what a channel or a manifest says', async () => {
    const settings = { strategy: 'shadow:10@manual', shadow: { ignoredFields: ['etag'], maxDifferent: 0.5 } };
    await push('said', 1);
    expect(await call('PUT', 'said/channels/production/rollout', settings)).toMatchObject({ status: 200, body: settings });
    await push('said', 2, 'wait=0');
    await reaches('said', { state: 'paused' });
    expect(node.held.get('said')!.shadow).toEqual({ version: 2, percent: 10, ignoredFields: ['etag'] });
    expect(await call('PUT', 'said/channels/production/rollout', { strategy: 'shadow:200@5m' })).toMatchObject({ status: 400, body: { code: 'API_INPUT_INVALID' } });
  });
});
