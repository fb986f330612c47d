import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RuntimeGrant } from '#contract/runtime-grant.js';
import { closeSqlProcesses } from '#runtime/capability/sqlite/sql-processes.js';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import type { SimulatedNode } from './simulated-node.js';
import { StoreNode } from './store-node.js';
import { until } from './until.js';

interface StoreBody {
  name: string;
  settings: Record<string, unknown>;
  links: unknown[];
}

const RAW = { 'content-type': 'application/octet-stream' };

describe('stores', () => {
  let fixture: ControlPlaneFixture;
  let node: SimulatedNode;
  let reach: StoreNode;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    node = fixture.node();
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 1);
    reach = new StoreNode(node);
  });
  afterAll(async () => {
    await reach?.stop();
    closeSqlProcesses();
    await fixture?.stop();
  });

  const create = (body: Record<string, unknown>) => fixture.call<StoreBody>('POST', '/v1/stores', { body });
  const show = (name: string) => fixture.call<StoreBody>('GET', `/v1/stores/${name}`);
  const link = (store: string, body: Record<string, unknown>) => fixture.call<StoreBody>('POST', `/v1/stores/${store}/links`, { body });
  const unlink = (store: string, app: string, label: string) => fixture.call('DELETE', `/v1/stores/${store}/links?app=${app}&label=${label}`);
  const grantOf = (app: string): RuntimeGrant => node.held.get(app)!.runtime;
  const bundle = (keyValueStores: string[], sqliteDatabases: string[] = [], seed = '') => {
    const app = makeApp();
    return makeBundle({ ...app, seed, components: app.components!.map((component) => ({ ...component, keyValueStores, sqliteDatabases })) });
  };

  it('are made, listed by name and shown without their secrets, which are sealed at rest', async () => {
    const made = await create({ name: 'cache', kind: 'key-value', type: 'redis', url: 'redis://u:s3cr3t-0@localhost:1/2' });
    expect([made.status, made.headers.get('location')]).toEqual([201, '/v1/stores/cache']);
    await create({ name: 'files', kind: 'sqlite' });
    const list = await fixture.call<{ items: StoreBody[] }>('GET', '/v1/stores');
    expect(list.body.items).toMatchObject([{ name: 'cache', type: 'redis', settings: { url: 'redis://u:***@localhost:1/2' }, links: [] }, { name: 'files', type: 'spin', settings: {} }]);
    const rows = await fixture.sql('SELECT to_jsonb(s)::text FROM store s');
    expect(JSON.stringify([made.body, list.body, (await show('cache')).body, rows, fixture.logged])).not.toContain('s3cr3t');
  });

  it.each([
    ['a name that is taken', { name: 'cache', kind: 'sqlite' }, 409, 'API_STORE_EXISTS', undefined],
    ['a name with a dot', { name: 'a.key-value', kind: 'key-value' }, 400, 'API_INPUT_INVALID', 'name'],
    ['a type of the other kind', { name: 'x', kind: 'sqlite', type: 'redis', url: 'redis://h' }, 400, 'API_INPUT_INVALID', 'type'],
    ['a key that the type does not take', { name: 'x', kind: 'key-value', type: 'redis', ulr: 'redis://h', url: 'redis://h' }, 400, 'API_INPUT_INVALID', 'ulr'],
    ['a path', { name: 'x', kind: 'key-value', path: 'a' }, 400, 'API_INPUT_INVALID', 'path'],
    ['a masked secret', { name: 'x', kind: 'sqlite', type: 'libsql', url: 'https://h', token: '***' }, 400, 'API_INPUT_INVALID', 'token'],
  ])('refuse %s', async (_what, body, status, code, field) => {
    const answer = await create(body);
    expect([answer.status, (answer.body as unknown as { code: string }).code]).toEqual([status, code]);
    if (field) expect(Object.keys((answer.body as unknown as { errors: object }).errors)).toEqual([field]);
  });

  it('are shared by apps through links, which go before the runtime configuration and are in force when the call answers', async () => {
    await create({ name: 'shared', kind: 'key-value', type: 'redis', url: 'redis://:pw@localhost' });
    await create({ name: 'both', kind: 'key-value' });
    for (const app of ['one', 'two']) {
      await link('shared', { app, label: 'cache' });
      await link('both', { app, label: 'files', channel: 'production' });
      expect(await fixture.push(app, bundle(['cache', 'files']))).toMatchObject({ status: 201, body: { state: 'serving' } });
    }
    await fixture.call('PUT', '/v1/apps/one/runtime-config', { body: { key_value_store: { cache: { type: 'redis', url: 'redis://elsewhere' } } } });
    const [one, two] = [grantOf('one').keyValueStores, grantOf('two').keyValueStores];
    expect(one).toEqual(two);
    expect(one['cache']).toEqual({ type: 'redis', url: 'redis://:pw@localhost' });
    expect(one['files']).toMatchObject({ type: 'spin', file: expect.stringMatching(/^\.stores\//) });
    expect((await show('shared')).body.links).toEqual([{ app: 'one', channel: null, label: 'cache' }, { app: 'two', channel: null, label: 'cache' }]);
    expect(await unlink('shared', 'one', 'cache')).toMatchObject({ status: 204 });
    expect(grantOf('one').keyValueStores['cache']).toEqual({ type: 'redis', url: 'redis://elsewhere' });
    expect(await unlink('shared', 'one', 'cache')).toMatchObject({ status: 404, body: { code: 'API_STORE_LINK_NOT_FOUND' } });
    expect(await unlink('shared', 'two', 'cache')).toMatchObject({ status: 422, body: { code: 'API_STORE_LABEL_UNKNOWN', errors: { 'component.web.key_value_stores': [expect.any(String)] } } });
  });

  it('take a new password without a deployment', async () => {
    const answer = await fixture.call('PUT', '/v1/stores/shared', { body: { type: 'redis', url: 'redis://:other@localhost' } });
    expect(answer.status).toBe(200);
    expect(grantOf('two').keyValueStores['cache']).toEqual({ type: 'redis', url: 'redis://:other@localhost' });
    expect(await fixture.call('PUT', '/v1/stores/both', { body: { type: 'redis', url: 'redis://h' } })).toMatchObject({ status: 400 });
  });

  it('are not deleted while a label leads to them, and outlive the apps', async () => {
    expect(await fixture.call('DELETE', '/v1/stores/shared')).toMatchObject({ status: 409, body: { code: 'API_STORE_IN_USE', detail: expect.stringContaining('two') } });
    await fixture.call('DELETE', '/v1/apps/two');
    expect((await show('shared')).body.links).toEqual([]);
    expect(await fixture.call('DELETE', '/v1/stores/shared')).toMatchObject({ status: 204 });
    expect(await show('shared')).toMatchObject({ status: 404, body: { code: 'API_STORE_NOT_FOUND' } });
  });

  describe('behind the label default', () => {
    it('have the name of their app, and keep their data when it is deleted, for the next of the name', async () => {
      await fixture.push('own', bundle(['default'], ['default']));
      expect(await show('own.key-value')).toMatchObject({ status: 200, body: { app: 'own', links: [] } });
      expect(await show('own.sqlite')).toMatchObject({ status: 200, body: { kind: 'sqlite' } });
      await fixture.call('PUT', '/v1/stores/own.key-value/keys/greeting', { body: Buffer.from('hello'), headers: RAW });
      expect(readdirSync(join(reach.stateDir, 'default/own/key-value'))).toContain('default.sqlite');
      expect(await fixture.call('DELETE', '/v1/stores/own.key-value')).toMatchObject({ status: 409, body: { code: 'API_STORE_IN_USE' } });
      await fixture.call('DELETE', '/v1/apps/own');
      await fixture.push('own', bundle(['default'], ['default'], 'again'));
      expect((await fixture.call<{ items: string[] }>('GET', '/v1/stores/own.key-value/keys')).body.items).toEqual(['greeting']);
      expect(grantOf('own').keyValueStores).toEqual({});
    });

    it('begin empty after they were deleted by name, also where a node still has the file', async () => {
      await fixture.call('DELETE', '/v1/apps/own');
      expect(await fixture.call('DELETE', '/v1/stores/own.key-value')).toMatchObject({ status: 204 });
      await until(() => !existsSync(join(reach.stateDir, 'default/own/key-value/default.sqlite')));
      await fixture.push('own', bundle(['default'], [], 'third'));
      expect(grantOf('own').keyValueStores['default']).toMatchObject({ type: 'spin', file: expect.stringMatching(/^own\/key-value\/default\.[0-9a-f]{8}\.sqlite$/) });
      expect((await fixture.call<{ items: string[] }>('GET', '/v1/stores/own.key-value/keys')).body.items).toEqual([]);
    });

    it('are free when the label is linked elsewhere', async () => {
      await link('both', { app: 'own', label: 'default' });
      expect(await fixture.call('DELETE', '/v1/stores/own.key-value')).toMatchObject({ status: 204 });
      expect(await unlink('both', 'own', 'default')).toMatchObject({ status: 204 });
      expect(await show('own.key-value')).toMatchObject({ status: 200 });
    });
  });

  describe('are looked into through a node', () => {
    const keys = '/v1/stores/both/keys';

    it('key by key: bytes as they are, or in base64 as JSON', async () => {
      const bytes = Buffer.from([0, 255, 10]);
      expect(await fixture.call('PUT', `${keys}/a%2Fb%20c`, { body: bytes, headers: RAW })).toMatchObject({ status: 204 });
      expect(await fixture.call('GET', `${keys}/a%2Fb%20c`, { headers: { accept: 'application/json' } })).toMatchObject({ status: 200, body: { key: 'a/b c', value: bytes.toString('base64') } });
      const raw = await fetch(`${fixture.url()}${keys}/a%2Fb%20c`, { headers: { authorization: `Bearer ${fixture.adminToken}` } });
      expect([raw.headers.get('content-type'), Buffer.from(await raw.arrayBuffer())]).toEqual(['application/octet-stream', bytes]);
      await fixture.call('PUT', `${keys}/j`, { body: { value: 'AAE=' } });
      expect((await fixture.call('GET', `${keys}/j`, { headers: { accept: 'application/json' } })).body['value']).toBe('AAE=');
      expect(await fixture.call('DELETE', `${keys}/j`)).toMatchObject({ status: 204 });
      expect(await fixture.call('GET', `${keys}/j`, { headers: { accept: 'application/json' } })).toMatchObject({ status: 404, body: { code: 'API_STORE_KEY_NOT_FOUND' } });
    });

    it('page by page, by prefix', async () => {
      for (const key of ['p1', 'p2', 'p3', 'q']) await fixture.call('PUT', `${keys}/${key}`, { body: Buffer.from(key), headers: RAW });
      const first = await fixture.call<{ items: string[]; next: string }>('GET', `${keys}?prefix=p&limit=2`);
      const second = await fixture.call<{ items: string[]; next: null }>('GET', `${keys}?prefix=p&limit=2&cursor=${first.body.next}`);
      expect([first.body.items, second.body]).toEqual([['p1', 'p2'], { items: ['p3'], next: null }]);
    });

    it('with SQL, which changes nothing unless it may', async () => {
      const sql = (body: unknown) => fixture.call<{ rows: unknown[][]; changes: number; columns: string[]; code?: string }>('POST', '/v1/stores/files/sql', { body });
      expect((await sql({ sql: 'SELECT count(*) FROM sqlite_schema' })).body).toMatchObject({ rows: [[0]] });
      expect((await sql({ sql: 'CREATE TABLE t (a, b)', readOnly: false })).status).toBe(200);
      expect((await sql({ sql: 'INSERT INTO t VALUES (?, ?), (?, ?)', params: [1, 'x', { integer: '9007199254740993' }, { base64: 'AP8=' }], readOnly: false })).body).toMatchObject({ changes: 2 });
      expect((await sql({ sql: 'SELECT a, b FROM t' })).body).toMatchObject({ columns: ['a', 'b'], rows: [[1, 'x'], [{ integer: '9007199254740993' }, { base64: 'AP8=' }]] });
      for (const statement of ['DELETE FROM t', 'SELEKT 1', 'PRAGMA user_version = 3']) expect(await sql({ sql: statement })).toMatchObject({ status: 422, body: { code: 'API_SQL_INVALID' } });
      expect((await sql({ sql: 'SELECT count(*) FROM t' })).body.rows).toEqual([[2]]);
    });

    it('with SQL that never ends, which is stopped and holds nobody up', async () => {
      const endless = fixture.call('POST', '/v1/stores/files/sql', { body: { sql: 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n', timeoutMs: 500 } });
      expect((await fixture.call('GET', keys)).status).toBe(200);
      expect(await endless).toMatchObject({ status: 504, body: { code: 'API_STORE_TIMEOUT' } });
    });

    it('of the right kind only', async () => {
      expect(await fixture.call('GET', '/v1/stores/files/keys')).toMatchObject({ status: 422, body: { code: 'API_STORE_KIND_WRONG' } });
      expect(await fixture.call('POST', '/v1/stores/both/sql', { body: { sql: 'SELECT 1' } })).toMatchObject({ status: 422, body: { code: 'API_STORE_KIND_WRONG' } });
    });

    it('and leave nothing of it behind in the database', async () => {
      expect(await fixture.sql('SELECT * FROM store_request WHERE deadline_at IS NOT NULL')).toEqual([]);
    });

    it('and say so when the store cannot be reached', async () => {
      const answer = await fixture.call('GET', '/v1/stores/cache/keys');
      expect(answer).toMatchObject({ status: 502, body: { code: 'API_STORE_FAILED' } });
      expect(JSON.stringify(answer.body)).not.toContain('s3cr3t');
    });

    it('by the node that is named, where each has a file of its own', async () => {
      const second = fixture.node('node-2');
      try {
        await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 2);
        expect(await fixture.call('GET', keys)).toMatchObject({ status: 409, body: { code: 'API_STORE_NODE_UNCLEAR', detail: expect.stringContaining('node-1, node-2') } });
        expect(await fixture.call('GET', `${keys}?node=node-1`)).toMatchObject({ status: 200 });
        expect(await fixture.call('GET', `${keys}?node=node-3`)).toMatchObject({ status: 503, body: { code: 'API_STORE_UNREACHABLE' } });
        const pushed = await fixture.push<{ warnings: string[] }>('warned', bundle(['default'], ['default']));
        expect(pushed.body.warnings).toEqual([expect.stringContaining('[key_value_store.default]'), expect.stringContaining('[sqlite_database.default]')]);
      } finally {
        await second.stop();
      }
    });

    it('by a node that is connected to another replica', async () => {
      const replica = await fixture.startReplica();
      const elsewhere = fixture.node('elsewhere', replica);
      await until(async () => (await fixture.sql(`SELECT 1 FROM node WHERE name = 'elsewhere'`)).length === 1);
      const there = new StoreNode(elsewhere);
      try {
        expect(await fixture.call('PUT', `${keys}/there?node=elsewhere`, { body: Buffer.from('1'), headers: RAW })).toMatchObject({ status: 204 });
        expect((await fixture.call<{ items: string[] }>('GET', `${keys}?node=elsewhere`)).body.items).toEqual(['there']);
      } finally {
        await there.stop();
        await elsewhere.stop();
        await fixture.stopReplica(replica);
      }
    });

    it('never by whoever has the token of a node alone', async () => {
      expect(await fixture.call('GET', keys, { token: fixture.nodeToken })).toMatchObject({ status: 403 });
      expect(await fixture.call('GET', '/v1/runtime-config', { token: fixture.nodeToken })).toMatchObject({ status: 403 });
    });
  });
});
