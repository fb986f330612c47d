import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { closeStores, MAX_KEY_BYTES, MAX_VALUE_BYTES, storeAt } from '#runtime/capability/key-value/store-file.js';
import { bytes, ok, TestGuest, text } from './guest-state.js';

const guests: TestGuest[] = [];
function guestWith(keyValueStores: string[], stateDir?: string) {
  const guest = new TestGuest({ keyValueStores, ...(stateDir && { stateDir }) });
  guests.push(guest);
  return { guest, kv: guest.calls('fermyon:spin/key-value@2.0.0') };
}
afterAll(() => closeStores());
afterEach(() => {
  closeStores();
  guests.splice(0).forEach((guest) => guest.dispose());
});

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
    const same = guestWith(['default'], one.guest.grant.stateDir);
    const other = guestWith(['default']);
    one.kv('[method]store.set', ok(one.kv('[static]store.open', 'default')), 'k', bytes('v'));
    expect(text(same.kv('[method]store.get', ok(same.kv('[static]store.open', 'default')), 'k'))).toBe('v');
    expect(other.kv('[method]store.get', ok(other.kv('[static]store.open', 'default')), 'k')).toBeUndefined();
  });

  it('bounds keys and values', () => {
    const { kv } = guestWith(['default']);
    const store = ok(kv('[static]store.open', 'default'));
    expect(kv('[method]store.set', store, 'k'.repeat(MAX_KEY_BYTES + 1), bytes('v'))).toMatchObject({ payload: { tag: 'other', val: `key exceeds limit of ${MAX_KEY_BYTES} bytes` } });
    expect(kv('[method]store.set', store, 'k', new Uint8Array(MAX_VALUE_BYTES + 1))).toMatchObject({ payload: { tag: 'other', val: `value exceeds limit of ${MAX_VALUE_BYTES} bytes` } });
    expect(kv('[method]store.get-keys', store)).toEqual([]);
  });

  it('goes on after its connection was closed for others', () => {
    const { kv } = guestWith(['default']);
    const store = ok(kv('[static]store.open', 'default'));
    kv('[method]store.set', store, 'k', bytes('v'));
    closeStores();
    expect(text(kv('[method]store.get', store, 'k'))).toBe('v');
  });

  it('reports a store that cannot be opened without naming its place', () => {
    const { kv } = guestWith(['default'], '/dev/null/state');
    const failed = kv('[static]store.open', 'default');
    expect(failed).toMatchObject({ payload: { tag: 'other', val: 'the store cannot be reached' } });
  });

  it('opens a new store in several processes at once', async () => {
    const { guest } = guestWith(['default']);
    const module = join(import.meta.dirname, '../../src/runtime/capability/key-value/store-file.ts');
    const script = `
      const { StoreFile } = await import(process.argv[1]);
      while (Date.now() < Number(process.argv[3]));
      for (let i = 0; i < 20; i++) new StoreFile(process.argv[2] + i).set(String(process.pid), new Uint8Array([1]));`;
    const path = join(guest.grant.stateDir, 'key-value', 'shared');
    const at = String(Date.now() + 500);
    const children = [1, 2, 3, 4].map(() => spawn(process.execPath, ['--input-type=module', '--no-warnings', '-e', script, module, path, at], { stdio: ['ignore', 'ignore', 'inherit'] }));
    const codes = await Promise.all(children.map(async (child) => (child.exitCode === null ? (await once(child, 'exit'))[0] : child.exitCode)));
    expect(codes).toEqual([0, 0, 0, 0]);
    for (let i = 0; i < 20; i += 1) expect(storeAt(`${path}${i}`).keys()).toHaveLength(4);
  });

  it('takes writes of several processes at once and loses none', async () => {
    const { guest, kv } = guestWith(['default']);
    ok(kv('[static]store.open', 'default'));
    const path = join(guest.grant.stateDir, 'key-value', 'default.sqlite');
    const script = `
      const { DatabaseSync } = require('node:sqlite');
      const db = new DatabaseSync(process.argv[1], { timeout: 5000 });
      db.exec('PRAGMA journal_mode = WAL');
      const set = db.prepare('INSERT INTO key_value (key, value) VALUES (?, ?)');
      for (let i = 0; i < 200; i++) set.run(process.argv[2] + i, new Uint8Array([1]));`;
    const others = ['a', 'b'].map((name) => spawn(process.execPath, ['-e', script, path, name], { stdio: ['ignore', 'ignore', 'inherit'] }));
    const store = storeAt(path);
    for (let i = 0; i < 200; i += 1) {
      store.set(`c${i}`, new Uint8Array([1]));
      if (i % 20 === 0) await new Promise(setImmediate);
    }
    const codes = await Promise.all(others.map(async (child) => (child.exitCode === null ? (await once(child, 'exit'))[0] : child.exitCode)));
    expect(codes).toEqual([0, 0]);
    expect(store.keys()).toHaveLength(600);
  });
});
