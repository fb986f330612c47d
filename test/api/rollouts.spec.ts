import { get as httpGet } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import type { SimulatedNode } from './simulated-node.js';
import { until } from './until.js';

describe('rollouts', () => {
  let fixture: ControlPlaneFixture;
  let node: SimulatedNode;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    node = fixture.node();
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 1);
  });
  afterAll(() => fixture.stop());
  afterEach(async () => {
    node.stuck = false;
    node.frozen = false;
    node.broken.clear();
    await node.settle();
  });

  const push = (app: string, seed: number, query = 'wait=20') => fixture.push(app, makeBundle({ ...makeApp(), seed: String(seed) }), query);
  const rollback = (app: string, body: object = {}, headers = {}) => fixture.call('POST', `/v1/apps/${app}/rollback`, { body, headers });

  describe('a rollback', () => {
    it('serves the version before when it answers, and the one after it when it is called again', async () => {
      await push('pendulum', 1);
      await push('pendulum', 2);
      expect(await rollback('pendulum')).toMatchObject({ status: 200, body: { app: 'pendulum', version: 1, state: 'serving', generation: 3, url: 'http://pendulum.localhost:3000/' } });
      expect(node.serving('pendulum')).toBe(1);
      expect(await rollback('pendulum')).toMatchObject({ body: { version: 2, generation: 4 } });
      expect(node.serving('pendulum')).toBe(2);
    });

    it('says how long it took each node until the last answer of the other version', async () => {
      await push('timed', 1);
      await push('timed', 2);
      const { body } = await rollback('timed');
      expect(body).toMatchObject({ switch: { switchedMs: expect.any(Number), lastOldAnswerMs: expect.any(Number), nodes: [{ node: 'node-1' }] } });
      const { switchedMs, lastOldAnswerMs } = body['switch'] as { switchedMs: number; lastOldAnswerMs: number };
      expect(lastOldAnswerMs - switchedMs).toBeCloseTo(1, 5);
      const { body: shown } = await fixture.call('GET', `/v1/apps/timed/rollouts/${body['rollout'] as number}`);
      expect((shown['steps'] as { nodes: unknown[] }[]).at(-1)!.nodes).toHaveLength(1);
    });

    it('serves the version that is named', async () => {
      for (const seed of [1, 2, 3]) await push('named', seed);
      expect(await rollback('named', { to: 1 })).toMatchObject({ body: { version: 1 } });
      expect(node.serving('named')).toBe(1);
      expect(await rollback('named')).toMatchObject({ body: { version: 3 } });
    });

    it('needs no body', async () => {
      await push('bodiless', 1);
      await push('bodiless', 2);
      expect(await fixture.call('POST', '/v1/apps/bodiless/rollback')).toMatchObject({ status: 200, body: { version: 1 } });
    });

    it('changes nothing when the version is served already', async () => {
      await push('steady', 1);
      const { body: before } = await fixture.call('GET', '/v1/apps/steady');
      expect(await rollback('steady', { to: 1 })).toMatchObject({ status: 200, body: { version: 1, generation: before['generation'] } });
      expect((await fixture.call('GET', '/v1/apps/steady')).body).toEqual(before);
    });

    it('keeps the version served before warm, to and fro', async () => {
      await push('warm', 1);
      await push('warm', 2);
      expect(node.held.get('warm')!.versions.map((version) => version.version)).toEqual([1, 2]);
      for (const served of [1, 2, 1]) {
        await rollback('warm');
        expect(node.serving('warm')).toBe(served);
        expect(node.held.get('warm')!.versions.map((version) => version.version)).toEqual([1, 2]);
      }
    });

    it('has nowhere to go when no other version was served', async () => {
      await push('alone', 1);
      expect(await rollback('alone')).toMatchObject({ status: 409, body: { code: 'API_NOTHING_TO_ROLL_BACK_TO' } });
      await push('alone', 2, 'rollout=none');
      expect(await rollback('alone')).toMatchObject({ status: 409 });
    });

    it('does not go to a version that failed', async () => {
      await push('failing', 1);
      node.broken.set('failing/2', { code: 'COMPONENT_TRAP', message: 'no' });
      await push('failing', 2);
      expect(await rollback('failing')).toMatchObject({ status: 409, body: { code: 'API_NOTHING_TO_ROLL_BACK_TO' } });
    });

    it.each([
      ['an app that is not there', 'nobody', {}, 404, 'API_APP_NOT_FOUND'],
      ['a version that is not there', 'pendulum', { to: 77 }, 404, 'API_VERSION_NOT_FOUND'],
      ['a version that is none', 'pendulum', { to: 0 }, 400, 'API_INPUT_INVALID'],
      ['a version out of range', 'pendulum', { to: 2 ** 40 }, 400, 'API_INPUT_INVALID'],
    ])('refuses %s', async (_what, app, body, status, code) => {
      expect(await rollback(app, body)).toMatchObject({ status, body: { code } });
    });

    it('goes ahead of a rollout that is being prepared', async () => {
      await push('overtake', 1);
      await push('overtake', 2);
      const assigned = node.held.get('overtake')!.generation;
      node.stuck = true;
      const pushed = push('overtake', 3);
      await until(async () => ((await fixture.call('GET', '/v1/apps/overtake')).body['rollout'] as object | null) !== null);
      const rolledBack = rollback('overtake');
      await sleep(100);
      node.stuck = false;
      await node.settle();
      expect(await rolledBack).toMatchObject({ status: 200, body: { version: 1 } });
      expect((await pushed).body).toMatchObject({ version: 3 });
      expect(node.serving('overtake')).toBe(1);
      expect(node.held.get('overtake')!.generation).toBeGreaterThan(assigned);
    });

    it('can be made safe to repeat with an Idempotency-Key', async () => {
      await push('repeat', 1);
      await push('repeat', 2);
      const headers = { 'idempotency-key': 'back-1' };
      const first = await rollback('repeat', {}, headers);
      expect(await rollback('repeat', {}, headers)).toMatchObject({ status: 200, body: first.body });
      expect(node.serving('repeat')).toBe(1);
      expect(await rollback('repeat', { to: 2 }, headers)).toMatchObject({ status: 422, body: { code: 'API_IDEMPOTENCY_KEY_REUSED' } });
    });
  });

  describe('a call whose process died before it could answer', () => {
    const die = (): Promise<unknown> => fixture.sql(`UPDATE idempotency_key SET status = NULL, body = NULL, claimed_until = now() - interval '1 second'`);

    it('goes on with what it had begun when it comes again with its key', async () => {
      await push('died', 1);
      await push('died', 2);
      const headers = { 'idempotency-key': 'died-1' };
      const first = await rollback('died', {}, headers);
      await die();
      // A second rollback without `to` would lead forward again.
      const second = await rollback('died', {}, headers);
      expect(second).toMatchObject({ status: 200, body: first.body });
      expect(second.headers.get('idempotency-replayed')).toBeNull();
      expect(node.serving('died')).toBe(1);
    });

    it('is refused with another body', async () => {
      const headers = { 'idempotency-key': 'died-2' };
      await push('died-2', 1);
      await fixture.push('died-2', makeBundle({ ...makeApp(), seed: '2' }), 'wait=20', headers);
      await die();
      expect(await fixture.push('died-2', makeBundle({ ...makeApp(), seed: '3' }), 'wait=20', headers)).toMatchObject({ status: 422, body: { code: 'API_IDEMPOTENCY_KEY_REUSED' } });
      expect(await fixture.push('died-2', makeBundle({ ...makeApp(), seed: '2' }), 'wait=20', headers)).toMatchObject({ status: 200, body: { version: 2 } });
    });

    it('is waited for while it lives, and its answer has its headers again', async () => {
      await push('lives', 1);
      await push('lives', 2);
      const headers = { 'idempotency-key': 'lives-1', prefer: 'respond-async' };
      const first = await rollback('lives', {}, headers);
      const again = await rollback('lives', {}, headers);
      expect([again.status, again.headers.get('location'), again.headers.get('idempotency-replayed')]).toEqual([202, first.headers.get('location'), 'true']);
      await fixture.sql(`UPDATE idempotency_key SET status = NULL, claimed_until = now() + interval '1 minute'`);
      expect(await rollback('lives', {}, headers)).toMatchObject({ status: 409, body: { code: 'API_IDEMPOTENCY_KEY_IN_USE' } });
    });
  });

  describe('If-Match', () => {
    it('lets the call through while the app is as it was seen', async () => {
      await push('match', 1);
      await push('match', 2);
      const etag = (await fixture.call('GET', '/v1/apps/match')).headers.get('etag')!;
      expect(await rollback('match', {}, { 'if-match': etag })).toMatchObject({ status: 200 });
      const { status, body } = await rollback('match', {}, { 'if-match': etag });
      expect([status, body['code']]).toEqual([412, 'API_STATE_CHANGED']);
      expect(body['detail']).toContain('version 1 at 100 %');
      expect(await rollback('match', {}, { 'if-match': '*' })).toMatchObject({ status: 200 });
    });

    it('answers 304 to If-None-Match', async () => {
      const etag = (await fixture.call('GET', '/v1/apps/match')).headers.get('etag')!;
      // fetch would add `Cache-Control: no-cache`, which asks for the whole answer.
      const status = await new Promise((resolve, reject) => {
        httpGet(`${fixture.url()}/v1/apps/match`, { headers: { authorization: `Bearer ${fixture.adminToken}`, 'if-none-match': etag } }, (response) => {
          response.resume();
          resolve(response.statusCode);
        }).on('error', reject);
      });
      expect(status).toBe(304);
    });
  });

  describe('a rollout', () => {
    const rollOut = (app: string, version: number, query = '') => fixture.call('POST', `/v1/apps/${app}/rollouts${query}`, { body: { version } });

    it('serves a version that was only stored', async () => {
      await push('stored', 1);
      await push('stored', 2, 'rollout=none');
      expect(await rollOut('stored', 2)).toMatchObject({ status: 200, body: { version: 2, state: 'serving' } });
      expect(node.serving('stored')).toBe(2);
    });

    it('says why it failed, and what was served before still is', async () => {
      await push('bad', 1);
      await push('bad', 2, 'rollout=none');
      node.broken.set('bad/2', { code: 'COMPONENT_TRAP', message: 'it traps' });
      const { status, body } = await rollOut('bad', 2);
      expect([status, body['code'], body['detail']]).toEqual([422, 'API_ROLLOUT_FAILED', expect.stringContaining('it traps')]);
      expect(node.serving('bad')).toBe(1);
      await until(() => node.held.get('bad')!.versions.length === 1);
    });

    it('answers 202 when the time to wait is up, and goes on', async () => {
      await push('slow', 1);
      await push('slow', 2, 'rollout=none');
      node.stuck = true;
      expect(await rollOut('slow', 2, '?wait=1')).toMatchObject({ status: 202, body: { state: 'pending', generation: null } });
      expect(await fixture.call('GET', '/v1/apps/slow')).toMatchObject({ body: { rollout: { version: 2, state: 'progressing', phase: 'preparing' }, live: [{ version: 1, percent: 100 }] } });
      node.stuck = false;
      await node.settle();
      await until(() => node.serving('slow') === 2);
    });

    it('goes back by itself when a node does not switch in time', async () => {
      await push('stuck', 1);
      node.frozen = true;
      const pushed = push('stuck', 2);
      await until(async () => (await fixture.sql(`SELECT 1 FROM rollout WHERE phase = 'switching' AND ended_at IS NULL AND deadline_at IS NOT NULL`)).length === 1);
      await fixture.sql(`UPDATE rollout SET deadline_at = now() WHERE ended_at IS NULL`);
      expect((await pushed).body).toMatchObject({ version: 2, state: 'failed', reason: { code: 'API_ROLLOUT_TIMEOUT', message: expect.stringContaining('node-1') } });
      expect(await fixture.call('GET', '/v1/apps/stuck')).toMatchObject({ body: { live: [{ version: 1, percent: 100 }] } });
      node.frozen = false;
      await node.settle();
      await until(() => node.serving('stuck') === 1);
      const causes = await fixture.sql(`SELECT cause FROM deployment d JOIN channel c ON c.id = d.channel_id JOIN app a ON a.id = c.app_id WHERE a.name = 'stuck' ORDER BY d.generation`);
      expect(causes.map((row) => row['cause'])).toEqual(['push', 'push', 'revert']);
    });

    it('refuses a body without a version', async () => {
      expect(await fixture.call('POST', '/v1/apps/stored/rollouts', { body: {} })).toMatchObject({ status: 400, body: { errors: { version: [expect.any(String)] } } });
    });
  });

  describe('nodes', () => {
    it('are all waited for', async () => {
      const second = fixture.node('node-2');
      await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 2);
      second.stuck = true;
      const pushed = push('both', 1);
      await until(() => node.held.has('both') && second.held.has('both'));
      await sleep(300);
      expect(node.serving('both')).toBeUndefined();
      second.stuck = false;
      await second.settle();
      expect((await pushed).body).toMatchObject({ state: 'serving' });
      expect([node.serving('both'), second.serving('both')]).toEqual([1, 1]);
      await second.stop();
    });

    it('that are lost are not waited for', async () => {
      // The second node of the test before was heard of last some seconds ago.
      const begun = performance.now();
      expect((await push('lost', 1)).body).toMatchObject({ state: 'serving' });
      expect(performance.now() - begun).toBeLessThan(8_000);
    });

    it('may all be away: the rollout waits for the first to come', async () => {
      await node.stop();
      await fixture.sql(`UPDATE node SET last_seen = now() - interval '1 minute'`);
      expect(await push('waiting', 1, 'wait=1')).toMatchObject({ status: 201, body: { state: 'pending' } });
      node = fixture.node();
      // The second one stays away: it has its time to come back before anything is decided without it.
      await until(() => node.serving('waiting') === 1, 40_000);
      await until(async () => (await fixture.call('GET', '/v1/apps/waiting/versions/1')).body['state'] === 'serving');
    });
  });
});
