import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { RegistryTokens } from '#registry/http/oci/registry-tokens.js';
import { OciFixture, type OciAnswer, codesOf } from './oci.fixture.js';

const basic = (token: string, user = 'anyone'): string => `Basic ${Buffer.from(`${user}:${token}`).toString('base64')}`;
const APP = 'default/guarded';

describe('access to the OCI registry', () => {
  let fixture: OciFixture;
  let open: number;
  let digest: string;
  let reader: string;
  let writer: string;
  beforeAll(async () => {
    fixture = await OciFixture.start();
    open = await fixture.startReplica({ WHORL_REGISTRY_ANONYMOUS_PULL: 'true', WHORL_API_PUBLIC_URL: 'https://whorl.example.com/' });
    ({ digest } = await fixture.pushImage(APP, 'latest'));
    await fixture.pushImage('default/other', 'latest');
    reader = await fixture.token(`repository:${APP}:pull`);
    writer = await fixture.token('repository:default/*:pull,push');
  });
  afterAll(() => fixture.stop());

  const challengeOf = (answer: OciAnswer): Record<string, string> => {
    const header = answer.headers.get('www-authenticate')!;
    expect(header).toMatch(/^Bearer /);
    return Object.fromEntries([...header.slice(7).matchAll(/([a-z]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
  };
  /** As a client does: is refused, goes where the challenge says with its credentials, comes back with the token. */
  const fetchToken = async (scope: string | string[], authorization: string | null): Promise<OciAnswer> =>
    fixture.call('GET', `/v2/token?service=whorl&account=x&${[scope].flat().map((each) => `scope=${encodeURIComponent(each)}`).join('&')}`, { authorization });
  const registryToken = async (scope: string | string[], token: string): Promise<string> => `Bearer ${(await fetchToken(scope, basic(token))).json<{ token: string }>().token}`;
  const pull = (authorization: string | null, app = APP, replica = 0) => fixture.call('GET', `/v2/${app}/manifests/latest`, { authorization, replica });
  const push = (authorization: string | null, app = APP, replica = 0) => fixture.call('POST', `/v2/${app}/blobs/uploads/`, { authorization, replica });
  const remove = (authorization: string | null, app = APP) => fixture.call('DELETE', `/v2/${app}/manifests/nothing`, { authorization });

  describe('without a token', () => {
    it('says where tokens are, and which one is needed', async () => {
      for (const [answer, scope] of [
        [await fixture.call('GET', '/v2/', { authorization: null }), undefined],
        [await pull(null), `repository:${APP}:pull`],
        [await pull(null, 'guarded'), `repository:${APP}:pull`],
        [await push(null), `repository:${APP}:pull,push`],
        [await remove(null), `repository:${APP}:delete`],
      ] as const) {
        expect([answer.status, codesOf(answer), answer.headers.get('docker-distribution-api-version')]).toEqual([401, ['UNAUTHORIZED'], 'registry/2.0']);
        expect(challengeOf(answer)).toEqual({ realm: `http://${fixture.host()}/v2/token`, service: 'whorl', ...(scope && { scope }) });
      }
    });

    it('gives none away', async () => {
      const answer = await fetchToken(`repository:${APP}:pull`, null);
      expect([answer.status, codesOf(answer), answer.headers.get('www-authenticate')]).toEqual([401, ['UNAUTHORIZED'], 'Basic realm="whorl"']);
    });

    it('tells nobody which repositories there are', async () => {
      expect((await pull(null, 'default/none')).status).toBe(401);
      expect((await pull(basic(reader), 'default/none')).status).toBe(403);
    });

    it('names the origin that a proxy says', async () => {
      const answer = await fixture.call('GET', '/v2/', { authorization: null, headers: { 'x-forwarded-proto': 'https' } });
      expect(challengeOf(answer)['realm']).toBe(`https://${fixture.host()}/v2/token`);
    });
  });

  describe('with a token of the platform', () => {
    it.each([['as the password, with any user name', (token: string) => basic(token)], ['without a user name', (token: string) => basic(token, '')], ['as Bearer', (token: string) => `Bearer ${token}`]])('counts %s', async (_how, header) => {
      expect((await fixture.call('GET', '/v2/', { authorization: header(reader) })).status).toBe(200);
      expect((await pull(header(reader))).status).toBe(200);
      expect((await push(header(fixture.adminToken))).status).toBe(202);
    });

    it('allows what its scopes say and nothing more', async () => {
      const deleter = await fixture.token('repository:*:*');
      const nobody = await fixture.token('node');
      const table: [string, string, number[]][] = [
        [reader, APP, [200, 403, 403]], [reader, 'default/other', [403, 403, 403]],
        [writer, APP, [200, 202, 403]], [writer, 'default/other', [200, 202, 403]], [writer, 'nobody/app', [403, 403, 403]],
        [deleter, APP, [200, 202, 404]], [fixture.adminToken, APP, [200, 202, 404]], [nobody, APP, [403, 403, 403]],
      ];
      for (const [token, app, expected] of table) {
        const answers = [await pull(basic(token), app), await push(basic(token), app), await remove(basic(token), app)];
        expect(answers.map(({ status }) => status)).toEqual(expected);
        for (const answer of answers) if (answer.status === 403) expect(codesOf(answer)).toEqual(['DENIED']);
      }
    });

    it.each([['unknown', () => basic('whatever')], ['mistyped', () => `Bearer ${fixture.adminToken.slice(0, -1)}`], ['of another scheme', () => 'Digest x'], ['empty', () => 'Bearer '], ['no base64', () => 'Basic !!!']])('refuses one that is %s', async (_what, header) => {
      const answer = await pull(header());
      expect([answer.status, codesOf(answer), challengeOf(answer)['error']]).toEqual([401, ['UNAUTHORIZED'], 'invalid_token']);
    });

    it('has no part in the description of the API, which the specification has', async () => {
      const { paths } = (await fixture.call('GET', '/openapi.json')).json<{ paths: Record<string, object> }>();
      expect(Object.keys(paths).filter((path) => path.startsWith('/v2'))).toEqual([]);
      expect(Object.keys(paths)).toContain('/v1/blobs/{digest}');
    });

    it('lets the rest of the API be asked with Bearer alone, as before', async () => {
      expect((await fixture.call('GET', '/v1/apps', { authorization: basic(fixture.adminToken) })).status).toBe(401);
      expect((await fixture.call('GET', '/v1/apps', { authorization: `Bearer ${reader}` })).status).toBe(403);
      expect((await fixture.call('GET', '/v1/apps')).status).toBe(200);
    });
  });

  describe('with a registry token', () => {
    it('is had for a token of the platform, and lasts some minutes', async () => {
      const answer = await fetchToken(`repository:${APP}:pull`, basic(reader));
      const body = answer.json<{ token: string; access_token: string; expires_in: number; issued_at: string }>();
      expect([answer.status, answer.headers.get('cache-control'), body.access_token, body.expires_in]).toEqual([200, 'no-store', body.token, 300]);
      expect(Math.abs(Date.parse(body.issued_at) - Date.now())).toBeLessThan(60_000);
      expect((await pull(`Bearer ${body.token}`)).status).toBe(200);
      expect((await pull(`Bearer ${body.token}`, 'guarded', open)).status).toBe(200);
    });

    it('allows what was asked for and is allowed, and nothing more', async () => {
      const pulls = await registryToken(`repository:${APP}:pull`, fixture.adminToken);
      expect([(await pull(pulls)).status, (await push(pulls)).status, (await pull(pulls, 'default/other')).status]).toEqual([200, 401, 401]);
      const both = await registryToken([`repository:guarded:pull,push`, 'repository:default/other:pull'], writer);
      expect([(await push(both)).status, (await pull(both, 'default/other')).status, (await push(both, 'default/other')).status]).toEqual([202, 200, 401]);
      const one = await registryToken(`repository:${APP}:pull,push repository:default/other:*`, reader);
      expect([(await pull(one)).status, (await push(one)).status, (await pull(one, 'default/other')).status]).toEqual([200, 401, 401]);
      expect((await remove(await registryToken(`repository:${APP}:*`, fixture.adminToken))).status).toBe(404);
    });

    it('asks for another one when the scope does not do', async () => {
      const answer = await push(await registryToken(`repository:${APP}:pull`, fixture.adminToken));
      expect([answer.status, challengeOf(answer)['error'], challengeOf(answer)['scope']]).toEqual([401, 'insufficient_scope', `repository:${APP}:pull,push`]);
    });

    it.each(['registry:catalog:*', 'repository:a/b/c:pull', 'nonsense', ''])('leaves the scope "%s" out', async (scope) => {
      const token = await registryToken(scope, fixture.adminToken);
      expect((await fixture.call('GET', '/v2/', { authorization: token })).status).toBe(200);
      expect((await pull(token)).status).toBe(401);
    });

    it('is had as in OAuth 2, for a password and for a refresh token', async () => {
      const post = (form: Record<string, string>) => fixture.call('POST', '/v2/token', {
        body: new URLSearchParams(form).toString(), headers: { 'content-type': 'application/x-www-form-urlencoded' }, authorization: null,
      });
      const scope = `repository:${APP}:pull,push`;
      const first = await post({ grant_type: 'password', service: 'whorl', client_id: 'c', username: 'x', password: writer, scope, access_type: 'offline' });
      const { access_token: access, refresh_token: refresh, scope: granted } = first.json<{ access_token: string; refresh_token: string; scope: string }>();
      expect([first.status, granted]).toEqual([200, scope]);
      expect((await push(`Bearer ${access}`)).status).toBe(202);
      const second = await post({ grant_type: 'refresh_token', service: 'whorl', client_id: 'c', refresh_token: refresh, scope });
      expect((await push(`Bearer ${second.json<{ access_token: string }>().access_token}`)).status).toBe(202);
      expect((await post({ grant_type: 'password', username: 'x', password: 'wrong', scope })).status).toBe(401);
      expect((await post({ grant_type: 'client_credentials' })).status).toBe(400);
      expect((await post({ grant_type: 'password', password: 'x'.repeat(100_000) })).status).toBe(413);
    });

    it('does not prolong itself, and does not count in the rest of the API', async () => {
      const token = await registryToken(`repository:${APP}:pull`, fixture.adminToken);
      expect((await fetchToken(`repository:${APP}:pull`, token)).status).toBe(401);
      expect((await fixture.call('GET', '/v1/apps', { authorization: token })).status).toBe(401);
    });

    it('refuses one that was made with another key or changed', async () => {
      const forged = new RegistryTokens(randomBytes(32)).sign({ name: 'x', scopes: ['admin'], grants: [{ name: APP, actions: ['pull'] }] }, Date.now());
      const [header, , signature] = (await registryToken(`repository:${APP}:pull`, reader)).slice(7).split('.');
      const changed = [header, forged.split('.')[1], signature].join('.');
      for (const token of [forged, changed, `${forged}.x`, 'a.b.c']) expect((await pull(`Bearer ${token}`)).status).toBe(401);
    });
  });

  describe('mounts', () => {
    it('takes blobs from repositories that the caller may pull from, and no others', async () => {
      const own = await fixture.token('repository:default/mine:pull,push');
      const { digest: secret } = await fixture.pushBlob(APP, randomBytes(20));
      for (const authorization of [basic(own), await registryToken('repository:default/mine:pull,push', own)]) {
        for (const from of [`&from=${APP}`, '']) {
          expect((await fixture.call('POST', `/v2/default/mine/blobs/uploads/?mount=${secret}${from}`, { authorization })).status).toBe(202);
        }
      }
      const token = await registryToken('repository:default/mine:pull,push', writer);
      expect((await fixture.call('POST', `/v2/default/mine/blobs/uploads/?mount=${secret}`, { authorization: token })).status).toBe(201);
    });
  });

  describe('with anonymous pull', () => {
    it('lets everyone pull, with a token for nothing or none at all', async () => {
      expect((await pull(null, APP, open)).headers.get('docker-content-digest')).toBe(digest);
      const answer = await fixture.call('GET', `/v2/token?scope=repository:${APP}:pull,push`, { authorization: null, replica: open });
      const token = `Bearer ${answer.json<{ token: string }>().token}`;
      expect((await pull(token, APP, open)).status).toBe(200);
      expect((await push(token, APP, open)).status).toBe(401);
    });

    it('asks for a token all the same at the base URL, and for a push', async () => {
      for (const answer of [await fixture.call('GET', '/v2/', { authorization: null, replica: open }), await push(null, APP, open)]) {
        expect([answer.status, challengeOf(answer)['realm']]).toEqual([401, 'https://whorl.example.com/v2/token']);
      }
    });
  });
});
