import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ControlPlaneFixture } from './control-plane.fixture.js';

interface Minted {
  name: string;
  token: string;
  scopes: string[];
  expiresAt: string | null;
}

describe('tokens', () => {
  let fixture: ControlPlaneFixture;
  beforeAll(async () => { fixture = await ControlPlaneFixture.start(); });
  afterAll(() => fixture.stop());

  const make = (body: Record<string, unknown>) => fixture.call<Minted>('POST', '/v1/tokens', { body });
  const apps = (token: string) => fixture.call('GET', '/v1/apps', { token });

  it('are shown once, hold from then on, and end when they are withdrawn', async () => {
    const { status, body, headers } = await make({ name: 'ci', scopes: ['admin', 'admin'] });
    expect({ status, cache: headers.get('cache-control') }).toEqual({ status: 201, cache: 'no-store' });
    expect(body).toMatchObject({ name: 'ci', scopes: ['admin'], expiresAt: null, token: expect.stringMatching(/^whorl_/) });
    expect((await apps(body.token)).status).toBe(200);
    const listed = await fixture.call<{ items: { name: string; configured: boolean }[] }>('GET', '/v1/tokens');
    expect(listed.body.items.map(({ name, configured }) => [name, configured])).toEqual([['admin', true], ['ci', false], ['node', true]]);
    expect(JSON.stringify(listed.body)).not.toContain(body.token);
    expect((await fixture.sql('SELECT name FROM token WHERE encode(sha256, \'escape\') LIKE $1', [`%${body.token}%`]))).toEqual([]);
    expect((await fixture.call('DELETE', '/v1/tokens/ci')).status).toBe(204);
    expect(await apps(body.token)).toMatchObject({ status: 401, body: { code: 'API_TOKEN_INVALID' } });
    expect(await fixture.call('DELETE', '/v1/tokens/ci')).toMatchObject({ status: 404, body: { code: 'API_TOKEN_NOT_FOUND' } });
  });

  it('allow what their scopes say, until they expire', async () => {
    const soon = new Date(Date.now() + 3_600_000).toISOString();
    const { body: narrow } = await make({ name: 'pusher', scopes: ['repository:default/shop:pull,push'], expiresAt: soon });
    expect(narrow.expiresAt).toBe(soon);
    expect(await apps(narrow.token)).toMatchObject({ status: 403, body: { code: 'API_SCOPE_MISSING' } });
    expect((await fixture.call('POST', '/v1/tokens', { token: narrow.token, body: { name: 'more', scopes: ['admin'] } })).status).toBe(403);
    await fixture.sql('UPDATE token SET expires_at = now() - interval \'1 second\' WHERE name = $1', ['pusher']);
    expect(await apps(narrow.token)).toMatchObject({ status: 401, body: { detail: expect.stringContaining('expired') } });
  });

  it('have names of their own, and none of the configuration\'s', async () => {
    expect((await make({ name: 'twice', scopes: ['approve'] })).status).toBe(201);
    expect(await make({ name: 'twice', scopes: ['approve'] })).toMatchObject({ status: 409, body: { code: 'API_TOKEN_EXISTS' } });
    for (const name of ['admin', 'node']) {
      expect(await make({ name, scopes: ['admin'] })).toMatchObject({ status: 409, body: { code: 'API_TOKEN_CONFIGURED' } });
      expect(await fixture.call('DELETE', `/v1/tokens/${name}`)).toMatchObject({ status: 409, body: { code: 'API_TOKEN_CONFIGURED' } });
    }
  });

  it.each([
    [{ name: 'Bad Name', scopes: ['admin'] }, 'name'],
    [{ name: 'x', scopes: [] }, 'scopes'],
    [{ name: 'x', scopes: ['repository:shop:pull'] }, 'scopes.0'],
    [{ name: 'x', scopes: ['admin'], expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
  ])('are refused with the field that is wrong: %j', async (body, field) => {
    const answer = await fixture.call<{ errors: Record<string, string[]> }>('POST', '/v1/tokens', { body });
    expect(answer).toMatchObject({ status: 400, body: { code: 'API_INPUT_INVALID' } });
    expect(Object.keys(answer.body.errors)).toEqual([field]);
  });
});
