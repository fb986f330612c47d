import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { openKeyValueStore } from '#runtime/capability/key-value/store.js';
import { type PostgresServer, startPostgresServer } from '../fixtures/servers/postgres.js';
import { bytes } from './guest-state.js';
import { keyValueSuite } from './key-value.suite.js';

describe('key-value stores in PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgresServer();
  });
  afterAll(() => server.stop());
  const open = () => openKeyValueStore({ type: 'postgres', url: server.url() }, '/nowhere');

  keyValueSuite(open, { ordered: true, anyKey: true, writers: 20 });

  it('make their tables once, however many come first together', async () => {
    const client = new pg.Client(server.url());
    await client.connect();
    await client.query('CREATE SCHEMA fresh');
    const url = `${server.url()}?options=${encodeURIComponent('-c search_path=fresh')}`;
    const stores = Array.from({ length: 5 }, () => openKeyValueStore({ type: 'postgres', url }, '/nowhere'));
    await Promise.all(stores.map(async (store, i) => store.set(`k${i}`, bytes('v'))));
    expect((await client.query('SELECT FROM fresh.whorl_key_value')).rowCount).toBe(5);
    await Promise.all(stores.map((store) => store.close()));
    await client.end();
  });

  it('say no more than a code when the server refuses', async () => {
    const client = new pg.Client(server.url());
    await client.connect();
    await client.query('CREATE ROLE visitor LOGIN PASSWORD \'visitor\'');
    const url = new URL(server.url());
    url.username = 'visitor';
    url.password = 'visitor';
    const store = openKeyValueStore({ type: 'postgres', url: url.href }, '/nowhere');
    await expect((async () => store.get('k'))()).rejects.toThrow('the store answered with SQLSTATE 42501');
    await store.close();
    await client.end();
  });

  it('keep connections that a failed increment used', async () => {
    const store = open();
    await store.set('text', bytes('not a counter'));
    for (let i = 0; i < 10; i += 1) await expect((async () => store.increment('text', 1n))()).rejects.toThrow('not a counter');
    expect(await store.increment('number', 1n)).toBe(1n);
    await store.close();
  });
});
