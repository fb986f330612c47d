import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RuntimeGrant } from '#contract/runtime-grant.js';
import type { Pipe } from '#engine/run/pipe.js';
import type { GuestGrant } from '#runtime/capability/guest.js';
import { closeStores } from '#runtime/capability/key-value/store-pool.js';
import { Forwarder } from '../fixtures/forwarder.js';
import { bytes, ok, TestGuest, text } from './guest-state.js';

const guests: TestGuest[] = [];
function guestWith(keyValueStores: string[], grant: Partial<GuestGrant> = {}) {
  const guest = new TestGuest({ keyValueStores, ...grant });
  guests.push(guest);
  return { guest, kv: guest.calls('fermyon:spin/key-value@2.0.0') };
}
afterEach(async () => {
  await closeStores();
  guests.splice(0).forEach((guest) => guest.dispose());
});

const shared = (file: string) => RuntimeGrant.parse({ keyValueStores: { default: { type: 'spin', file }, orders: { type: 'spin', file } } });

describe('fermyon:spin/key-value', () => {
  it('opens what the manifest grants and the platform has', () => {
    const { kv } = guestWith(['default', 'other']);
    expect(kv('[static]store.open', 'forbidden')).toMatchObject({ payload: { tag: 'access-denied' } });
    expect(kv('[static]store.open', '../../etc')).toMatchObject({ payload: { tag: 'access-denied' } });
    expect(kv('[static]store.open', 'other')).toMatchObject({ payload: { tag: 'no-such-store' } });
    ok(kv('[static]store.open', 'default'));
    expect(guestWith([]).kv('[static]store.open', 'default')).toMatchObject({ payload: { tag: 'access-denied' } });
  });

  it('gets, sets, overwrites, lists and deletes', () => {
    const { kv } = guestWith(['default']);
    const store = ok(kv('[static]store.open', 'default'));
    expect(kv('[method]store.get-keys', store)).toEqual([]);
    expect(kv('[method]store.delete', store, 'bar')).toBeUndefined();
    expect(kv('[method]store.exists', store, 'bar')).toBe(false);
    expect(kv('[method]store.get', store, 'bar')).toBeUndefined();
    expect(kv('[method]store.set', store, 'bar', bytes('baz'))).toBeUndefined();
    expect(kv('[method]store.exists', store, 'bar')).toBe(true);
    expect(text(kv('[method]store.get', store, 'bar'))).toBe('baz');
    kv('[method]store.set', store, 'bar', bytes('wow'));
    kv('[method]store.set', store, 'qux', new Uint8Array(0));
    kv('[method]store.set', store, '', bytes('empty key'));
    kv('[method]store.set', store, 'ключ', bytes('\0\xff'));
    expect(text(kv('[method]store.get', store, 'bar'))).toBe('wow');
    expect(kv('[method]store.get', store, 'qux')).toHaveLength(0);
    expect(text(kv('[method]store.get', store, 'ключ'))).toBe('\0\xff');
    expect(kv('[method]store.get-keys', store)).toEqual(['', 'bar', 'qux', 'ключ']);
    kv('[method]store.delete', store, 'bar');
    kv('[method]store.delete', store, 'bar');
    expect(kv('[method]store.exists', store, 'bar')).toBe(false);
  });

  it('is one store for all components and versions of an app, and another for each app', () => {
    const one = guestWith(['default']);
    const same = guestWith(['default'], { stateDir: one.guest.grant.stateDir });
    const other = guestWith(['default']);
    one.kv('[method]store.set', ok(one.kv('[static]store.open', 'default')), 'k', bytes('v'));
    expect(text(same.kv('[method]store.get', ok(same.kv('[static]store.open', 'default')), 'k'))).toBe('v');
    expect(other.kv('[method]store.get', ok(other.kv('[static]store.open', 'default')), 'k')).toBeUndefined();
  });

  it('links labels of two apps of an org to one file', () => {
    const runtime = shared('.stores/one.sqlite');
    const one = guestWith(['orders'], { runtime });
    const { orgDir } = one.guest.grant;
    const two = guestWith(['default'], { app: 'two', orgDir, stateDir: join(orgDir, 'two'), runtime });
    const elsewhere = guestWith(['orders'], { org: 'other', runtime });
    one.kv('[method]store.set', ok(one.kv('[static]store.open', 'orders')), 'k', bytes('v'));
    expect(text(two.kv('[method]store.get', ok(two.kv('[static]store.open', 'default')), 'k'))).toBe('v');
    expect(elsewhere.kv('[method]store.get', ok(elsewhere.kv('[static]store.open', 'orders')), 'k')).toBeUndefined();
  });

  it('finds another store when the operator changes what a label stands for', () => {
    const { guest, kv } = guestWith(['default', 'orders']);
    const before = ok(kv('[static]store.open', 'default'));
    kv('[method]store.set', before, 'k', bytes('v'));
    (guest.grant as { runtime: RuntimeGrant }).runtime = shared('.stores/two.sqlite');
    expect(kv('[method]store.get-keys', ok(kv('[static]store.open', 'default')))).toEqual([]);
    expect(kv('[method]store.get-keys', ok(kv('[static]store.open', 'orders')))).toEqual([]);
    expect(kv('[method]store.get-keys', before)).toEqual(['k']);
  });

  it('goes on after its connection was closed for others', async () => {
    const { kv } = guestWith(['default']);
    const store = ok(kv('[static]store.open', 'default'));
    kv('[method]store.set', store, 'k', bytes('v'));
    await closeStores();
    expect(text(kv('[method]store.get', store, 'k'))).toBe('v');
  });

  it('reports a store that cannot be opened without naming its place', () => {
    const { kv } = guestWith(['default'], { stateDir: '/dev/null/state' });
    expect(kv('[static]store.open', 'default')).toMatchObject({ payload: { tag: 'other', val: 'the store cannot be reached' } });
  });

  it('says before it changes something', () => {
    let effects = 0;
    const guest = new TestGuest({ keyValueStores: ['default'] }, { effect: () => effects++ });
    guests.push(guest);
    const kv = guest.calls('fermyon:spin/key-value@2.0.0');
    const store = ok(kv('[static]store.open', 'default'));
    for (const name of ['get', 'exists']) kv(`[method]store.${name}`, store, 'k');
    kv('[method]store.get-keys', store);
    expect(effects).toBe(0);
    kv('[method]store.set', store, 'k', bytes('v'));
    kv('[method]store.delete', store, 'k');
    expect(effects).toBe(2);
  });
});

