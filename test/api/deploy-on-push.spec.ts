import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WhorlError } from '#contract/errors.js';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import { until } from './until.js';

interface Rule {
  rule: { tags?: string; semver?: string } | null;
  setBy: string | null;
  pushes: { tag: string; digest: string; state: string; version: number | null; reason?: { code: string; message: string } }[];
}

let api: ControlPlaneFixture;
beforeAll(async () => {
  api = await ControlPlaneFixture.start();
});
afterAll(() => api.stop());

const path = (app: string) => `/v1/apps/${app}/channels/production/deploy-on-push`;
const put = (app: string, body: unknown, headers: Record<string, string> = {}) => api.call<Rule>('PUT', path(app), { body, headers });
const pushes = async (app: string) => (await api.call<Rule>('GET', path(app))).body.pushes.map(({ tag, state, version }) => `${tag} ${state}${version === null ? '' : ` ${version}`}`);
const bundle = (seed: string) => makeBundle({ ...makeApp(), seed });
/** By the database's clock. */
const now = async () => (await api.sql('SELECT clock_timestamp() AS now'))[0]!['now'] as Date;
const push = async (app: string, tag: string, { seed = tag, tell = true }: { seed?: string; tell?: boolean } = {}) => api.registry.pushTag(app, tag, bundle(seed), { tell, pushedAt: await now() });
const live = async (app: string) => (await api.call<{ live: { version: number }[] }>('GET', `/v1/apps/${app}`)).body.live;
const versions = async (app: string) => (await api.call<{ items: { version: number }[] }>('GET', `/v1/apps/${app}/versions`)).body.items.length;
let current = 0;
/** The control plane ends, and another one begins. */
const restart = async (between: () => Promise<unknown>) => {
  await api.stopReplica(current);
  await between();
  current = await api.startReplica();
};

describe('deploy on push, when the control plane ends in between', () => {
  it('deploys a tag that was pushed just before the control plane ended, once', async () => {
    await put('crash', { tags: '*' });
    await put('witness', { tags: '*' });
    await restart(() => push('crash', 'latest', { tell: false }));
    await until(async () => (await pushes('crash'))[0] === 'latest deployed 1');
    await restart(() => push('witness', 'latest', { tell: false }));
    await until(async () => (await pushes('witness'))[0] === 'latest deployed 1');
    expect(await pushes('crash')).toEqual(['latest deployed 1']);
    expect(await versions('crash')).toBe(1);
    expect(await api.sql(`SELECT count(*)::int AS deployed FROM rollout r JOIN channel c ON c.id = r.channel_id JOIN app a ON a.id = c.app_id WHERE a.name = 'crash'`)).toEqual([{ deployed: 1 }]);
  });

  it('deploys the last one of a tag that moves twice while nobody looks', async () => {
    await put('moving', { tags: 'latest' });
    await restart(async () => {
      await push('moving', 'latest', { seed: 'first', tell: false });
      await push('moving', 'latest', { seed: 'second', tell: false });
    });
    await until(async () => (await pushes('moving'))[0] === 'latest deployed 1');
    expect(await versions('moving')).toBe(1);
    expect((await api.call<Rule>('GET', path('moving'))).body.pushes).toMatchObject([{ digest: api.registry.tags.get('moving:latest')!.digest, state: 'deployed', version: 1 }]);
  });

  it('takes over from a control plane that died while it deployed', async () => {
    await put('orphan', { tags: '*' });
    await restart(async () => {
      await push('orphan', 'latest', { tell: false });
      await api.sql(`UPDATE deploy_on_push SET claimed_by = gen_random_uuid(), claimed_until = now() + interval '200 milliseconds'`);
      await until(async () => (await api.sql('SELECT FROM deploy_on_push WHERE claimed_until > now()')).length === 0);
    });
    await until(async () => (await pushes('orphan'))[0] === 'latest deployed 1');
  });

  it('leaves alone what another control plane deploys now', async () => {
    await put('busy', { tags: '*' });
    await restart(async () => {
      await push('busy', 'latest', { tell: false });
      await push('witness', 'again', { tell: false });
      await api.sql(`UPDATE deploy_on_push d SET claimed_by = gen_random_uuid(), claimed_until = now() + interval '1 hour'
        FROM channel c JOIN app a ON a.id = c.app_id WHERE c.id = d.channel_id AND a.name = 'busy'`);
    });
    await until(async () => (await pushes('witness'))[0] === 'again deployed 2');
    expect(await versions('busy')).toBe(0);
  });
});

