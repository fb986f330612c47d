import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RuntimeGrant } from '#contract/runtime-grant.js';
import { makeApp, makeBundle } from './bundle-registry.js';
import { type Call, ControlPlaneFixture } from './control-plane.fixture.js';
import type { SimulatedNode } from './simulated-node.js';
import { until } from './until.js';

const TOML = { 'content-type': 'application/toml' };

describe('runtime configuration', () => {
  let fixture: ControlPlaneFixture;
  let node: SimulatedNode;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    node = fixture.node();
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 1);
  });
  afterAll(() => fixture.stop());

  const put = (path: string, body: unknown, headers: Call['headers'] = {}) => fixture.call<{ config: Record<string, unknown> }>('PUT', `/v1/${path}/runtime-config`.replace('//', '/'), { body, headers });
  const get = (path: string) => fixture.call<{ config: Record<string, unknown>; updatedAt: string | null }>('GET', `/v1/${path}/runtime-config`.replace('//', '/'));
  const grantOf = (app: string): RuntimeGrant => node.held.get(app)!.runtime;
  const withStores = (...keyValueStores: string[]) => {
    const app = makeApp();
    return { ...app, components: app.components!.map((component) => ({ ...component, keyValueStores })) };
  };

  it('is taken as TOML and as JSON, and is in force when the answer comes, without a deployment', async () => {
    await fixture.push('tables', makeBundle(makeApp()));
    const { generation } = (await fixture.call<{ generation: number }>('GET', '/v1/apps/tables')).body;
    expect((await put('apps/tables', '[key_value_store.cache]\ntype = "redis"\nurl = "redis://localhost:6379"\n', TOML)).status).toBe(200);
    expect(grantOf('tables').keyValueStores).toEqual({ cache: { type: 'redis', url: 'redis://localhost:6379' } });
    expect((await put('apps/tables', { outbound_networking: { block_networks: ['private', '10.0.0.0/8'], max_total_connections: 5 } })).status).toBe(200);
    expect(grantOf('tables')).toMatchObject({ keyValueStores: {}, outboundNetworking: { blockNetworks: ['private', '10.0.0.0/8'], maxTotalConnections: 5 } });
    expect((await fixture.call('GET', '/v1/apps/tables')).body).toMatchObject({ generation });
  });

  it('of a channel goes before that of its app, that before the platform\'s, by label and by table', async () => {
    await fixture.push('layers', makeBundle(makeApp()));
    const store = (port: number) => ({ type: 'redis', url: `redis://localhost:${port}` });
    await put('', { key_value_store: { a: store(1), b: store(1), c: store(1) }, outbound_pg: { max_connections: 1 }, outbound_redis: { max_connections: 1 } });
    await put('apps/layers', { key_value_store: { b: store(2), c: store(2) }, outbound_pg: { max_connections: 2 } });
    await put('apps/layers/channels/production', { key_value_store: { c: store(3) } });
    expect(grantOf('layers')).toMatchObject({ keyValueStores: { a: store(1), b: store(2), c: store(3) }, outboundPg: { maxConnections: 2 }, outboundRedis: { maxConnections: 1 } });
    expect(grantOf('tables').keyValueStores).toMatchObject({ a: store(1) });
    expect(await fixture.call('DELETE', '/v1/apps/layers/channels/production/runtime-config')).toMatchObject({ status: 204 });
    expect(grantOf('layers').keyValueStores['c']).toEqual(store(2));
    expect(await fixture.call('DELETE', '/v1/runtime-config')).toMatchObject({ status: 204 });
    expect(grantOf('layers').keyValueStores).toEqual({ b: store(2), c: store(2) });
    expect((await get('')).body).toEqual({ config: {}, updatedAt: null });
  });

  it('gives each app a file of its own for a label without a path, and all the same one with a path', async () => {
    await fixture.push('files-a', makeBundle(makeApp()));
    await fixture.push('files-b', makeBundle(makeApp()));
    await put('', { key_value_store: { own: { type: 'spin' }, common: { type: 'spin', path: 'common.db' } }, sqlite_database: { own: { type: 'spin' } } });
    const [a, b] = [grantOf('files-a'), grantOf('files-b')];
    expect([a.keyValueStores['own'], b.keyValueStores['own'], a.sqliteDatabases['own']]).toEqual(['files-a/key-value', 'files-b/key-value', 'files-a/sqlite'].map((folder) => ({ type: 'spin', file: `${folder}/own.sqlite` })));
    expect(a.keyValueStores['common']).toEqual(b.keyValueStores['common']);
    await fixture.call('DELETE', '/v1/runtime-config');
  });

  describe('keeps its secrets', () => {
    const SECRETS = [...Array(14).keys()].map((i) => `s3cr3t-${i}-x`);
    const everything = {
      key_value_store: {
        a: { type: 'redis', url: `redis://user:${SECRETS[0]}@localhost` }, b: { type: 'postgres', url: `postgres://${SECRETS[1]}@localhost/db?password=${SECRETS[2]}` },
        c: { type: 'azure_cosmos', key: SECRETS[3], account: 'acc', database: 'db', container: 'co' },
        d: { type: 'aws_dynamo', region: 'eu', table: 't', access_key: SECRETS[4], secret_key: SECRETS[5], token: SECRETS[6] },
      },
      sqlite_database: { a: { type: 'libsql', url: 'https://db.example', token: SECRETS[7] } },
      llm_compute: { type: 'remote_http', url: 'https://llm.example', auth_token: SECRETS[8] },
      variables_provider: [
        { type: 'static', values: { key: SECRETS[9] } }, { type: 'vault', url: 'https://vault.example', token: SECRETS[10], mount: 'kv' },
        { type: 'azure_key_vault', vault_url: 'https://vault.example', client_id: 'id', client_secret: SECRETS[11], tenant_id: 't' },
      ],
      client_tls: [{ component_ids: ['web'], hosts: ['db'], client_cert_pem: '-----BEGIN CERTIFICATE-----\nx', client_private_key_pem: `-----BEGIN PRIVATE KEY-----\n${SECRETS[12]}` }],
    };

    it('from every answer, the log and the database, and nodes have them', async () => {
      await fixture.push('secretive', makeBundle(makeApp()));
      const answers = [await put('apps/secretive', everything), await get('apps/secretive')];
      expect(answers[1]!.body.config).toMatchObject({ key_value_store: { a: { url: 'redis://user:***@localhost' }, b: { url: 'postgres://***@localhost/db?***' }, c: { key: '***', account: 'acc' } } });
      const held = JSON.stringify(grantOf('secretive'));
      const rows = await fixture.sql(`SELECT t.j::text FROM (SELECT to_jsonb(r) AS j FROM runtime_config r UNION ALL SELECT to_jsonb(a) FROM app a UNION ALL SELECT to_jsonb(n) FROM node n) t`);
      const shown = JSON.stringify([answers, rows, fixture.logged]);
      for (const secret of SECRETS.slice(0, 13)) {
        expect(held).toContain(secret);
        expect(shown).not.toContain(secret);
      }
    });

    it.each<[string, unknown, Record<string, string>]>([
      ['a configuration that is refused', { ...everything, nonsense: SECRETS[13] }, {}],
      ['JSON that is cut off', `{"key_value_store": {"a": "${SECRETS[13]}`, { 'content-type': 'application/json' }],
      ['TOML that is malformed', `[a]\nb = "c"\nkey = ${SECRETS[13]} "x"\n`, TOML],
    ])('in the refusal of %s', async (_what, body, headers) => {
      const answer = await put('apps/secretive', body, headers);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(JSON.stringify([answer.body, fixture.logged])).not.toContain('s3cr3t');
    });

    it('when what was shown is sent back', async () => {
      const { config } = (await get('apps/secretive')).body;
      expect(await put('apps/secretive', config)).toMatchObject({ status: 422, body: { code: 'API_RUNTIME_CONFIG_INVALID', errors: { 'key_value_store.a.url': [expect.stringContaining('***')] } } });
    });
  });

  it.each<[string, unknown, string, string]>([
    ['an unknown table, with the one that was meant', { key_value_stores: {} }, 'key_value_stores', 'unknown key "key_value_stores"; did you mean "key_value_store"?'],
    ['an unknown key of a store', { key_value_store: { a: { type: 'redis', ulr: 'x', url: 'redis://h' } } }, 'key_value_store.a.ulr', 'unknown key "ulr"; did you mean "url"?'],
    ['a type that there is not', { key_value_store: { a: { type: 'memcached' } } }, 'key_value_store.a.type', 'type: expected spin, redis, postgres, azure_cosmos or aws_dynamo'],
    ['a path that leads out', { key_value_store: { a: { type: 'spin', path: '../b' } } }, 'key_value_store.a.path', 'expected a relative path without hidden folders, "." and ".."'],
    ['a URL of another scheme', { key_value_store: { a: { type: 'redis', url: 'http://h' } } }, 'key_value_store.a.url', 'expected a URL that begins with redis:// or rediss://'],
    ['a label that no manifest can have', { sqlite_database: { 'a b': { type: 'spin' } } }, 'sqlite_database.a b', 'expected kebab-case or snake_case'],
    ['a file of the control plane', { client_tls: [{ component_ids: ['a'], hosts: ['b'], ca_roots_file: '/etc/x' }] }, 'client_tls.0.ca_roots_file', 'files are read from WHORL_RUNTIME_CONFIG alone: give the text as ca_roots_pem'],
    ['a setting of the processes', { state_dir: '/x' }, 'state_dir', 'a setting of the processes, not of apps: WHORL_NODE_DIR says where nodes keep data'],
    ['a network that is none', { outbound_networking: { block_networks: ['10.0.0.0/99'] } }, 'outbound_networking.block_networks.0', 'expected "private", an address or a network like 10.0.0.0/8'],
  ])('refuses %s', async (_what, body, field, message) => {
    expect(await put('apps/strict', body)).toMatchObject({ status: 422, body: { code: 'API_RUNTIME_CONFIG_INVALID', errors: { [field]: [message] } } });
    expect(await fixture.call('GET', '/v1/apps/strict')).toMatchObject({ status: 404 });
  });

  it('must be as it was seen, with If-Match', async () => {
    await put('apps/guarded', { outbound_pg: { max_connections: 1 } });
    for (const path of ['apps/guarded', '']) {
      const etag = (await get(path)).headers.get('etag')!;
      expect(await put(path, { outbound_pg: { max_connections: 2 } }, { 'if-match': etag })).toMatchObject({ status: 200 });
      expect(await put(path, { outbound_pg: { max_connections: 3 } }, { 'if-match': etag })).toMatchObject({ status: 412, body: { code: 'API_STATE_CHANGED' } });
    }
    await fixture.call('DELETE', '/v1/runtime-config');
  });

  it('does not move the revision when nothing changes', async () => {
    await put('apps/still', { outbound_pg: { max_connections: 1 } });
    const revision = async () => (await fixture.call<{ variablesRevision: number }>('GET', '/v1/apps/still')).body.variablesRevision;
    const before = await revision();
    await put('apps/still', { outbound_pg: { max_connections: 1 } });
    expect(await revision()).toBe(before);
  });

  it('of what is not there is not found', async () => {
    expect(await get('apps/nobody')).toMatchObject({ status: 404, body: { code: 'API_APP_NOT_FOUND' } });
    expect(await get('apps/tables/channels/staging')).toMatchObject({ status: 404, body: { code: 'API_CHANNEL_NOT_FOUND' } });
    expect(await put('apps/tables/channels/staging', {})).toMatchObject({ status: 404, body: { code: 'API_CHANNEL_NOT_FOUND' } });
  });

  describe('from WHORL_RUNTIME_CONFIG', () => {
    let dir: string;
    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), 'whorl-config-'));
    });
    afterAll(() => rm(dir, { recursive: true, force: true }));

    it('is the weakest layer, with the files that it names, for all replicas, until one starts without it', async () => {
      await fixture.push('filed', makeBundle(makeApp()));
      await put('', { outbound_pg: { max_connections: 2 } });
      await writeFile(join(dir, 'ca.pem'), '-----BEGIN CERTIFICATE-----\nroot');
      const path = join(dir, 'config.toml');
      await writeFile(path, '[outbound_pg]\nmax_connections = 1\n[outbound_mysql]\nmax_connections = 1\n[[client_tls]]\ncomponent_ids = ["web"]\nhosts = ["db"]\nca_roots_file = "ca.pem"\n');
      const replica = await fixture.startReplica({ WHORL_RUNTIME_CONFIG: path });
      await until(() => grantOf('filed').clientTls.length > 0);
      expect(grantOf('filed')).toMatchObject({
        outboundPg: { maxConnections: 2 }, outboundMysql: { maxConnections: 1 },
        clientTls: [{ componentIds: ['web'], hosts: ['db'], caUseRoots: false, caRoots: '-----BEGIN CERTIFICATE-----\nroot' }],
      });
      await fixture.stopReplica(replica);
      await fixture.stopReplica(await fixture.startReplica());
      await until(() => grantOf('filed').clientTls.length === 0);
      await fixture.call('DELETE', '/v1/runtime-config');
    });

    it('keeps a control plane from starting when it is wrong', async () => {
      const path = join(dir, 'wrong.toml');
      await writeFile(path, '[outbound_pgg]\n');
      await expect(fixture.startReplica({ WHORL_RUNTIME_CONFIG: path })).rejects.toThrow('unknown key "outbound_pgg"; did you mean "outbound_pg"?');
      await expect(fixture.startReplica({ WHORL_RUNTIME_CONFIG: join(dir, 'none.toml') })).rejects.toThrow('ENOENT');
    });
  });

  describe('and what an app needs', () => {
    it('refuses a label that nothing stands behind at the push, in the words of Spin', async () => {
      const answer = await fixture.push('lost', makeBundle(withStores('default', 'cache')));
      expect(answer).toMatchObject({ status: 422, body: { code: 'API_STORE_LABEL_UNKNOWN', detail: 'lost: unknown key_value_stores label "cache" for component "web"' } });
      await put('apps/lost', { key_value_store: { cache: { type: 'spin' } } });
      expect(await fixture.push('lost', makeBundle(withStores('default', 'cache')))).toMatchObject({ status: 201, body: { state: 'serving' } });
    });

    it('does not take away what is served from', async () => {
      for (const path of ['apps/lost', '']) expect((await put(path, { key_value_store: { cache: { type: 'spin' } } })).status).toBe(200);
      expect((await put('apps/lost', {})).status).toBe(200);
      expect(await fixture.call('DELETE', '/v1/runtime-config')).toMatchObject({ status: 422, body: { code: 'API_STORE_LABEL_UNKNOWN' } });
      expect(grantOf('lost').keyValueStores).toHaveProperty('cache');
    });

    it('does not miss a variable that a provider may give', async () => {
      const bundle = makeBundle(makeApp({ key: { secret: true } }));
      expect(await fixture.push('provided', bundle)).toMatchObject({ status: 422, body: { code: 'API_VARIABLE_REQUIRED' } });
      await put('apps/provided', { variables_provider: [{ type: 'static', values: { other: 'x' } }] });
      expect(await fixture.push('provided', bundle)).toMatchObject({ status: 422, body: { code: 'API_VARIABLE_REQUIRED' } });
      await put('apps/provided', '[[config_provider]]\ntype = "env"\n', TOML);
      expect(await fixture.push('provided', bundle)).toMatchObject({ status: 201 });
      expect(grantOf('provided').variablesProviders).toEqual([{ type: 'env', prefix: 'SPIN_VARIABLE' }]);
      expect(await fixture.call('DELETE', '/v1/apps/provided/runtime-config')).toMatchObject({ status: 422, body: { code: 'API_VARIABLE_REQUIRED' } });
    });
  });
});
