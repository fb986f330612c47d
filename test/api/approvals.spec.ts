import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { mintToken, hashToken } from '#platform/token.js';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import type { SimulatedNode } from './simulated-node.js';
import { until } from './until.js';

interface Item {
  rollout: number;
  version: number;
  state: string;
  phase: string;
  reason?: { code: string };
  asks: { name: string }[];
}

describe('approval of what a version asks for', () => {
  let fixture: ControlPlaneFixture;
  let node: SimulatedNode;
  const approver = mintToken();
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    await fixture.sql(`INSERT INTO token (name, sha256, scopes) VALUES ('ann', $1, '{approve}')`, [hashToken(approver)]);
    node = fixture.node();
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 1);
  });
  afterAll(() => fixture.stop());
  afterEach(async () => {
    node.stuck = false;
    await node.settle();
  });

  let seed = 0;
  const bundle = (...hosts: string[]) => {
    const app = makeApp();
    return makeBundle({ ...app, components: [{ ...app.components![0]!, allowedOutboundHosts: hosts }], seed: String(++seed) });
  };
  const push = (app: string, ...hosts: string[]) => fixture.push(app, bundle(...hosts));
  const want = (app: string, approval: object = { newCapabilities: true }) => fixture.call('PUT', `/v1/apps/${app}/channels/production/policy`, { body: { approval } });
  const list = async (app: string) => (await fixture.call<{ items: Item[] }>('GET', `/v1/apps/${app}/rollouts`)).body.items;
  const decide = (app: string, rollout: number, what: 'approve' | 'reject', token = approver, body?: object) => fixture.call('POST', `/v1/apps/${app}/rollouts/${rollout}/${what}`, { token, ...(body && { body }) });
  const stateOf = async (app: string, version: number) => (await fixture.call('GET', `/v1/apps/${app}/versions/${version}`)).body['state'];

  it('is asked for what is new alone, and only where the policy says so', async () => {
    await push('plain', 'https://a');
    expect((await push('plain', 'https://a', 'https://b')).body).toMatchObject({ state: 'serving' });
    await want('plain');
    expect((await push('plain', 'https://a')).body).toMatchObject({ version: 3, state: 'serving' });
    expect((await push('plain', 'https://a', 'https://c')).body).toMatchObject({ version: 4, state: 'awaiting-approval' });
    expect(node.serving('plain')).toBe(3);
  });

  it('is waited for without asking any node to prepare the version, and then it is served', async () => {
    await push('held', 'https://a');
    await want('held');
    const { status, body } = await push('held', 'https://a', 'https://b');
    expect([status, body]).toMatchObject([201, { state: 'awaiting-approval', asks: [{ name: 'https://b' }], rollout: expect.any(Number) }]);
    const [waiting] = await list('held');
    expect(waiting).toMatchObject({ version: 2, state: 'paused', phase: 'awaiting-approval', cause: 'push', causedBy: 'admin', asks: [{ kind: 'outbound-host', name: 'https://b', components: ['web'] }], decidedBy: null, endedAt: null });
    expect(await fixture.call('GET', '/v1/apps/held')).toMatchObject({ body: { rollout: { version: 2, state: 'paused', phase: 'awaiting-approval' } } });
    expect(node.held.get('held')!.versions.map(({ version }) => version)).toEqual([1]);

    expect(await decide('held', waiting!.rollout, 'approve')).toMatchObject({ status: 200, body: { version: 2, state: 'serving' } });
    expect(node.serving('held')).toBe(2);
    expect((await list('held'))[0]).toMatchObject({ state: 'promoted', decidedBy: 'ann', asks: [{ name: 'https://b' }] });
    // What is served now is what counts from then on.
    expect((await push('held', 'https://b')).body).toMatchObject({ state: 'serving' });
  });

  it('can be refused, with a reason that the version shows', async () => {
    await push('refused', 'https://a');
    await want('refused');
    await push('refused', 'https://b');
    const [waiting] = await list('refused');
    expect(await decide('refused', waiting!.rollout, 'reject', approver, { reason: 'no outbound calls' })).toMatchObject({
      status: 200, body: { state: 'aborted', decidedBy: 'ann', reason: { code: 'API_ROLLOUT_REJECTED', message: 'ann rejected it: no outbound calls' } },
    });
    expect(await fixture.call('GET', '/v1/apps/refused/versions/2')).toMatchObject({ body: { state: 'failed', reason: { code: 'API_ROLLOUT_REJECTED' } } });
    expect(node.serving('refused')).toBe(1);
    expect(await decide('refused', waiting!.rollout, 'approve')).toMatchObject({ status: 409, body: { code: 'API_ROLLOUT_DECIDED' } });
    expect(await fixture.call('POST', '/v1/apps/refused/rollouts', { body: { version: 2 } })).toMatchObject({ status: 202, body: { state: 'awaiting-approval', asks: [{ name: 'https://b' }], rollout: expect.any(Number) } });
  });

  it('ends with a later push, which is asked about by itself', async () => {
    await push('newer', 'https://a');
    await want('newer');
    await push('newer', 'https://b');
    const [older] = await list('newer');
    await push('newer', 'https://c');
    expect((await list('newer')).map(({ version, state, reason }) => [version, state, reason?.code])).toEqual([[3, 'paused', undefined], [2, 'aborted', 'API_ROLLOUT_SUPERSEDED'], [1, 'promoted', undefined]]);
    expect(await decide('newer', older!.rollout, 'approve')).toMatchObject({ status: 409 });
    expect((await push('newer', 'https://a')).body).toMatchObject({ state: 'serving' });
    expect((await list('newer')).map(({ state }) => state)).toEqual(['promoted', 'aborted', 'aborted', 'promoted']);
    expect(await stateOf('newer', 3)).toBe('ready');
  });

  it('joins a second push of the same bytes', async () => {
    await push('twice', 'https://a');
    await want('twice');
    const same = bundle('https://b');
    await fixture.push('twice', same);
    expect(await fixture.push('twice', same)).toMatchObject({ status: 200, body: { version: 2, state: 'awaiting-approval' } });
    expect((await list('twice')).map(({ version }) => version)).toEqual([2, 1]);
  });

  it('is not asked for a rollback to what was served before, but for one to what never was', async () => {
    await push('back', 'https://a', 'https://b');
    await push('back', 'https://a');
    await fixture.push('back', bundle('https://c'), 'rollout=none');
    await want('back');
    expect(await fixture.call('POST', '/v1/apps/back/rollback', { body: { to: 3 } })).toMatchObject({ status: 202, body: { state: 'awaiting-approval' } });
    expect(await fixture.call('POST', '/v1/apps/back/rollback', { body: { to: 1 } })).toMatchObject({ status: 200, body: { version: 1, state: 'serving' } });
    expect((await list('back'))[1]).toMatchObject({ version: 3, state: 'aborted', reason: { code: 'API_ROLLOUT_SUPERSEDED' } });
  });

  it('of a first version is about all that it asks for', async () => {
    await fixture.push('first', bundle('https://a'), 'rollout=none');
    await want('first');
    expect(await fixture.call('POST', '/v1/apps/first/rollouts', { body: { version: 1 } })).toMatchObject({ status: 202, body: { asks: [{ name: 'https://a' }] } });
    expect(await decide('first', (await list('first'))[0]!.rollout, 'approve')).toMatchObject({ status: 200 });
  });

  it('is given by another where the policy wants that', async () => {
    await push('pair', 'https://a');
    await want('pair', { newCapabilities: true, byAnother: true });
    await push('pair', 'https://b');
    const [{ rollout }] = (await list('pair')) as [Item];
    const { status, body } = await decide('pair', rollout, 'approve', fixture.adminToken);
    expect([status, body['code'], body['detail']]).toEqual([403, 'API_APPROVAL_BY_ANOTHER', expect.stringContaining('admin has pushed the version')]);
    expect(await decide('pair', rollout, 'reject', fixture.adminToken)).toMatchObject({ status: 403 });
    expect(await decide('pair', rollout, 'approve')).toMatchObject({ status: 200 });
  });

  it('needs the scope, which allows nothing else', async () => {
    await push('scoped', 'https://a');
    await want('scoped');
    await push('scoped', 'https://b');
    const [{ rollout }] = (await list('scoped')) as [Item];
    expect(await decide('scoped', rollout, 'approve', fixture.nodeToken)).toMatchObject({ status: 403, body: { code: 'API_SCOPE_MISSING' } });
    for (const path of ['rollouts', 'versions/2', 'versions/1/diff/2']) expect(await fixture.call('GET', `/v1/apps/scoped/${path}`, { token: approver })).toMatchObject({ status: 200 });
    expect(await fixture.call('PUT', '/v1/apps/scoped/channels/production/policy', { body: {}, token: approver })).toMatchObject({ status: 403 });
    expect(await fixture.call('DELETE', '/v1/apps/scoped', { token: approver })).toMatchObject({ status: 403 });
  });

  it('given once is not taken back by a node that reported an old failure of the version', async () => {
    await push('stale', 'https://a');
    await want('stale');
    await push('stale', 'https://b');
    node.broken.set('stale/2', { code: 'COMPONENT_TRAP', message: 'it traps' });
    await node.settle();
    node.broken.delete('stale/2');
    expect(await decide('stale', (await list('stale'))[0]!.rollout, 'approve')).toMatchObject({ status: 200 });
  });

  it('is about what was shown: when the app serves less by then, it is shown anew', async () => {
    await push('less', 'https://a', 'https://b');
    await want('less');
    // As when an older rollout, to a version that asks for less, ends after this one began to wait.
    await fixture.push('less', bundle(), 'rollout=none');
    await push('less', 'https://b', 'https://c');
    const [{ rollout, asks }] = (await list('less')) as [Item];
    expect(asks.map(({ name }) => name)).toEqual(['https://c']);
    await fixture.sql(`UPDATE channel SET serve = '[{"version":2,"percent":100}]' WHERE app_id = (SELECT id FROM app WHERE name = 'less')`);
    expect(await decide('less', rollout, 'approve')).toMatchObject({ status: 412, body: { code: 'API_STATE_CHANGED' } });
    expect((await list('less'))[0]!.asks.map(({ name }) => name)).toEqual(['https://b', 'https://c']);
    expect(await decide('less', rollout, 'approve')).toMatchObject({ status: 200 });
  });

  it('is waited for by another process after a restart', async () => {
    await push('restart', 'https://a');
    await want('restart');
    await push('restart', 'https://b');
    await fixture.startReplica();
    await fixture.stopReplica(0);
    node.baseUrl = fixture.url();
    const [{ rollout, state, phase }] = (await list('restart')) as [Item];
    expect([state, phase]).toEqual(['paused', 'awaiting-approval']);
    expect(await decide('restart', rollout, 'approve')).toMatchObject({ status: 200, body: { state: 'serving' } });
  });

  it.each([
    ['an app that is not there', 'nobody', 1, 'API_APP_NOT_FOUND'],
    ['a rollout that is not there', 'held', 999_999, 'API_ROLLOUT_NOT_FOUND'],
    ['a rollout of another app', 'held', -1, 'API_ROLLOUT_NOT_FOUND'],
  ])('refuses %s', async (_what, app, given, code) => {
    const rollout = given < 0 ? (await list('plain'))[0]!.rollout : given;
    expect(await decide(app, rollout, 'approve')).toMatchObject({ status: 404, body: { code } });
    expect(await fixture.call('GET', `/v1/apps/${app}/rollouts/${rollout}`)).toMatchObject({ status: 404 });
  });

  it('pages through the rollouts', async () => {
    const first = await fixture.call<{ items: Item[]; next: string }>('GET', '/v1/apps/newer/rollouts?limit=3');
    const second = await fixture.call<{ items: Item[]; next: null }>('GET', `/v1/apps/newer/rollouts?limit=3&cursor=${first.body.next}`);
    expect([first.body.items.length, second.body.items.length, second.body.next]).toEqual([3, 1, null]);
  });
});
