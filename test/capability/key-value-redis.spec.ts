import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { RuntimeGrant } from '#contract/runtime-grant.js';
import { Err } from '#engine/run/host.js';
import type { Pipe } from '#engine/run/pipe.js';
import { closeStores } from '#runtime/capability/key-value/store-pool.js';
import { openKeyValueStore } from '#runtime/capability/key-value/store.js';
import { Forwarder } from '../fixtures/forwarder.js';
import { hasRedis, startRedis } from '../fixtures/servers/redis.js';
import type { TestServer } from '../fixtures/servers/server-process.js';
import { bytes, TestGuest, text } from './guest-state.js';
import { keyValueSuite } from './key-value.suite.js';

const suite = hasRedis ? describe : describe.skip;

suite(`key-value stores in Redis${hasRedis ? '' : ' (redis-server is not installed)'}`, () => {
  let server: TestServer;
  let url: string;
  beforeAll(async () => {
    server = await startRedis()!;
    url = `redis://127.0.0.1:${server.port}/1`;
  });
  afterAll(async () => {
    await closeStores();
    await server.stop();
  });
  const open = () => openKeyValueStore({ type: 'redis', url }, '/nowhere');

  keyValueSuite(open, { ordered: false, anyKey: true, writers: 50 });

  it('hold the pairs under their own names, and list strings alone', async () => {
    const redis = new Redis(url);
    const store = open();
    await redis.set('plain', 'text');
    await redis.lpush('a list', 'element');
    expect(text((await store.get('plain'))!)).toBe('text');
    const { keys } = await store.list({ prefix: '' });
    expect(keys).toContain('plain');
    expect(keys).not.toContain('a list');
    await expect((async () => store.get('a list'))()).rejects.toThrow('WRONGTYPE');
    await store.increment('counter', 1n, 'op');
    const [own] = (await redis.keys('*')).filter((key) => key.startsWith('\0'));
    expect(own).toBeDefined();
    expect(await redis.pttl(own!)).toBeGreaterThan(0);
    for (const use of [() => store.get(own!), () => store.set(own!, bytes('x')), () => store.deleteMany([own!]), () => store.getMany([own!])]) {
      await expect((async () => use())()).rejects.toThrow('are the store\'s own');
    }
    await store.close();
    redis.disconnect();
  });

  it('serve a guest, which waits without the thread', async () => {
    const guest = new TestGuest({ keyValueStores: ['default'], runtime: RuntimeGrant.parse({ keyValueStores: { default: { type: 'redis', url } } }) });
    const kv = await Forwarder.of('fermyon:spin/key-value@2.0.0', guest);
    const store = (await kv.call('[static]store.open', 'default')).val;
    await kv.call('[method]store.set', store, 'from a guest', bytes('v'));
    expect(text((await kv.call('[method]store.get', store, 'from a guest')).val)).toBe('v');
    const streaming = await Forwarder.of('spin:key-value/key-value@3.0.0', guest);
    const again = (await streaming.call('[static]store.open', 'default')).val;
    expect(await streaming.call('[method]store.exists', again, 'from a guest')).toEqual({ tag: 'ok', val: true });
    const [keys] = (await streaming.call('[method]store.get-keys', again)) as [Pipe];
    const listed = await new Promise<string[]>((resolve) => {
      const all: string[] = [];
      keys.attach({ write: (chunk) => all.push(...(chunk as string[])) > 0, end: () => resolve(all) });
    });
    expect(listed).toContain('from a guest');
    const wasi = await Forwarder.of('wasi:keyvalue/store@0.2.0-draft2', guest);
    const bucket = (await wasi.call('open', 'default')).val;
    expect((await wasi.call('[method]bucket.list-keys', bucket, undefined)).val.keys).toContain('from a guest');
    guest.dispose();
  });

  it('tell a guest that the server is away without saying where it was', async () => {
    const guest = new TestGuest({ keyValueStores: ['default'], runtime: RuntimeGrant.parse({ keyValueStores: { default: { type: 'redis', url: 'redis://127.0.0.1:1' } } }) });
    const kv = guest.calls('fermyon:spin/key-value@2.0.0');
    const store = kv('[static]store.open', 'default');
    const got = await kv('[method]store.get', store, 'k');
    expect(got).toBeInstanceOf(Err);
    expect(got.payload).toEqual({ tag: 'other', val: 'the store cannot be reached' });
    guest.dispose();
  });
});
