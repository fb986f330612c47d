import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { mintToken } from '#platform/token.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';

describe('the shell of the API', () => {
  let fixture: ControlPlaneFixture;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
  });
  afterAll(() => fixture.stop());

  describe('health', () => {
    it.each(['/healthz', '/readyz'])('answers %s without a token', async (path) => {
      expect(await fixture.call('GET', path, { token: null })).toMatchObject({ status: 200, body: { status: 'ok' } });
    });

    it('says which version it is', async () => {
      const { body } = await fixture.call('GET', '/version', { token: null });
      expect(body).toEqual({ name: 'whorl', version: expect.stringMatching(/^\d+\.\d+\.\d+/), node: process.version });
    });

    it('is not ready without its artifact store, and alive all the same', async () => {
      fixture.registry.down = true;
      try {
        expect(await fixture.call('GET', '/readyz', { token: null })).toMatchObject({ status: 503, body: { code: 'API_NOT_READY', detail: 'cannot reach the artifact store' } });
        expect(await fixture.call('GET', '/healthz', { token: null })).toMatchObject({ status: 200 });
      } finally {
        fixture.registry.down = false;
      }
    });
  });

  describe('tokens', () => {
    it('asks for one', async () => {
      const { status, headers, body } = await fixture.call('GET', '/v1/apps', { token: null });
      expect([status, body['code']]).toEqual([401, 'API_TOKEN_MISSING']);
      expect(headers.get('www-authenticate')).toBe('Bearer realm="whorl"');
    });

    it.each([
      ['one that it does not know', () => `Bearer ${mintToken()}`, 'not known'],
      ['a mistyped one', () => `Bearer ${fixture.adminToken.slice(0, -1)}`, 'checksum'],
      ['another scheme', () => `Basic ${Buffer.from('a:b').toString('base64')}`, 'Bearer <token>'],
      ['an empty one', () => 'Bearer ', 'Bearer <token>'],
    ])('refuses %s', async (_what, authorization, detail) => {
      const { status, headers, body } = await fixture.call('GET', '/v1/apps', { token: null, headers: { authorization: authorization() } });
      expect([status, body['code']]).toEqual([401, 'API_TOKEN_INVALID']);
      expect(body['detail']).toContain(detail);
      expect(headers.get('www-authenticate')).toBe('Bearer realm="whorl", error="invalid_token"');
    });

    it('refuses one that has expired', async () => {
      const token = mintToken();
      const { hashToken } = await import('#platform/token.js');
      await fixture.sql(`INSERT INTO token (name, sha256, scopes, expires_at) VALUES ('old', $1, '{admin}', now() - interval '1 second')`, [hashToken(token)]);
      expect(await fixture.call('GET', '/v1/apps', { token })).toMatchObject({ status: 401, body: { detail: expect.stringContaining('expired') } });
    });

    it('lets a node token do what nodes do, and nothing else', async () => {
      expect(await fixture.call('GET', '/v1/apps', { token: fixture.nodeToken })).toMatchObject({ status: 403, body: { code: 'API_SCOPE_MISSING' } });
      expect(await fixture.call('DELETE', '/v1/apps/x', { token: fixture.nodeToken })).toMatchObject({ status: 403 });
      expect(await fixture.call('GET', '/v1/nodes/n1/assignments', { token: fixture.nodeToken })).toMatchObject({ status: 200 });
    });

    it('stores no token, only digests', async () => {
      const rows = await fixture.sql('SELECT row_to_json(token)::text AS text FROM token');
      expect(rows.length).toBeGreaterThan(1);
      for (const { text } of rows) expect(text).not.toContain(fixture.adminToken.slice(6, 20));
    });
  });

  describe('problems', () => {
    it('are RFC 9457, with code, hint and request id', async () => {
      const { status, headers, body } = await fixture.call('GET', '/v1/apps/nothing', { headers: { 'x-request-id': 'mine-1' } });
      expect(status).toBe(404);
      expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
      expect(headers.get('x-request-id')).toBe('mine-1');
      expect(body).toEqual({
        type: 'urn:whorl:error:API_APP_NOT_FOUND', title: 'No such app', status: 404, detail: 'there is no app named nothing', code: 'API_APP_NOT_FOUND',
        hint: expect.any(String), instance: 'mine-1',
      });
    });

    it('replace a request id that would not be safe in a log', async () => {
      const { headers } = await fixture.call('GET', '/v1/apps', { headers: { 'x-request-id': 'a b' } });
      expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    });

    it.each([
      ['an unknown route', 'GET', '/v1/nothing', 404, 'API_ROUTE_NOT_FOUND'],
      ['a path that is no path', 'GET', '/v1/apps/%zz', 400, 'API_BODY_MALFORMED'],
      ['a method that a route has not', 'PATCH', '/v1/apps', 404, 'API_ROUTE_NOT_FOUND'],
    ])('answer %s', async (_what, method, path, status, code) => {
      const response = await fetch(`${fixture.url()}${path}`, { method, headers: { authorization: `Bearer ${fixture.adminToken}` } });
      expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
    });

    it('list bad fields by name', async () => {
      const { status, body } = await fixture.call('GET', '/v1/apps/Bad_Name/versions?limit=0');
      expect([status, body['code']]).toEqual([400, 'API_INPUT_INVALID']);
      expect(Object.keys(body['errors'] as object).sort()).toEqual(['app', 'limit']);
    });

    it.each([
      ['JSON that is none', '{', {}, 400, 'API_BODY_MALFORMED'],
      ['an unknown key', { too: 1 }, {}, 400, 'API_INPUT_INVALID'],
      ['a value of another type', { to: 'x' }, {}, 400, 'API_INPUT_INVALID'],
      ['a body that is a list', [], {}, 400, 'API_INPUT_INVALID'],
      ['a form, as curl -d sends it', 'to=1', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'API_MEDIA_TYPE_UNSUPPORTED'],
      ['an unknown content coding', '{}', { 'content-encoding': 'zip' }, 415, 'API_MEDIA_TYPE_UNSUPPORTED'],
    ])('refuse %s', async (_what, body, headers, status, code) => {
      const answer = await fixture.call('POST', '/v1/apps/x/rollback', { body, headers: { 'content-type': 'application/json', ...headers } });
      expect([answer.status, answer.body['code']]).toEqual([status, code]);
    });

    it('name the key that is unknown', async () => {
      const { body } = await fixture.call('POST', '/v1/apps/x/rollback', { body: { too: 1 } });
      expect(body['errors']).toHaveProperty('too');
    });

    it('refuse a JSON body over the limit', async () => {
      const answer = await fixture.call('PUT', '/v1/apps/x/variables', { body: { a: 'x'.repeat(17 * 1024 * 1024) } });
      expect([answer.status, answer.body['code']]).toEqual([413, 'API_BODY_TOO_LARGE']);
    });

    it('tell the caller nothing of what went wrong inside, and the log all of it', async () => {
      await fixture.sql('ALTER TABLE usage_minute RENAME TO usage_gone');
      await fixture.call('PUT', '/v1/apps/inside/variables', { body: {} });
      try {
        const { status, body } = await fixture.call('GET', '/v1/apps/inside/usage');
        expect([status, body['code']]).toEqual([500, 'INTERNAL']);
        expect(JSON.stringify(body)).not.toContain('usage_minute');
        const logged = fixture.logged.find((line) => line.includes(String(body['instance'])));
        expect(logged).toContain('usage_minute');
      } finally {
        await fixture.sql('ALTER TABLE usage_gone RENAME TO usage_minute');
      }
    });
  });

  describe('the description', () => {
    it('is OpenAPI 3.1, with every schema a valid JSON Schema 2020-12', async () => {
      const document = (await (await fetch(`${fixture.url()}/openapi.json`)).json()) as { openapi: string; paths: Record<string, Record<string, unknown>> };
      expect(document.openapi).toBe('3.1.0');
      const ajv = new Ajv2020({ strict: false });
      ajv.addSchema(document, 'openapi');
      const schemas = JSON.stringify(document.paths).match(/"schema":/g);
      expect(schemas!.length).toBeGreaterThan(40);
      const walk = (value: unknown): void => {
        if (typeof value !== 'object' || value === null) return;
        for (const [key, child] of Object.entries(value)) {
          if (key === 'schema') {
            const { $ref } = child as { $ref?: string };
            if ($ref === undefined) expect(ajv.validateSchema(child as object)).toBe(true);
            else expect($ref).toBe('#/components/schemas/Problem');
          } else walk(child);
        }
      };
      walk(document.paths);
    });

    it('has every route of the issue and of the nodes', async () => {
      const document = (await (await fetch(`${fixture.url()}/openapi.json`)).json()) as { paths: Record<string, object> };
      const routes = Object.entries(document.paths).flatMap(([path, operations]) => Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`));
      const configured = ['/v1/apps/{app}/channels/{channel}', '/v1/apps/{app}', '/v1'].flatMap((path) => ['DELETE', 'GET', 'PUT'].map((method) => `${method} ${path}/runtime-config`));
      expect(routes.sort()).toEqual([
        ...configured,
        ...['deploy-on-push', 'policy', 'rollout'].flatMap((what) => ['GET', 'PUT'].map((method) => `${method} /v1/apps/{app}/channels/{channel}/${what}`)),
        'GET /v1/apps/{app}/history', 'GET /v1/operations', 'GET /v1/operations/{operation}', 'GET /v1/operations/{operation}/events', 'POST /v1/operations/{operation}/cancel',
        'DELETE /v1/apps/{app}/channels/{channel}/deploy-on-push', 'GET /v1/apps/{app}/rollouts', 'GET /v1/apps/{app}/rollouts/{rollout}',
        'GET /v1/apps/{app}/rollouts/latest', 'POST /v1/apps/{app}/rollouts/{rollout}/abort', 'POST /v1/nodes/{node}/samples',
        'GET /v1/apps/{app}/versions/{version}/diff/{other}', 'POST /v1/apps/{app}/rollouts/{rollout}/approve', 'POST /v1/apps/{app}/rollouts/{rollout}/reject',
        'DELETE /v1/apps/{app}/channels/{channel}', 'DELETE /v1/apps/{app}/channels/{channel}/lock', 'GET /v1/apps/{app}/channels', 'GET /v1/apps/{app}/channels/{channel}',
        'PATCH /v1/apps/{app}/channels/{channel}', 'POST /v1/apps/{app}/channels', 'PUT /v1/apps/{app}/channels/{channel}/lock', 'GET /v1/nodes/{node}/previews/{app}/{version}', 'GET /v1/apps/{app}/previews', 'PUT /v1/apps/{app}/previews',
        'DELETE /v1/apps/{app}/webhooks/{webhook}', 'GET /v1/apps/{app}/webhooks', 'GET /v1/apps/{app}/webhooks/{webhook}', 'GET /v1/apps/{app}/webhooks/{webhook}/deliveries',
        'POST /v1/apps/{app}/webhooks', 'POST /v1/apps/{app}/webhooks/{webhook}/deliveries/{delivery}/redeliver',
        'DELETE /v1/tokens/{token}', 'GET /v1/tokens', 'POST /v1/tokens',
        'DELETE /v1/apps/{app}/uploads/{upload}', 'GET /v1/apps/{app}/uploads/{upload}', 'GET /v1/apps/{app}/uploads/{upload}/files/{digest}',
        'PATCH /v1/apps/{app}/uploads/{upload}/files/{digest}', 'POST /v1/apps/{app}/uploads', 'POST /v1/apps/{app}/uploads/{upload}/finish',
        'DELETE /v1/apps/{app}/versions/{version}/pin', 'GET /v1/apps/{app}/retention', 'GET /v1/collections', 'GET /v1/collections/{collection}',
        'GET /v1/usage/storage', 'POST /v1/collections', 'PUT /v1/apps/{app}/retention', 'PUT /v1/apps/{app}/versions/{version}/pin',
        'DELETE /v1/stores/{store}', 'DELETE /v1/stores/{store}/keys/{key}', 'DELETE /v1/stores/{store}/links', 'GET /v1/nodes/{node}/store-requests', 'GET /v1/stores',
        'GET /v1/stores/{store}', 'GET /v1/stores/{store}/keys', 'GET /v1/stores/{store}/keys/{key}', 'POST /v1/nodes/{node}/store-requests/{request}',
        'POST /v1/stores', 'POST /v1/stores/{store}/links', 'POST /v1/stores/{store}/sql', 'PUT /v1/stores/{store}', 'PUT /v1/stores/{store}/keys/{key}',
        'DELETE /v1/apps/{app}', 'GET /healthz', 'GET /readyz', 'GET /v1/apps', 'GET /v1/apps/{app}', 'GET /v1/apps/{app}/logs', 'GET /v1/apps/{app}/usage',
        'GET /v1/apps/{app}/variables', 'GET /v1/apps/{app}/versions', 'GET /v1/apps/{app}/versions/{version}', 'GET /v1/nodes/{node}/assignments', 'GET /version',
        'POST /v1/apps/{app}/rollback', 'POST /v1/apps/{app}/rollouts', 'POST /v1/apps/{app}/versions', 'POST /v1/nodes/{node}/journal',
        'PUT /v1/apps/{app}/variables', 'PUT /v1/nodes/{node}/report',
        'GET /v1/nodes/ca', 'GET /v1/nodes/ca/rotation', 'POST /v1/nodes/ca/rotate', 'GET /v1/nodes/join-tokens', 'POST /v1/nodes/join-tokens', 'DELETE /v1/nodes/join-tokens/{joinToken}',
        'POST /v1/nodes/{node}/certificate', 'GET /v1/nodes/{node}/trust', 'GET /v1/nodes/{node}/identity', 'DELETE /v1/nodes/{node}/identity',
        'GET /v1/apps/{app}/placement', 'GET /v1/fleet', 'GET /v1/apps/{app}/channels/{channel}/scale', 'PUT /v1/apps/{app}/channels/{channel}/scale',
        'POST /v1/nodes/{node}/heartbeat', 'GET /v1/nodes', 'GET /v1/nodes/{node}', 'POST /v1/nodes/{node}/cordon', 'POST /v1/nodes/{node}/uncordon',
        'POST /v1/nodes/{node}/drain', 'DELETE /v1/nodes/{node}', 'GET /v1/nodes/{node}/routes', 'POST /v1/nodes/{node}/wanted',
      ].sort());
    });

    it('lets every POST be repeated with an Idempotency-Key, but what nodes send, which is taken once anyway, and what gives a secret out', async () => {
      const document = (await (await fetch(`${fixture.url()}/openapi.json`)).json()) as { paths: Record<string, { post?: { parameters: { name: string }[] } }> };
      const without = Object.entries(document.paths).filter(([, { post }]) => post && !post.parameters.some(({ name }) => name === 'Idempotency-Key')).map(([path]) => path);
      expect(without.sort()).toEqual(['/v1/apps/{app}/webhooks', '/v1/nodes/join-tokens', '/v1/nodes/{node}/certificate', '/v1/nodes/{node}/heartbeat', '/v1/nodes/{node}/journal', '/v1/nodes/{node}/samples', '/v1/nodes/{node}/store-requests/{request}', '/v1/nodes/{node}/wanted', '/v1/tokens']);
    });

    it('is shown at /docs, and nothing says what it is made with', async () => {
      const response = await fetch(`${fixture.url()}/docs/`);
      expect(response.status).toBe(200);
      expect(await response.text()).toContain('swagger-ui');
      expect(response.headers.get('x-powered-by')).toBeNull();
    });
  });

  it('answers HEAD as GET without a body', async () => {
    const response = await fetch(`${fixture.url()}/healthz`, { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
  });

  it('keeps connections open between requests', async () => {
    const connection = await new Promise<string | undefined>((resolve, reject) => {
      httpRequest(`${fixture.url()}/healthz`, { headers: { connection: 'keep-alive' } }, (response) => {
        response.resume();
        resolve(response.headers.connection);
      }).on('error', reject).end();
    });
    expect(connection).toBe('keep-alive');
  });
});
