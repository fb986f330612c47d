import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { request } from 'undici';
import { startPlatform, type Platform } from '../../bench/lib/platform.mjs';
import { hasRedis, startRedis } from '../fixtures/servers/redis.js';
import type { TestServer } from '../fixtures/servers/server-process.js';

/** Stores that apps share, and what the API shows of them, on real processes. */

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PASSWORD = 's3cr3t-password-of-redis';
const PROVIDED = 's3cr3t-token-of-a-provider';
const VALUE = 's3cr3t-value-of-a-key';

let platform: Platform;
let redis: TestServer | null;

beforeAll(async () => {
  execFileSync(process.execPath, [`${ROOT}examples/counter-js/build.mjs`]);
  redis = await startRedis(['--requirepass', PASSWORD]);
  platform = await startPlatform();
  const bundle = readFileSync(`${ROOT}examples/counter-js/counter-js.tar.gz`);
  for (const app of ['left', 'right']) expect((await platform.push(app, bundle)).state).toBe('serving');
}, 180_000);
afterAll(async () => {
  await platform?.stop();
  await redis?.stop();
}, 60_000);

const send = (method: string, path: string, body: unknown) => platform.call(method, path, { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
/** Adds one to a counter of the app, by the app itself. */
const count = async (app: string, name: string): Promise<number> => {
  const { body } = await request(`http://127.0.0.1:${platform.httpPort}/count/${name}`, { method: 'POST', headers: { host: `${app}.localhost` } });
  return ((await body.json()) as { count: number }).count;
};
const value = async (store: string, key: string): Promise<string> =>
  (await fetch(`${platform.api}/v1/stores/${store}/keys/${key}`, { headers: { authorization: `Bearer ${platform.token}` } })).text();

describe('a store in a file', () => {
  it('is each app\'s own by the label default, and has a name', async () => {
    expect([await count('left', 'visits'), await count('right', 'visits'), await count('left', 'visits')]).toEqual([1, 1, 2]);
    expect([await value('left.key-value', 'visits'), await value('right.key-value', 'visits')]).toEqual(['2', '1']);
  });

  it('is shared by two apps through links, at once and without a deployment', async () => {
    await send('POST', '/v1/stores', { name: 'common', kind: 'key-value' });
    for (const app of ['left', 'right']) await send('POST', '/v1/stores/common/links', { app, label: 'default' });
    expect([await count('left', 'both'), await count('right', 'both')]).toEqual([1, 2]);
    expect(await platform.call('GET', '/v1/stores/common/keys')).toEqual({ items: ['both'], next: null });
    await platform.call('PUT', '/v1/stores/common/keys/both', { body: '40', headers: { 'content-type': 'application/octet-stream' } });
    expect(await count('right', 'both')).toBe(41);
  });

  it('outlives its apps', async () => {
    await platform.call('DELETE', '/v1/apps/right');
    expect(await value('common', 'both')).toBe('41');
    await platform.push('right', readFileSync(`${ROOT}examples/counter-js/counter-js.tar.gz`));
    expect(await count('right', 'visits')).toBe(2);
  });
});

(hasRedis ? describe : describe.skip)(`a store in Redis${hasRedis ? '' : ' (left out: redis-server is not installed)'}`, () => {
  it('is shared by two apps through links, and looked into through the node', async () => {
    await send('POST', '/v1/stores', { name: 'remote', kind: 'key-value', type: 'redis', url: `redis://:${PASSWORD}@127.0.0.1:${redis!.port}` });
    for (const app of ['left', 'right']) await send('POST', '/v1/stores/remote/links', { app, label: 'default' });
    expect([await count('left', 'r'), await count('right', 'r'), await count('left', 'r')]).toEqual([1, 2, 3]);
    expect(await value('remote', 'r')).toBe('3');
    expect((await platform.call('GET', '/v1/stores/remote/keys')).items).toEqual(['r']);
    expect((await platform.call('GET', '/v1/stores/remote')).settings).toEqual({ url: expect.stringContaining(':***@127.0.0.1') });
  });
});

describe('a database', () => {
  it('takes SQL through the API', async () => {
    await send('POST', '/v1/stores', { name: 'books', kind: 'sqlite' });
    await send('POST', '/v1/stores/books/sql', { sql: 'CREATE TABLE book (title TEXT, year INTEGER)', readOnly: false });
    await send('POST', '/v1/stores/books/sql', { sql: 'INSERT INTO book VALUES (?, ?)', params: ['Emma', 1815], readOnly: false });
    expect(await send('POST', '/v1/stores/books/sql', { sql: 'SELECT * FROM book WHERE year < ?', params: [1900] })).toMatchObject({ columns: ['title', 'year'], rows: [['Emma', 1815]] });
    await expect(send('POST', '/v1/stores/books/sql', { sql: 'DELETE FROM book' })).rejects.toThrow('API_SQL_INVALID');
  });

  it('stops a statement that never ends, while the node serves on', async () => {
    const endless = send('POST', '/v1/stores/books/sql', { sql: 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n', timeoutMs: 2_000 }).catch((error: Error) => error.message);
    expect(await count('left', 'meanwhile')).toBe(1);
    expect((await send('POST', '/v1/stores/books/sql', { sql: 'SELECT 1' })).rows).toEqual([[1]]);
    expect(await endless).toContain('API_STORE_TIMEOUT');
  });
});

describe('secrets', () => {
  const filesBelow = (dir: string): string[] => readdirSync(dir, { recursive: true, encoding: 'utf8' }).map((file) => join(dir, file)).filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
  const holds = (dir: string, text: string): string[] => filesBelow(dir).filter((file) => readFileSync(file).includes(text));

  it('are never in the database, its log of changes included, nor in a log', async () => {
    await send('PUT', '/v1/apps/left/runtime-config', { variables_provider: [{ type: 'vault', url: 'http://127.0.0.1:1', token: PROVIDED, mount: 'kv' }] });
    await platform.call('PUT', '/v1/stores/common/keys/secret', { body: VALUE, headers: { 'content-type': 'application/octet-stream' } });
    expect(await value('common', 'secret')).toBe(VALUE);
    const below = readdirSync(platform.dir);
    expect(below).toEqual(expect.arrayContaining(['postgres', 'logs', 'node']));
    const inTheOpen = [PASSWORD, PROVIDED, VALUE].flatMap((secret) => below.filter((entry) => entry !== 'node').flatMap((entry) => (statSync(join(platform.dir, entry)).isDirectory() ? holds(join(platform.dir, entry), secret) : [])));
    expect(inTheOpen).toEqual([]);
  });

  it('are on the node in files that nobody else may read', () => {
    const found = holds(join(platform.dir, 'node'), PROVIDED);
    expect(found.map((file) => [file.slice(platform.dir.length + 1), (statSync(file).mode & 0o777).toString(8)])).toEqual([['node/snapshot.json', '600']]);
  });
});
