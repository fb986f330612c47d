import { createHash, randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import type { SimulatedNode } from './simulated-node.js';
import { until } from './until.js';

describe('versions', () => {
  let fixture: ControlPlaneFixture;
  let node: SimulatedNode;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    node = fixture.node();
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 1);
  });
  afterAll(() => fixture.stop());

  const bundle = (seed: string): Buffer<ArrayBuffer> => makeBundle({ ...makeApp(), seed });

  describe('a push', () => {
    it('makes the app and serves its first version', async () => {
      const bytes = bundle('one');
      const { status, headers, body } = await fixture.push('first', bytes);
      expect([status, body]).toEqual([
        201,
        { app: 'first', version: 1, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, state: 'serving', url: 'http://first.localhost:3000/', warnings: [] },
      ]);
      expect(headers.get('location')).toBe('/v1/apps/first/versions/1');
      expect(node.serving('first')).toBe(1);
    });

    it('warns of what the manifest asks above what the nodes give, and the version says what it gets', async () => {
      const { components, ...app } = makeApp();
      const greedy = { ...app, components: components!.map((component) => ({ ...component, limits: { cpuMs: 60_000, wallMs: 10 } })) };
      node.limits = { cpuMs: 30_000, wallMs: 30_000, queueMs: 5 };
      await node.settle();
      const { body } = await fixture.push('greedy', makeBundle(greedy), 'rollout=none');
      expect(body['warnings']).toEqual([expect.stringMatching(/web\.tool\.whorl\.cpu_ms: 60000 .* 30000/)]);
      expect((await fixture.call('GET', '/v1/apps/greedy/versions/1')).body).toMatchObject({ components: [{ id: 'web', limits: { cpuMs: 30_000, wallMs: 10, queueMs: 5 } }] });
      // Nodes of an older release do not say.
      delete node.limits;
      await node.settle();
      expect((await fixture.push('greedy', makeBundle({ ...greedy, seed: '2' } as never), 'rollout=none')).body['warnings']).toEqual([]);
    });

    it.each(['application/gzip', 'application/x-gzip', 'application/octet-stream'])('takes %s', async (type) => {
      expect(await fixture.push('types', bundle(type), 'rollout=none', { 'content-type': type })).toMatchObject({ status: 201 });
    });

    it.each(['application/x-www-form-urlencoded', 'text/plain'])('refuses %s and says what to send', async (type) => {
      const { status, body } = await fixture.push('types-bad', Buffer.from('{}'), '', { 'content-type': type });
      expect([status, body['code']]).toEqual([415, 'API_MEDIA_TYPE_UNSUPPORTED']);
      expect(body['detail']).toContain('application/gzip');
    });

    it.each(['UPPER', 'a_b', '-a', 'a--b', 'a'.repeat(64), 'a.b'])('refuses the app name %s', async (name) => {
      expect(await fixture.push(name, bundle('x'))).toMatchObject({ status: 400, body: { code: 'API_INPUT_INVALID', errors: { app: [expect.any(String)] } } });
    });

    it.each(['rollout=later', 'wait=301', 'wait=-1', 'wait=x'])('refuses ?%s', async (query) => {
      expect(await fixture.push('query', bundle('x'), query)).toMatchObject({ status: 400, body: { code: 'API_INPUT_INVALID' } });
    });

    it('leaves nothing behind when the bundle is refused, not even the app', async () => {
      expect(await fixture.push('refused', gzipSync('not an app'))).toMatchObject({ status: 400 });
      expect(await fixture.call('GET', '/v1/apps/refused')).toMatchObject({ status: 404 });
      expect(await fixture.push('refused', bundle('x'))).toMatchObject({ status: 201, body: { version: 1 } });
    });

    it('answers 200 with the version for bytes that are one already', async () => {
      await fixture.push('same', bundle('1'));
      const again = await fixture.push('same', bundle('1'));
      expect(again).toMatchObject({ status: 200, body: { version: 1, state: 'serving' } });
      expect(await fixture.push('same', bundle('2'))).toMatchObject({ status: 201, body: { version: 2 } });
    });

    it('rolls bytes out that are a version already, but not the one served', async () => {
      await fixture.push('back', bundle('1'));
      await fixture.push('back', bundle('2'));
      expect(await fixture.push('back', bundle('1'))).toMatchObject({ status: 200, body: { version: 1, state: 'serving' } });
      expect(node.serving('back')).toBe(1);
    });

    it('only stores the version with rollout=none', async () => {
      expect(await fixture.push('stored', bundle('1'), 'rollout=none&wait=5')).toMatchObject({ status: 201, body: { version: 1, state: 'ready' } });
      expect(await fixture.call('GET', '/v1/apps/stored')).toMatchObject({ body: { live: [], latestVersion: 1, rollout: null } });
      expect(node.held.has('stored')).toBe(false);
    });

    it('answers at once without wait', async () => {
      node.stuck = true;
      try {
        expect(await fixture.push('nowait', bundle('1'), '')).toMatchObject({ status: 201, body: { state: 'pending' } });
      } finally {
        node.stuck = false;
        await node.settle();
      }
    });

    it('says why a version cannot serve, and the one before still does', async () => {
      await fixture.push('broken', bundle('1'));
      node.broken.set('broken/2', { code: 'COMPONENT_TRAP', message: 'web traps at start' });
      expect(await fixture.push('broken', bundle('2'))).toMatchObject({
        status: 201, body: { version: 2, state: 'failed', reason: { code: 'COMPONENT_TRAP', message: 'web traps at start (node node-1)' } },
      });
      expect(node.serving('broken')).toBe(1);
      expect(await fixture.call('GET', '/v1/apps/broken')).toMatchObject({ body: { live: [{ version: 1, percent: 100 }], latestVersion: 2 } });
      expect(await fixture.call('GET', '/v1/apps/broken/versions/2')).toMatchObject({ body: { state: 'failed', reason: { code: 'COMPONENT_TRAP' } } });

      node.broken.delete('broken/2');
      expect(await fixture.push('broken', bundle('2'))).toMatchObject({ status: 200, body: { version: 2, state: 'serving' } });
      expect((await fixture.call('GET', '/v1/apps/broken/versions/2')).body).not.toHaveProperty('reason');
    });

    it('refuses a version whose required variable has no value, by name', async () => {
      const needy = makeBundle(makeApp({ greeting: { secret: false }, colour: { secret: false, default: 'red' } }));
      const { status, body } = await fixture.push('needy', needy);
      expect([status, body['code'], body['errors']]).toEqual([422, 'API_VARIABLE_REQUIRED', { greeting: [expect.any(String)] }]);
      expect(await fixture.call('GET', '/v1/apps/needy')).toMatchObject({ status: 404 });

      await fixture.call('PUT', '/v1/apps/needy/variables', { body: { greeting: 'hi' } });
      expect(await fixture.push('needy', needy)).toMatchObject({ status: 201, body: { version: 1, state: 'serving' } });
    });

    it('stores a version whose variable is missing when it is not rolled out, and refuses its rollout', async () => {
      expect(await fixture.push('later', makeBundle(makeApp({ key: { secret: true } })), 'rollout=none')).toMatchObject({ status: 201, body: { state: 'ready' } });
      expect(await fixture.call('POST', '/v1/apps/later/rollouts', { body: { version: 1 } })).toMatchObject({ status: 422, body: { code: 'API_VARIABLE_REQUIRED', errors: { key: [expect.any(String)] } } });
    });

    it('numbers racing pushes without gaps, and the last one serves', async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => fixture.push('race', bundle(`race ${i}`))));
      expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 8 }, () => 201));
      expect(answers.map((answer) => answer.body['version']).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
      for (const { body } of answers) expect(['serving', 'ready']).toContain(body['state']);
      expect(await fixture.call('GET', '/v1/apps/race')).toMatchObject({ body: { live: [{ version: 8, percent: 100 }], rollout: null } });
      expect(node.serving('race')).toBe(8);
    });

    it('makes one version of the same bytes pushed several times at once', async () => {
      const answers = await Promise.all(Array.from({ length: 5 }, () => fixture.push('twins', bundle('t'))));
      expect(answers.map((answer) => answer.status).sort()).toEqual([200, 200, 200, 200, 201]);
      expect(new Set(answers.map((answer) => answer.body['version']))).toEqual(new Set([1]));
    });
  });

  describe('the upload', () => {
    it('hears of a client that goes away, and keeps nothing', async () => {
      const before = fixture.registry.aborted;
      const call = httpRequest(`${fixture.url()}/v1/apps/aborted/versions`, { method: 'POST', headers: { authorization: `Bearer ${fixture.adminToken}`, 'content-type': 'application/gzip', 'content-length': 1000 } });
      call.on('error', () => {});
      call.write('abc');
      await until(async () => fixture.registry.received > 0);
      call.destroy();
      await until(async () => fixture.registry.aborted === before + 1);
      expect(await fixture.call('GET', '/v1/apps/aborted')).toMatchObject({ status: 404 });
    });

    it('answers an Expect: 100-continue', async () => {
      const bytes = bundle('expect');
      const answer = await new Promise<{ status: number; continued: boolean }>((resolve, reject) => {
        let continued = false;
        const call = httpRequest(`${fixture.url()}/v1/apps/expect/versions`, {
          method: 'POST', headers: { authorization: `Bearer ${fixture.adminToken}`, 'content-type': 'application/gzip', 'content-length': bytes.length, expect: '100-continue' },
        });
        call.on('continue', () => {
          continued = true;
          call.end(bytes);
        });
        call.on('response', (response) => {
          response.resume();
          resolve({ status: response.statusCode!, continued });
        });
        call.on('error', reject);
        call.flushHeaders();
      });
      expect(answer).toEqual({ status: 201, continued: true });
    });

    it('answers a refused upload that is still under way, and does not read it for ever', async () => {
      const answer = await new Promise<{ status: number; code: string }>((resolve, reject) => {
        const call = httpRequest(`${fixture.url()}/v1/apps/large/versions`, {
          method: 'POST', headers: { authorization: `Bearer ${fixture.adminToken}`, 'content-type': 'application/gzip', 'transfer-encoding': 'chunked' },
        });
        call.on('error', reject);
        const chunk = randomBytes(1024 * 1024);
        const feed = (): void => {
          if (call.destroyed) return;
          if (call.write(chunk)) setImmediate(feed);
          else call.once('drain', feed);
        };
        call.on('response', (response) => {
          let text = '';
          response.on('data', (data: Buffer) => (text += data.toString())).on('end', () => {
            call.destroy();
            resolve({ status: response.statusCode!, code: (JSON.parse(text) as { code: string }).code });
          });
        });
        feed();
      });
      expect(answer).toEqual({ status: 413, code: 'API_BODY_TOO_LARGE' });
    });

    it('takes a chunked body', async () => {
      const bytes = bundle('chunked');
      const stream = new ReadableStream({
        async start(controller) {
          for (let i = 0; i < bytes.length; i += 50) {
            controller.enqueue(bytes.subarray(i, i + 50));
            await sleep(1);
          }
          controller.close();
        },
      });
      const response = await fetch(`${fixture.url()}/v1/apps/chunked/versions?wait=10`, {
        method: 'POST', headers: { authorization: `Bearer ${fixture.adminToken}`, 'content-type': 'application/gzip' }, body: stream, duplex: 'half',
      } as RequestInit);
      expect([response.status, ((await response.json()) as { state: string }).state]).toEqual([201, 'serving']);
    });
  });

  describe('an Idempotency-Key', () => {
    it('gives the first answer again', async () => {
      const headers = { 'idempotency-key': 'push-1' };
      const first = await fixture.push('idem', bundle('1'), 'wait=10', headers);
      await fixture.push('idem', bundle('2'));
      const again = await fixture.push('idem', bundle('1'), 'wait=10', headers);
      expect(again).toMatchObject({ status: 201, body: first.body });
      expect(again.headers.get('idempotency-replayed')).toBe('true');
      expect(node.serving('idem')).toBe(2);
    });

    it('is refused for other bytes, and for another query', async () => {
      const headers = { 'idempotency-key': 'push-2' };
      await fixture.push('idem-2', bundle('1'), 'wait=10', headers);
      expect(await fixture.push('idem-2', bundle('2'), 'wait=10', headers)).toMatchObject({ status: 422, body: { code: 'API_IDEMPOTENCY_KEY_REUSED' } });
      expect(await fixture.push('idem-2', bundle('1'), 'rollout=none', headers)).toMatchObject({ status: 422, body: { code: 'API_IDEMPOTENCY_KEY_REUSED' } });
    });

    it('is free again after a failure', async () => {
      const headers = { 'idempotency-key': 'push-3' };
      expect(await fixture.push('idem-3', gzipSync('nothing'), 'wait=10', headers)).toMatchObject({ status: 400 });
      expect(await fixture.push('idem-3', bundle('1'), 'wait=10', headers)).toMatchObject({ status: 201 });
    });

    it('belongs to one app and one call', async () => {
      const headers = { 'idempotency-key': 'push-4' };
      expect(await fixture.push('idem-4', bundle('1'), 'wait=10', headers)).toMatchObject({ status: 201 });
      expect(await fixture.push('idem-5', bundle('1'), 'wait=10', headers)).toMatchObject({ status: 201 });
    });

    it('lets one of several requests at once through', async () => {
      const headers = { 'idempotency-key': 'push-6' };
      const answers = await Promise.all(Array.from({ length: 4 }, () => fixture.push('idem-6', bundle('1'), 'wait=10', headers)));
      const statuses = answers.map((answer) => answer.status);
      expect(statuses).toContain(201);
      for (const status of statuses) expect([201, 409]).toContain(status);
    });

    it.each([['empty', ''], ['two words', 'a b'], ['long', 'x'.repeat(256)]])('must be one short word: not %s', async (_name, key) => {
      expect(await fixture.push('idem-7', bundle('1'), '', { 'idempotency-key': key })).toMatchObject({ status: 400, body: { errors: { 'Idempotency-Key': [expect.any(String)] } } });
    });
  });

  describe('what is shown', () => {
    it('lists versions newest first, page by page', async () => {
      for (const seed of ['1', '2', '3']) await fixture.push('listed', bundle(seed), 'rollout=none');
      const first = await fixture.call<{ items: { version: number }[]; next: string }>('GET', '/v1/apps/listed/versions?limit=2');
      expect(first.body.items.map((item) => item.version)).toEqual([3, 2]);
      const second = await fixture.call<{ items: { version: number }[]; next: null }>('GET', `/v1/apps/listed/versions?limit=2&cursor=${first.body.next}`);
      expect([second.body.items.map((item) => item.version), second.body.next]).toEqual([[1], null]);
    });

    it('refuses a cursor that is none', async () => {
      expect(await fixture.call('GET', '/v1/apps/listed/versions?cursor=!!')).toMatchObject({ status: 400, body: { errors: { cursor: [expect.any(String)] } } });
    });

    it('shows a version with manifest, size, imports, who and when', async () => {
      const bytes = bundle('shown');
      await fixture.push('shown', bytes);
      const { body } = await fixture.call('GET', '/v1/apps/shown/versions/1');
      expect(body).toMatchObject({
        version: 1, bytes: bytes.length, state: 'serving', pushedBy: 'admin', manifest: expect.stringContaining('spin_manifest_version'), imports: ['wasi:http/types@0.2.3'],
        components: [{ id: 'web', handlers: ['wasi-http-0.2'] }], routes: [{ route: '/...', component: 'web' }], url: 'http://shown.localhost:3000/',
      });
      expect(Math.abs(Date.parse(String(body['createdAt'])) - Date.now())).toBeLessThan(60_000);
    });

    it.each([
      ['/v1/apps/nobody/versions', 404, 'API_APP_NOT_FOUND'],
      ['/v1/apps/nobody/versions/1', 404, 'API_APP_NOT_FOUND'],
      ['/v1/apps/first/versions/99', 404, 'API_VERSION_NOT_FOUND'],
      ['/v1/apps/first/versions/0', 400, 'API_INPUT_INVALID'],
      ['/v1/apps/first/versions/x', 400, 'API_INPUT_INVALID'],
      ['/v1/apps/first/versions/99999999999', 400, 'API_INPUT_INVALID'],
    ])('answers %s with %i', async (path, status, code) => {
      expect(await fixture.call('GET', path)).toMatchObject({ status, body: { code } });
    });
  });
});