describe('deploy on push', () => {
  beforeAll(() => void api.node(undefined, current));

  it('makes a version of a tag that matches, serves it, and says so', async () => {
    expect(await put('shop', { tags: 'release-*' })).toMatchObject({ status: 200, body: { app: 'shop', channel: 'production', rule: { tags: 'release-*' }, pushes: [] } });
    await push('shop', 'main');
    await push('shop', 'release-1');
    await until(async () => (await live('shop'))[0]?.version === 1);
    const { digest } = api.registry.tags.get('shop:release-1')!;
    expect((await api.call('GET', path('shop'))).body).toMatchObject({ pushes: [{ tag: 'release-1', digest, state: 'deployed', version: 1 }] });
    // The node's report that it has switched is on its way.
    await until(async () => (await api.call('GET', '/v1/apps/shop/versions/1')).body['state'] !== 'pending');
    expect((await api.call('GET', '/v1/apps/shop/versions/1')).body).toMatchObject({ pushedBy: 'deploy-on-push', image: { reference: `shop:release-1@${digest}` }, state: 'serving' });
  });

  it('deploys nothing that was pushed before the rule, and nothing of another app', async () => {
    await push('before', '1.0.0');
    await put('before', { semver: '*' });
    await push('other', '2.0.0');
    await push('before', '1.0.1');
    await until(async () => (await pushes('before')).length > 0);
    expect(await pushes('before')).toEqual([expect.stringMatching(/^1\.0\.1 (pending|deployed 1)/)]);
    expect((await api.call('GET', '/v1/apps/other')).status).toBe(404);
  });

  it('never lets an older version take the place of a newer one', async () => {
    await put('semver', { semver: '^1' });
    await push('semver', 'v1.10.0');
    await until(async () => (await live('semver'))[0]?.version === 1);
    await push('semver', 'v1.9.0');
    await push('semver', '2.0.0');
    await push('semver', '1.11.0-rc.1');
    await until(async () => (await pushes('semver')).length === 2);
    await until(async () => !(await pushes('semver')).some((each) => each.includes('pending')));
    expect(await pushes('semver')).toEqual(['v1.9.0 skipped', 'v1.10.0 deployed 1']);
    expect((await api.call<Rule>('GET', path('semver'))).body.pushes[0]!.reason).toEqual({ code: 'API_PUSH_SUPERSEDED', message: 'v1.10.0 is newer, and was deployed before' });
    await push('semver', 'v1.10.1');
    await until(async () => (await live('semver'))[0]?.version === 2);
  });

  it('deploys each push once with several control planes', async () => {
    await put('several', { tags: '*' });
    const second = await api.startReplica();
    await push('several', 'a');
    await until(async () => (await live('several'))[0]?.version === 1);
    await push('several', 'b');
    await until(async () => (await live('several'))[0]?.version === 2);
    await api.stopReplica(second);
    expect(await pushes('several')).toEqual(['b deployed 2', 'a deployed 1']);
    expect(await versions('several')).toBe(2);
  });

  it('goes back to an image whose tag is pushed again', async () => {
    await put('again', { tags: '*' });
    for (const [seed, version] of [['a', 1], ['b', 2], ['a', 1]] as const) {
      await push('again', 'latest', { seed });
      await until(async () => (await live('again'))[0]?.version === version);
    }
    expect(await pushes('again')).toEqual(['latest deployed 1', 'latest deployed 2', 'latest deployed 1']);
  });

  it('makes nothing of a push whose rule ends while its image is taken in', async () => {
    await put('ended', { tags: '*' });
    const ended = new Promise<void>((resolve) => {
      api.registry.whileTaking = async () => {
        await api.call('DELETE', path('ended'));
        resolve();
      };
    });
    await push('ended', 'a');
    await ended;
    await put('ended', { tags: 'b' });
    await push('ended', 'b');
    await until(async () => (await pushes('ended'))[0] === 'b deployed 1');
    expect(await pushes('ended')).toEqual(['b deployed 1', 'a skipped']);
  });

  it('deploys a tag that moves while its image is taken in, and then what it moved to', async () => {
    await put('moved', { tags: '*' });
    api.registry.whileTaking = () => push('moved', 'latest', { seed: 'second' });
    await push('moved', 'latest', { seed: 'first' });
    await until(async () => (await live('moved'))[0]?.version === 2);
    expect(await pushes('moved')).toEqual(['latest deployed 2', 'latest deployed 1']);
  });

  it('says why a push cannot be deployed, and makes nothing of it', async () => {
    await put('broken', { tags: '*' });
    api.registry.pushTag('broken', 'bad', Buffer.from('no bundle'), { pushedAt: await now() });
    await until(async () => (await pushes('broken'))[0] === 'bad failed');
    expect((await api.call<Rule>('GET', path('broken'))).body.pushes[0]!.reason).toMatchObject({ code: 'API_BODY_MALFORMED' });
    api.registry.pushTag('broken', 'needs', makeBundle(makeApp({ key: { secret: true } })), { pushedAt: await now() });
    await until(async () => (await pushes('broken'))[0] === 'needs failed');
    expect((await api.call<Rule>('GET', path('broken'))).body.pushes[0]!.reason).toMatchObject({ code: 'API_VARIABLE_REQUIRED' });
    expect(await versions('broken')).toBe(0);
  });

  it('keeps the last 50 pushes', async () => {
    await put('long', { tags: '*' });
    await push('long', 'first');
    await until(async () => (await pushes('long'))[0] === 'first deployed 1');
    await api.sql(`INSERT INTO tag_push (channel_id, tag, digest, pushed_at, state, ended_at)
      SELECT c.id, 'old-' || n, 'sha256:' || repeat('0', 64), now() - interval '90 minutes', 'skipped', now() - interval '90 minutes' FROM channel c JOIN app a ON a.id = c.app_id, generate_series(1, 60) n WHERE a.name = 'long'`);
    await push('long', 'second');
    await until(async () => (await pushes('long'))[0] === 'second deployed 2');
    expect(await api.sql(`SELECT count(*)::int AS kept FROM tag_push p JOIN channel c ON c.id = p.channel_id JOIN app a ON a.id = c.app_id WHERE a.name = 'long'`)).toEqual([{ kept: 50 }]);
    expect(await versions('long')).toBe(2);
  });

  it('tries again what failed by no fault of the app', async () => {
    await put('down', { tags: '*' });
    api.registry.down = true;
    try {
      await push('down', '1');
      await until(async () => (await api.call<Rule>('GET', path('down'))).body.pushes[0]?.reason !== undefined);
      expect(await pushes('down')).toEqual(['1 pending']);
      expect((await api.call<Rule>('GET', path('down'))).body.pushes[0]!.reason!.code).toBe(new WhorlError('API_OVERLOADED', '').code);
    } finally {
      api.registry.down = false;
    }
    await api.sql(`UPDATE tag_push SET retry_at = now() WHERE state = 'pending'`);
    await push('down', '2');
    await until(async () => (await live('down')).length > 0);
    expect(await pushes('down')).toEqual(['2 deployed 1', '1 skipped']);
  });

  it('is changed by whoever knows what it is, and ended', async () => {
    const first = await put('rules', { tags: 'a' });
    const etag = first.headers.get('etag')!;
    expect((await put('rules', { tags: 'a' })).headers.get('etag')).toBe(etag);
    expect((await put('rules', { semver: '1.x' }, { 'if-match': etag })).body.rule).toEqual({ semver: '1.x' });
    expect(await put('rules', { tags: 'b' }, { 'if-match': etag })).toMatchObject({ status: 412, body: { code: 'API_STATE_CHANGED' } });
    expect((await api.call('DELETE', path('rules'))).status).toBe(204);
    expect((await api.call<Rule>('GET', path('rules'))).body).toMatchObject({ rule: null, setBy: null });
    await push('rules', '1.0.0');
    await push('rules', 'a');
    expect(await pushes('rules')).toEqual([]);
  });

  it.each([[{}], [{ tags: 'a', semver: '1' }], [{ tags: '[' }], [{ semver: 'newest' }], [{ tags: '' }]])('refuses the rule %j', async (body) => {
    expect(await put('shop', body)).toMatchObject({ status: 400, body: { code: 'API_INPUT_INVALID' } });
  });

  it('refuses a channel that is not there', async () => {
    expect(await api.call('GET', '/v1/apps/shop/channels/staging/deploy-on-push')).toMatchObject({ status: 404, body: { code: 'API_CHANNEL_NOT_FOUND' } });
    expect(await api.call('GET', '/v1/apps/nobody/channels/production/deploy-on-push')).toMatchObject({ status: 404, body: { code: 'API_APP_NOT_FOUND' } });
  });
});
