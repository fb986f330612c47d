import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ChannelView, DeletedChannel } from '#api/channels/channel.schema.js';
import type { RolloutDetails } from '#api/rollouts/rollout.schema.js';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import type { SimulatedNode } from './simulated-node.js';
import { until } from './until.js';

const EVERY_DAY = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const ALWAYS = [{ days: EVERY_DAY, from: '00:00', to: '24:00', reason: 'a sale' }];

describe('channels', () => {
  let fixture: ControlPlaneFixture;
  let node: SimulatedNode;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    node = fixture.node();
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 1);
  });
  afterAll(() => fixture.stop());

  const call = <T = Record<string, unknown>>(method: string, path: string, body?: unknown, headers = {}) => fixture.call<T>(method, `/v1/apps/${path}`, { ...(body !== undefined && { body }), headers });
  const push = (app: string, seed: number | string, query = 'wait=20', version = '') => fixture.push(app, makeBundle({ ...makeApp(), version, seed: String(seed) }), query);
  const make = (app: string, name: string, more: object = {}) => call<ChannelView>('POST', `${app}/channels`, { name, ...more });
  const channel = async (app: string, name: string) => (await call<ChannelView>('GET', `${app}/channels/${name}`)).body;
  const rollOut = (app: string, version: number, query = '') => call('POST', `${app}/rollouts?wait=20&${query}`, { version });
  const latest = async (app: string, name: string) => (await call<RolloutDetails>('GET', `${app}/rollouts/latest?channel=${name}`)).body;
  const serves = (app: string, name: string, version: number) => until(() => node.serving(`${app}/${name}`) === version);

  describe('as resources', () => {
    it('are made, listed and shown, production among them', async () => {
      await push('shop', 1);
      const made = await make('shop', 'staging');
      expect(made).toMatchObject({ status: 201, body: { app: 'shop', name: 'staging', url: 'http://staging--shop.localhost:3000/', live: [], rule: null, lock: null, freeze: [], frozen: null } });
      expect(made.headers.get('location')).toBe('/v1/apps/shop/channels/staging');
      const { body } = await call<{ items: ChannelView[] }>('GET', 'shop/channels');
      expect(body.items.map(({ name, live }) => [name, live])).toEqual([['production', [{ version: 1, percent: 100 }]], ['staging', []]]);
      expect(await make('shop', 'staging')).toMatchObject({ status: 409, body: { code: 'API_CHANNEL_EXISTS' } });
      expect(await call('GET', 'shop/channels/other')).toMatchObject({ status: 404, body: { code: 'API_CHANNEL_NOT_FOUND' } });
      expect(await make('nothing', 'staging')).toMatchObject({ status: 404, body: { code: 'API_APP_NOT_FOUND' } });
    });

    it.each(['a--b', 'v7', 'v07', 'Staging', '-a', 'a'.repeat(33), ''])('are not named "%s"', async (name) => {
      expect(await make('shop', name)).toMatchObject({ status: 400, body: { code: 'API_INPUT_INVALID' } });
    });

    it('have hosts that a DNS label can hold', async () => {
      const app = 'a'.repeat(60);
      await push(app, 1);
      expect(await make(app, 'staging')).toMatchObject({ status: 400, body: { detail: expect.stringContaining('63 characters') } });
    });

    it('are changed only as they were seen', async () => {
      await push('seen', 1);
      await make('seen', 'staging');
      const etag = (await call('GET', 'seen/channels/staging')).headers.get('etag')!;
      const changed = await call('PATCH', 'seen/channels/staging', { freeze: ALWAYS }, { 'if-match': etag });
      expect(changed).toMatchObject({ status: 200, body: { frozen: { reason: 'a sale' } } });
      expect(await call('PATCH', 'seen/channels/staging', { freeze: null }, { 'if-match': etag })).toMatchObject({ status: 412 });
      expect(await call('PATCH', 'seen/channels/staging', { freeze: null }, { 'if-match': changed.headers.get('etag')! })).toMatchObject({ status: 200, body: { frozen: null } });
    });

    it('say what goes before they do, and nodes drop them', async () => {
      await push('goes', 1);
      await make('goes', 'staging', { rule: { latest: true } });
      await serves('goes', 'staging', 1);
      await call('PUT', 'goes/variables?channel=staging', { colour: 'blue' });
      const plan = await call<DeletedChannel>('DELETE', 'goes/channels/staging?plan=true');
      expect(plan).toMatchObject({ status: 200, body: { deleted: false, live: [{ version: 1, percent: 100 }], rule: { latest: true }, variables: 1, storeLinks: 0, runtimeConfig: false, deployments: 1 } });
      expect(node.serving('goes/staging')).toBe(1);
      expect(await call('DELETE', 'goes/channels/staging')).toMatchObject({ status: 200, body: { ...plan.body, deleted: true } });
      expect([node.held.has('goes/staging'), node.serving('goes')]).toEqual([false, 1]);
      expect(await call('GET', 'goes/channels/staging')).toMatchObject({ status: 404 });
      expect(await fixture.sql(`SELECT v.channel FROM variable v JOIN app a ON a.id = v.app_id WHERE a.name = 'goes'`)).toEqual([]);
      expect(await call('DELETE', 'goes/channels/production')).toMatchObject({ status: 409, body: { code: 'API_CHANNEL_PERMANENT' } });
    });

    it('go on from the generation of an earlier one of the name', async () => {
      await push('again', 1);
      await make('again', 'staging', { rule: { latest: true } });
      await serves('again', 'staging', 1);
      const before = (await channel('again', 'staging')).generation;
      await call('DELETE', 'again/channels/staging');
      await make('again', 'staging', { rule: { pinned: 1 } });
      await serves('again', 'staging', 1);
      expect((await channel('again', 'staging')).generation).toBeGreaterThan(before);
    });

    it('go with their app, and come back without what they were', async () => {
      await push('whole', 1);
      await make('whole', 'staging', { rule: { latest: true } });
      await serves('whole', 'staging', 1);
      await fixture.call('DELETE', '/v1/apps/whole');
      expect([node.held.has('whole'), node.held.has('whole/staging')]).toEqual([false, false]);
      await push('whole', 2);
      expect((await call<{ items: ChannelView[] }>('GET', 'whole/channels')).body.items.map(({ name }) => name)).toEqual(['production']);
    });
  });

  describe('side by side', () => {
    it('serve versions of their own, by hand, and go back by themselves', async () => {
      await push('side', 1);
      await make('side', 'staging');
      expect(await push('side', 2, 'wait=20&channel=staging')).toMatchObject({ status: 201, body: { state: 'serving', url: 'http://staging--side.localhost:3000/' } });
      expect([node.serving('side'), node.serving('side/staging')]).toEqual([1, 2]);
      expect(node.held.get('side/staging')!.hosts).toEqual(['staging--side.localhost']);
      expect(await rollOut('side', 1, 'channel=staging')).toMatchObject({ status: 200 });
      expect(await call('POST', 'side/rollback?wait=20&channel=staging', {})).toMatchObject({ status: 200, body: { version: 2 } });
      expect([node.serving('side'), node.serving('side/staging')]).toEqual([1, 2]);
      const { body } = await call<{ items: { version: number; channels: string[]; state: string }[] }>('GET', 'side/versions');
      expect(body.items.map(({ version, channels, state }) => [version, channels, state])).toEqual([[2, ['staging'], 'serving'], [1, ['production'], 'serving']]);
    });

    it('have rollouts of their own, found by number wherever they are', async () => {
      const staging = (await call<{ items: { rollout: number; channel: string }[] }>('GET', 'side/rollouts?channel=staging')).body.items;
      const production = (await call<{ items: { rollout: number; channel: string }[] }>('GET', 'side/rollouts')).body.items;
      expect([staging.length, production.length]).toEqual([3, 1]);
      expect(new Set(staging.map((each) => each.channel))).toEqual(new Set(['staging']));
      expect(await call('GET', `side/rollouts/${staging[0]!.rollout}`)).toMatchObject({ status: 200, body: { channel: 'staging', serving: [{ version: 2, percent: 100 }] } });
    });

    it('have values of their own, which go before those of all', async () => {
      await call('PUT', 'side/variables', { colour: 'red', size: 'L' });
      expect(await call('PUT', 'side/variables?channel=staging', { colour: 'blue' })).toMatchObject({
        status: 200, body: { items: [{ name: 'colour', value: 'blue', channel: 'staging' }, { name: 'size', value: 'L' }] },
      });
      expect([node.held.get('side')!.variables, node.held.get('side/staging')!.variables]).toEqual([{ colour: 'red', size: 'L' }, { colour: 'blue', size: 'L' }]);
      await call('PUT', 'side/variables?channel=production', { key: { value: 'hunter2', secret: true } });
      expect([node.held.get('side')!.variables, node.held.get('side/staging')!.variables]).toEqual([{ colour: 'red', size: 'L', key: 'hunter2' }, { colour: 'blue', size: 'L' }]);
      await call('PUT', 'side/variables?channel=staging', { colour: null });
      expect(node.held.get('side/staging')!.variables).toEqual({ colour: 'red', size: 'L' });
      expect(await call('PUT', 'side/variables?channel=none', { a: 'b' })).toMatchObject({ status: 404, body: { code: 'API_CHANNEL_NOT_FOUND' } });
    });

    it('need what their version needs, each for itself', async () => {
      const bundle = makeBundle({ ...makeApp({ key: { secret: false } }), seed: 'needs' });
      await call('PUT', 'needs/variables?channel=production', { key: '1' });
      expect(await fixture.push('needs', bundle)).toMatchObject({ status: 201, body: { state: 'serving' } });
      await make('needs', 'staging');
      expect(await rollOut('needs', 1, 'channel=staging')).toMatchObject({ status: 422, body: { code: 'API_VARIABLE_REQUIRED', detail: expect.stringContaining('channel staging') } });
      await call('PUT', 'needs/variables?channel=staging', { key: '2' });
      expect(await rollOut('needs', 1, 'channel=staging')).toMatchObject({ status: 200 });
      expect(await call('PUT', 'needs/variables?channel=staging', { key: null })).toMatchObject({ status: 422 });
    });

    it('are told apart in usage and logs', async () => {
      const record = { at: Date.now(), org: 'default', app: 'side', version: 2, component: 'web' } as const;
      const usage = { ...record, kind: 'usage', trigger: 'http', requests: 3, errors: 0, wallMs: 1, cpuMs: 1, bytesIn: 0, bytesOut: 0 };
      const log = { ...record, kind: 'log', requestId: 'r', stream: 'stdout' };
      await node.ship([{ ...usage, channel: 'staging' }, { ...usage, channel: 'production', requests: 4 }, { ...log, channel: 'staging', line: 'one' }, { ...log, channel: 'production', line: 'two' }] as Parameters<SimulatedNode['ship']>[0]);
      const requests = async (query: string) => (await call<{ requests: number }>('GET', `side/usage${query}`)).body.requests;
      expect([await requests(''), await requests('?channel=staging'), await requests('?channel=production')]).toEqual([7, 3, 4]);
      const lines = async (query: string) => (await call<{ lines: { line: string }[] }>('GET', `side/logs${query}`)).body.lines.map(({ line }) => line);
      expect([await lines(''), await lines('?channel=staging')]).toEqual([['one', 'two'], ['one']]);
    });
  });

  describe('with a rule', () => {
    it('follow the same push, each as its rule says', async () => {
      await push('rules', 1, 'wait=20', '1.0.0');
      await make('rules', 'next', { rule: { latest: true } });
      await make('rules', 'stable', { rule: { semver: '^1' } });
      await make('rules', 'old', { rule: { pinned: 1 } });
      await serves('rules', 'old', 1);
      await push('rules', 2, 'wait=20', '2.0.0');
      await serves('rules', 'next', 2);
      expect(['', '/next', '/stable', '/old'].map((lane) => node.serving(`rules${lane}`))).toEqual([2, 2, 1, 1]);
      expect((await channel('rules', 'stable')).decision).toMatchObject({ outcome: 'kept', version: 2, why: '2.0.0 is not within ^1' });
      await push('rules', 3, 'wait=20', '1.1.0');
      await serves('rules', 'stable', 3);
      await serves('rules', 'next', 3);
      const { decision } = await channel('rules', 'stable');
      expect(decision).toMatchObject({ outcome: 'rolled-out', version: 3, why: '1.1.0 is the highest within ^1' });
      expect(await latest('rules', 'stable')).toMatchObject({ rollout: decision!.rollout, cause: 'rule', causedBy: expect.any(String), state: 'promoted' });
    });

    it('stay where they are for what is stored alone', async () => {
      await push('rules', 4, 'rollout=none', '1.2.0');
      expect((await channel('rules', 'next')).decision).toMatchObject({ version: 3 });
      expect(await call('PATCH', 'rules/channels/stable', { rule: { semver: '>=1.2' } })).toMatchObject({ status: 200, body: { decision: { outcome: 'rolled-out', version: 2 } } });
      await serves('rules', 'stable', 2);
    });

    it('take the settings of the channel', async () => {
      await push('steps', 1);
      await make('steps', 'slow', { rule: { latest: true } });
      await serves('steps', 'slow', 1);
      await call('PUT', 'steps/channels/slow/rollout', { strategy: 'steps:10@manual', analysis: { enabled: false } });
      await push('steps', 2);
      await until(async () => (await latest('steps', 'slow')).state === 'paused');
      expect(node.held.get('steps/slow')!.serve).toEqual([{ version: 1, percent: 90 }, { version: 2, percent: 10 }]);
      const { rollout } = await latest('steps', 'slow');
      expect(await call('POST', `steps/rollouts/${rollout}/approve?wait=20`, { step: 0 })).toMatchObject({ status: 200, body: { url: 'http://slow--steps.localhost:3000/' } });
    });

    it('decide for production too, unless the push says where', async () => {
      await push('strict', 1, 'wait=20', '1.0.0');
      await call('PATCH', 'strict/channels/production', { rule: { semver: '^1' } });
      expect(await push('strict', 2, 'wait=20', '2.0.0')).toMatchObject({ status: 201, body: { state: 'ready' } });
      expect(node.serving('strict')).toBe(1);
      expect(await push('strict', 2, 'wait=20&channel=production', '2.0.0')).toMatchObject({ status: 200, body: { state: 'serving' } });
    });

    it('refuse another version than the one that they are pinned to, but for a rollback', async () => {
      await push('pinned', 1);
      await push('pinned', 2);
      await call('PATCH', 'pinned/channels/production', { rule: { pinned: 2 } });
      expect(await rollOut('pinned', 1)).toMatchObject({ status: 409, body: { code: 'API_CHANNEL_PINNED' } });
      expect(await call('POST', 'pinned/rollback?wait=20', {})).toMatchObject({ status: 200, body: { version: 1 } });
      expect(await call('PATCH', 'pinned/channels/production', { rule: { pinned: 9 } })).toMatchObject({ status: 404, body: { code: 'API_VERSION_NOT_FOUND' } });
      expect((await channel('pinned', 'production')).rule).toEqual({ pinned: 2 });
    });

    it('note what is refused, and keep nobody else', async () => {
      await push('refused', 1);
      await make('refused', 'staging', { rule: { latest: true } });
      await serves('refused', 'staging', 1);
      await call('PUT', 'refused/channels/staging/lock', { reason: 'an audit' });
      expect(await push('refused', 2)).toMatchObject({ status: 201, body: { state: 'serving' } });
      expect((await channel('refused', 'staging')).decision).toMatchObject({ outcome: 'refused', version: 2, why: expect.stringMatching(/^API_CHANNEL_LOCKED: .*an audit/), rollout: null });
      expect(node.serving('refused/staging')).toBe(1);
    });

    it('deploy on push where that is the rule, two channels the same push', async () => {
      await push('tags', 1);
      await make('tags', 'staging', { rule: { push: { tags: 'rc-*' } } });
      await make('tags', 'beta', { rule: { push: { tags: '*' } } });
      expect(await call('GET', 'tags/channels/staging/deploy-on-push')).toMatchObject({ status: 200, body: { rule: { tags: 'rc-*' } } });
      fixture.registry.pushTag('tags', 'rc-1', makeBundle({ ...makeApp(), seed: 'rc' }));
      await serves('tags', 'staging', 2);
      await serves('tags', 'beta', 2);
      expect(node.serving('tags')).toBe(1);
      expect((await call('GET', 'tags/channels/staging')).body['rule']).toEqual({ push: { tags: 'rc-*' } });
      // One rule at a time, whichever way it is set.
      await call('PATCH', 'tags/channels/staging', { rule: { latest: true } });
      expect((await call('GET', 'tags/channels/staging/deploy-on-push')).body['rule']).toBeNull();
      await call('PUT', 'tags/channels/staging/deploy-on-push', { semver: '^1' });
      expect((await channel('tags', 'staging')).rule).toEqual({ push: { semver: '^1' } });
    });
  });

  it('leave no push behind that is to be deployed when they are deleted', async () => {
    await push('left', 1);
    await make('left', 'staging', { rule: { push: { tags: '*' } } });
    fixture.registry.down = true;
    try {
      fixture.registry.pushTag('left', 'one', makeBundle({ ...makeApp(), seed: 'left' }));
      await until(async () => (await call<{ pushes: { state: string; reason?: unknown }[] }>('GET', 'left/channels/staging/deploy-on-push')).body.pushes[0]?.reason !== undefined);
      expect(await call('DELETE', 'left/channels/staging')).toMatchObject({ status: 200 });
      const pushes = await fixture.sql(`SELECT p.state FROM tag_push p JOIN channel c ON c.id = p.channel_id JOIN app a ON a.id = c.app_id WHERE a.name = 'left'`);
      expect(pushes).toEqual([{ state: 'skipped' }]);
    } finally {
      fixture.registry.down = false;
    }
  });

  describe('that a node makes for one version', () => {
    const preview = (app: string, version: number) =>
      fixture.call<{ preview: Record<string, unknown> | null }>('GET', `/v1/nodes/node-1/previews/${app}/${version}?engines=3`, { token: fixture.nodeToken });

    it('have the values of production, and the bytes of the version', async () => {
      await push('views', 1);
      await push('views', 2);
      await call('PUT', 'views/variables?channel=production', { colour: 'red' });
      expect(await preview('views', 1)).toMatchObject({ status: 200, body: { preview: { app: 'views', channel: 'v1', hosts: ['v1--views.localhost'], serve: [{ version: 1, percent: 100 }], versions: [{ version: 1 }], variables: { colour: 'red' } } } });
      expect((await call('GET', 'views/versions/1')).body['previewUrl']).toBe('http://v1--views.localhost:3000/');
    });

    it('are not there where previews are closed', async () => {
      expect((await call('GET', 'views/previews')).body).toEqual({ access: 'open' });
      expect(await call('PUT', 'views/previews', { access: 'closed' })).toMatchObject({ status: 200, body: { access: 'closed' } });
      expect((await preview('views', 1)).body.preview).toBeNull();
      await call('PUT', 'views/previews', { access: 'open' });
      expect((await preview('views', 1)).body.preview).not.toBeNull();
    });

    it('are not there without a version, an app, bytes, or a build for the node', async () => {
      expect([await preview('views', 3), await preview('nothing', 1)].map(({ body }) => body.preview)).toEqual([null, null]);
      await fixture.sql(`UPDATE version SET collected_at = now() WHERE number = 1 AND app_id = (SELECT id FROM app WHERE name = 'views')`);
      expect((await preview('views', 1)).body.preview).toBeNull();
      expect((await fixture.call('GET', '/v1/nodes/node-1/previews/views/2?engines=77', { token: fixture.nodeToken })).body).toEqual({ preview: null });
    });
  });

  describe('that are locked', () => {
    it('refuse rollouts and say who locked them and why; a rollback goes', async () => {
      await push('locked', 1);
      await push('locked', 2);
      expect(await call('PUT', 'locked/channels/production/lock', { reason: 'an audit' })).toMatchObject({ status: 200, body: { lock: { reason: 'an audit', until: null, rollback: true, by: expect.any(String) } } });
      const refused = { status: 423, body: { code: 'API_CHANNEL_LOCKED', detail: expect.stringMatching(/locked it at .*: an audit/) } };
      expect(await rollOut('locked', 1)).toMatchObject(refused);
      expect(await push('locked', 3)).toMatchObject(refused);
      expect(await push('locked', 3, 'rollout=none')).toMatchObject({ status: 201, body: { version: 3 } });
      expect(await call('POST', 'locked/rollback?wait=20', {})).toMatchObject({ status: 200, body: { version: 1 } });
      await call('PUT', 'locked/channels/production/lock', { reason: 'an audit', rollback: false });
      expect(await call('POST', 'locked/rollback?wait=20', {})).toMatchObject(refused);
      expect(await call('DELETE', 'locked/channels/production/lock')).toMatchObject({ status: 200, body: { lock: null } });
      expect(await rollOut('locked', 3)).toMatchObject({ status: 200 });
    });

    it('are gone over by force, which is written down', async () => {
      await call('PUT', 'locked/channels/production/lock', { reason: 'an audit' });
      expect(await rollOut('locked', 2, 'force=true')).toMatchObject({ status: 200 });
      expect(await latest('locked', 'production')).toMatchObject({ forced: { by: expect.any(String), over: expect.stringContaining('an audit') } });
    });

    it('pause a rollout under way before its next step, until they are open', async () => {
      await push('midway', 1);
      await push('midway', 2, 'rollout=none');
      await call('POST', 'midway/rollouts?wait=0', { version: 2, rollout: 'steps:10@3s', analysis: { enabled: false } });
      await until(() => node.held.get('midway')?.serve.length === 2);
      await call('PUT', 'midway/channels/production/lock', { reason: 'an audit', until: new Date(Date.now() + 3_600_000).toISOString() });
      await until(async () => (await latest('midway', 'production')).state === 'paused');
      expect(await latest('midway', 'production')).toMatchObject({ phase: 'holding', step: 0, held: { kind: 'lock' }, pausedFor: expect.stringContaining('an audit'), serving: [{ version: 1, percent: 90 }, { version: 2, percent: 10 }] });
      await call('DELETE', 'midway/channels/production/lock');
      await until(async () => (await latest('midway', 'production')).state === 'promoted');
    });
  });

  describe('that are frozen', () => {
    it('let rollouts wait, or refuse them, as the call says; a rollback goes', async () => {
      await push('frozen', 1);
      await push('frozen', 2);
      await call('PATCH', 'frozen/channels/production', { freeze: ALWAYS });
      expect(await push('frozen', 3, 'onFreeze=refuse')).toMatchObject({ status: 409, body: { code: 'API_CHANNEL_FROZEN', detail: expect.stringContaining('a sale, until') } });
      expect(await call('POST', 'frozen/rollback?wait=20', {})).toMatchObject({ status: 200, body: { version: 1 } });
      const waiting = await rollOut('frozen', 2);
      expect(waiting).toMatchObject({ status: 202, body: { state: 'pending', held: { kind: 'freeze', reason: 'a sale', until: expect.any(String) } } });
      expect(await latest('frozen', 'production')).toMatchObject({ state: 'paused', phase: 'preparing', held: { kind: 'freeze' }, pausedFor: expect.stringContaining('a sale') });
      expect(node.serving('frozen')).toBe(1);
      await call('PATCH', 'frozen/channels/production', { freeze: null });
      await until(() => node.serving('frozen') === 2);
      await until(async () => (await latest('frozen', 'production')).state === 'promoted');
    });

    it('let one that waits go on by force', async () => {
      await call('PATCH', 'frozen/channels/production', { freeze: ALWAYS });
      const { body } = await rollOut('frozen', 1);
      expect(await rollOut('frozen', 1, 'force=true')).toMatchObject({ status: 200, body: { rollout: body['rollout'] } });
      expect(await latest('frozen', 'production')).toMatchObject({ state: 'promoted', forced: { over: 'a sale' } });
    });

    it('end one that waits when another is begun', async () => {
      const first = await rollOut('frozen', 2);
      await push('frozen', 9, 'wait=1');
      expect(await call('GET', `frozen/rollouts/${String(first.body['rollout'])}`)).toMatchObject({ body: { state: 'aborted', reason: { code: 'API_ROLLOUT_SUPERSEDED' } } });
    });

    it('pause one under way at its next step, and keep an approval for then', async () => {
      await push('thaw', 1);
      await push('thaw', 2, 'rollout=none');
      await call('POST', 'thaw/rollouts?wait=0', { version: 2, rollout: 'steps:10@manual,50@1s', analysis: { enabled: false } });
      await until(async () => (await latest('thaw', 'production')).state === 'paused');
      await call('PATCH', 'thaw/channels/production', { freeze: ALWAYS });
      const { rollout } = await latest('thaw', 'production');
      expect(await call('POST', `thaw/rollouts/${rollout}/approve?wait=1`, { step: 0 })).toMatchObject({ status: 202 });
      expect(await latest('thaw', 'production')).toMatchObject({ state: 'paused', step: 0, held: { kind: 'freeze' }, steps: [{ approvedBy: expect.any(String) }] });
      await call('PATCH', 'thaw/channels/production', { freeze: [] });
      await until(async () => (await latest('thaw', 'production')).state === 'promoted');
      expect(node.shares.get('thaw')!.slice(-3).map((serve) => serve.at(-1)!.percent)).toEqual([10, 50, 100]);
    });
  });
});
