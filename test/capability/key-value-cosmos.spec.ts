import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { KeyValueStore } from '#runtime/capability/key-value/key-value-store.js';
import { openKeyValueStore } from '#runtime/capability/key-value/store.js';
import { CosmosStandIn } from '../fixtures/servers/cosmos.js';
import { bytes, text } from './guest-state.js';
import { keyValueSuite } from './key-value.suite.js';

describe('key-value stores in Cosmos DB', () => {
  const server = new CosmosStandIn();
  let account: string;
  let store: KeyValueStore;
  const open = (): KeyValueStore => openKeyValueStore({ type: 'azure_cosmos', account, key: server.key, database: 'db', container: 'pairs' }, '/nowhere');
  beforeAll(async () => {
    account = await server.start();
    store = open();
  });
  afterAll(async () => {
    await store.close();
    await server.stop();
  });

  keyValueSuite(open, { ordered: false, anyKey: false, writers: 8 });

  it('hold documents as Spin\'s driver does', async () => {
    server.documents.set('of spin', { id: 'of spin', value: [118], _etag: '"1"' });
    expect(text((await store.get('of spin'))!)).toBe('v');
    await store.set('ours', new Uint8Array([0, 255]));
    expect(server.documents.get('ours')).toMatchObject({ id: 'ours', value: [0, 255] });
  });

  it('write on condition of the ETag that was read, or only what is new', async () => {
    await store.set('cas', bytes('a'));
    const etag = server.documents.get('cas')!._etag;
    await store.swap('cas', bytes('a'), bytes('b'));
    expect(server.requests.at(-1)).toMatchObject({ method: 'PUT', path: 'dbs/db/colls/pairs/docs/cas', headers: { 'if-match': etag } });
    await store.swap('cas', bytes('b'), undefined);
    expect(server.requests.at(-1)).toMatchObject({ method: 'DELETE' });
    expect(server.requests.at(-1)!.headers['if-match']).toMatch(/^"/);
    await store.swap('cas', undefined, bytes('c'));
    expect(server.requests.at(-1)).toMatchObject({ method: 'POST', headers: { 'x-ms-documentdb-partitionkey': '["cas"]' } });
    expect(server.requests.at(-1)!.headers['x-ms-documentdb-is-upsert']).toBeUndefined();
  });

  it('refuse keys that can be no id, in Spin\'s words, and find none', async () => {
    await expect((async () => store.set('a/b', bytes('v')))()).rejects.toThrow('Key contains an illegal character. Keys must not include any of: /\\?#');
    expect(await store.get('a/b')).toBeUndefined();
    await store.delete('a/b');
  });

  it('say no more than the status when the service refuses', async () => {
    server.failures = [403];
    await expect((async () => store.get('k'))()).rejects.toThrow('the store answered with status 403');
    const wrong = openKeyValueStore({ type: 'azure_cosmos', account, key: Buffer.from('another').toString('base64'), database: 'db', container: 'pairs' }, '/nowhere');
    await expect((async () => wrong.get('k'))()).rejects.toThrow('the store answered with status 401');
    await wrong.close();
  });

  it('try again when the service has no capacity', async () => {
    server.failures = [429];
    await store.set('throttled', bytes('v'));
    expect(text((await store.get('throttled'))!)).toBe('v');
  });
});