const val = (result: { tag: string; val: never }): never => {
  expect(result).toMatchObject({ tag: 'ok' });
  return result.val;
};
const collect = (stream: Pipe): Promise<string[]> => new Promise((resolve) => {
  const all: string[] = [];
  stream.attach({
    write: (chunk) => {
      all.push(...(chunk as string[]));
      return true;
    },
    end: () => resolve(all),
  });
});
const valueOf = (future: Pipe): Promise<unknown> => new Promise((resolve) => future.attach({ value: resolve }));
const err = (error: unknown) => ({ tag: 'err', val: error });

describe('key-value stores for a guest', () => {
  let guest: TestGuest;
  beforeEach(() => {
    guest = guestWith(['default', 'other']).guest;
  });

  it('through fermyon:spin/key-value', async () => {
    const kv = await Forwarder.of('fermyon:spin/key-value', guest);
    expect(await kv.call('open', 'forbidden')).toEqual(err({ tag: 'access-denied' }));
    expect(await kv.call('open', 'other')).toEqual(err({ tag: 'no-such-store' }));
    const store = val(await kv.call('open', 'default')) as number;
    expect(store).toBeGreaterThan(0);
    expect(await kv.call('get', store, 'k')).toEqual(err({ tag: 'no-such-key' }));
    expect(await kv.call('set', store, 'k', bytes('v'))).toMatchObject({ tag: 'ok' });
    expect(text(val(await kv.call('get', store, 'k')))).toBe('v');
    expect(await kv.call('exists', store, 'k')).toEqual({ tag: 'ok', val: true });
    expect(await kv.call('get-keys', store)).toEqual({ tag: 'ok', val: ['k'] });
    expect(await kv.call('delete', store, 'k')).toMatchObject({ tag: 'ok' });
    expect(await kv.call('exists', store, 'k')).toEqual({ tag: 'ok', val: false });
    await kv.call('close', store);
    expect(await kv.call('get', 77, 'k')).toEqual(err({ tag: 'invalid-store' }));
    expect(await kv.call('set', store, 'k'.repeat(70_000), bytes('v'))).toEqual(err({ tag: 'io', val: 'key exceeds limit of 65536 bytes' }));
  });

  it('through fermyon:spin/key-value@2.0.0', async () => {
    const kv = await Forwarder.of('fermyon:spin/key-value@2.0.0', guest);
    expect(await kv.call('[static]store.open', 'forbidden')).toEqual(err({ tag: 'access-denied' }));
    const store = val(await kv.call('[static]store.open', 'default'));
    expect(await kv.call('[method]store.get', store, 'k')).toEqual({ tag: 'ok', val: undefined });
    await kv.call('[method]store.set', store, 'k', bytes('v'));
    expect(text(val(await kv.call('[method]store.get', store, 'k')))).toBe('v');
    expect(await kv.call('[method]store.exists', store, 'k')).toEqual({ tag: 'ok', val: true });
    expect(await kv.call('[method]store.get-keys', store)).toEqual({ tag: 'ok', val: ['k'] });
    await kv.call('[method]store.delete', store, 'k');
    expect(await kv.call('[method]store.get-keys', store)).toEqual({ tag: 'ok', val: [] });
  });

  it('through spin:key-value/key-value@3.0.0, keys as a stream', async () => {
    const kv = await Forwarder.of('spin:key-value/key-value@3.0.0', guest);
    expect(await kv.call('[static]store.open', 'forbidden')).toEqual(err({ tag: 'access-denied' }));
    expect(await kv.call('[static]store.open', 'other')).toEqual(err({ tag: 'no-such-store' }));
    const store = val(await kv.call('[static]store.open', 'default'));
    const names = Array.from({ length: 2_500 }, (_, i) => `key ${String(i).padStart(4, '0')}`);
    for (const name of names) await kv.call('[method]store.set', store, name, bytes(name));
    expect(text(val(await kv.call('[method]store.get', store, 'key 0007')))).toBe('key 0007');
    expect(await kv.call('[method]store.exists', store, 'none')).toEqual({ tag: 'ok', val: false });
    await kv.call('[method]store.delete', store, 'key 0000');
    const [keys, result] = (await kv.call('[method]store.get-keys', store)) as [Pipe, Pipe];
    expect(await collect(keys)).toEqual(names.slice(1));
    expect(await valueOf(result)).toMatchObject({ tag: 'ok' });
  });

  it('through wasi:keyvalue, by cas and in batches', async () => {
    const store = await Forwarder.of('wasi:keyvalue/store@0.2.0-draft2', guest);
    const batch = await Forwarder.of('wasi:keyvalue/batch@0.2.0-draft2', guest);
    const atomics = await Forwarder.of('wasi:keyvalue/atomics@0.2.0-draft2', guest);
    expect(await store.call('open', 'forbidden')).toEqual(err({ tag: 'access-denied' }));
    expect(await store.call('open', 'other')).toEqual(err({ tag: 'no-such-store' }));
    const bucket = val(await store.call('open', 'default'));
    expect(await store.call('[method]bucket.get', bucket, 'k')).toEqual({ tag: 'ok', val: undefined });
    await store.call('[method]bucket.set', bucket, 'k', bytes('v'));
    expect(text(val(await store.call('[method]bucket.get', bucket, 'k')))).toBe('v');
    expect(await store.call('[method]bucket.exists', bucket, 'k')).toEqual({ tag: 'ok', val: true });
    expect(await store.call('[method]bucket.list-keys', bucket, undefined)).toEqual({ tag: 'ok', val: { keys: ['k'], cursor: undefined } });
    expect(await store.call('[method]bucket.list-keys', bucket, '0')).toEqual(err({ tag: 'other', val: 'list_keys: cursor not supported' }));
    await store.call('[method]bucket.delete', bucket, 'k');

    expect(await batch.call('get-many', bucket, [])).toEqual({ tag: 'ok', val: [] });
    await batch.call('set-many', bucket, [['a', bytes('1')], ['b', bytes('2')]]);
    expect(val(await batch.call('get-many', bucket, ['b', 'none', 'a']))).toMatchObject([['b', bytes('2')], ['a', bytes('1')]].map(([key, value]) => [key, new Uint8Array(value as Uint8Array)]));
    await batch.call('delete-many', bucket, ['a', 'none']);
    expect(await store.call('[method]bucket.exists', bucket, 'a')).toEqual({ tag: 'ok', val: false });

    expect(await atomics.call('increment', bucket, 'n', 10n)).toEqual({ tag: 'ok', val: 10n });
    expect(await atomics.call('increment', bucket, 'n', -11n)).toEqual({ tag: 'ok', val: -1n });
    expect(await atomics.call('increment', bucket, 'b', 1n)).toEqual(err({ tag: 'other', val: 'the value is not a counter: it does not have 8 bytes' }));

    const cas = val(await atomics.call('[static]cas.new', bucket, 'c'));
    expect(await atomics.call('[method]cas.current', cas)).toEqual({ tag: 'ok', val: undefined });
    await store.call('[method]bucket.set', bucket, 'c', bytes('other'));
    const failed = (await atomics.call('swap', cas, bytes('mine'))) as { val: { val: never } };
    expect(failed).toMatchObject({ tag: 'err', val: { tag: 'cas-failed' } });
    expect(text(val(await atomics.call('[method]cas.current', failed.val.val)))).toBe('other');
    expect(await atomics.call('swap', failed.val.val, bytes('mine'))).toMatchObject({ tag: 'ok' });
    expect(text(val(await store.call('[method]bucket.get', bucket, 'c')))).toBe('mine');
    expect(await atomics.call('swap', val(await atomics.call('[static]cas.new', bucket, 'c')), bytes('next'))).toMatchObject({ tag: 'ok' });
  });

  it('through whorl:key-value/extended@0.1.0', async () => {
    const kv = await Forwarder.of('whorl:key-value/extended@0.1.0', guest);
    expect(await kv.call('[static]store.open', 'forbidden')).toEqual(err({ tag: 'access-denied' }));
    const store = val(await kv.call('[static]store.open', 'default'));
    for (const key of ['a/1', 'a/2', 'a/3', 'b']) await kv.call('[method]store.set', store, key, bytes(key), key === 'b' ? 60_000n : undefined);
    expect(text(val(await kv.call('[method]store.get', store, 'b')))).toBe('b');
    const first = val(await kv.call('[method]store.list-keys', store, 'a/', undefined, 2)) as { keys: string[]; cursor?: string };
    expect(first).toEqual({ keys: ['a/1', 'a/2'], cursor: expect.any(String) });
    expect(await kv.call('[method]store.list-keys', store, 'a/', first.cursor, 2)).toEqual({ tag: 'ok', val: { keys: ['a/3'], cursor: undefined } });
    expect(await kv.call('[method]store.list-keys', store, 'b', first.cursor, 2)).toEqual(err({ tag: 'other', val: 'the cursor is not of this listing' }));
    expect(await kv.call('[method]store.compare-and-swap', store, 'a/1', undefined, bytes('x'), undefined)).toEqual({ tag: 'ok', val: false });
    expect(await kv.call('[method]store.compare-and-swap', store, 'a/1', bytes('a/1'), undefined, undefined)).toEqual({ tag: 'ok', val: true });
    await kv.call('[method]store.delete', store, 'a/2');
    expect(val(await kv.call('[method]store.list-keys', store, '', undefined, 100))).toMatchObject({ keys: ['a/3', 'b'] });
    expect(await kv.call('[method]store.increment', store, 'n', 2n, 'op')).toEqual({ tag: 'ok', val: 2n });
    expect(await kv.call('[method]store.increment', store, 'n', 2n, 'op')).toEqual({ tag: 'ok', val: 2n });
    expect(await kv.call('[method]store.set', store, 'k', bytes('v'), 0n)).toEqual(err({ tag: 'other', val: 'a time to live is at least one millisecond' }));
  });
});
