import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, it } from '@jest/globals';
import { FileStore } from '#runtime/capability/key-value/file-store.js';
import { openFileStore, openKeyValueStore } from '#runtime/capability/key-value/store.js';
import { allKeys } from '#runtime/capability/key-value/all-keys.js';
import { bytes, text } from './guest-state.js';
import { keyValueSuite } from './key-value.suite.js';

const dir = mkdtempSync(join(tmpdir(), 'whorl-key-value-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const fileModule = join(import.meta.dirname, '../../src/runtime/capability/key-value/file-connection.ts');

describe('key-value stores in files', () => {
  keyValueSuite(() => openKeyValueStore({ type: 'spin', file: '.shared/key-value/suite.sqlite' }, dir), { ordered: true, anyKey: true, writers: 50 });

  it('lie within the folder of their org', () => {
    for (const file of ['../other/key-value/default.sqlite', '/etc/passwd', 'a/../../b', '', '.']) {
      expect(() => openKeyValueStore({ type: 'spin', file }, dir)).toThrow('the store lies outside of its folder');
    }
  });

  it('take over a file of an earlier release, while a process of that release goes on with it', async () => {
    const path = join(dir, 'old.sqlite');
    const old = new DatabaseSync(path);
    old.exec('PRAGMA journal_mode = WAL; CREATE TABLE key_value (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID');
    const set = old.prepare('INSERT INTO key_value (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value');
    set.run('a', bytes('1'));
    const store = openFileStore(path);
    expect(text((await store.get('a'))!)).toBe('1');
    await store.set('b', bytes('2'), 60_000);
    set.run('c', bytes('3'));
    expect(old.prepare('SELECT key FROM key_value ORDER BY key').all().map(({ key }) => key)).toEqual(['a', 'b', 'c']);
    expect(await allKeys(store)).toEqual(['a', 'b', 'c']);
    await store.close();
    old.close();
  });

  it('answer at once, without a promise', () => {
    const store = openFileStore(join(dir, 'sync.sqlite'));
    expect(store.set('k', bytes('v'))).toBeUndefined();
    expect(store.get('k')).toBeInstanceOf(Uint8Array);
    expect(store.increment('n', 1n)).toBe(1n);
    expect(store.list({})).toEqual({ keys: ['k', 'n'] });
    void store.close();
  });

  it('wait for a writer of another process without the thread, and read meanwhile', async () => {
    const path = join(dir, 'busy.sqlite');
    const store = openFileStore(path);
    await store.set('k', bytes('v'));
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    const written = store.set('k', bytes('w'));
    expect(written).toBeInstanceOf(Promise);
    const incremented = store.increment('n', 1n, 'op');
    expect(text(store.get('k') as Uint8Array)).toBe('v');
    await new Promise(setImmediate);
    other.exec('COMMIT');
    other.close();
    await written;
    expect(await incremented).toBe(1n);
    expect(text(store.get('k') as Uint8Array)).toBe('w');
    await store.close();
  });

  it('begin anew when their file was deleted', async () => {
    const path = join(dir, 'deleted.sqlite');
    const store = openFileStore(path);
    await store.set('k', bytes('v'));
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    const until = Date.now() + 10_000;
    while ((await store.exists('k')) && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
    await store.set('new', bytes('v'));
    const another = openFileStore(path);
    expect(await allKeys(another)).toEqual(['new']);
    await another.close();
    await store.close();
  });

  it('clear away what is over, bit by bit', async () => {
    const path = join(dir, 'sweep.sqlite');
    const store = new FileStore(path);
    for (let i = 0; i < 100; i += 1) await store.set(`short ${i}`, bytes('v'), 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (let i = 0; i < 300; i += 1) await store.set('k', bytes('v'));
    const db = new DatabaseSync(path);
    expect(db.prepare('SELECT count(*) AS count FROM key_value').get()).toEqual({ count: 1 });
    db.close();
    await store.close();
  });

  it('are made by several processes at once', async () => {
    const script = `
      const { FileConnection } = await import(process.argv[1]);
      while (Date.now() < Number(process.argv[3]));
      const persistently = (use) => { for (;;) try { return use(); } catch (error) { if (error.errcode % 256 !== 5) throw error; } };
      for (let i = 0; i < 20; i++) {
        const file = persistently(() => new FileConnection(process.argv[2] + i));
        persistently(() => file.set(String(process.pid), new Uint8Array([1])));
      }`;
    const path = join(dir, 'shared');
    const at = String(Date.now() + 500);
    await Promise.all([1, 2, 3, 4].map(() => run(script, [fileModule, path, at])));
    for (let i = 0; i < 20; i += 1) expect(await allKeys(openFileStore(`${path}${i}`))).toHaveLength(4);
  });

  it('take writes of several processes at once and lose none', async () => {
    const path = join(dir, 'writers.sqlite');
    const store = openFileStore(path);
    await store.exists('');
    const script = `
      import { DatabaseSync } from 'node:sqlite';
      const db = new DatabaseSync(process.argv[1], { timeout: 5000 });
      const set = db.prepare('INSERT INTO key_value (key, value) VALUES (?, ?)');
      for (let i = 0; i < 200; i++) set.run(process.argv[2] + i, new Uint8Array([1]));`;
    const others = ['a', 'b'].map((name) => run(script, [path, name]));
    for (let i = 0; i < 200; i += 1) {
      await store.set(`c${i}`, new Uint8Array([1]));
      if (i % 20 === 0) await new Promise(setImmediate);
    }
    await Promise.all(others);
    expect(await allKeys(store)).toHaveLength(600);
    await store.close();
  });
});

async function run(script: string, args: string[]): Promise<void> {
  const child = spawn(process.execPath, ['--input-type=module', '--no-warnings', '--import', hooks, '-e', script, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  const code: unknown = child.exitCode ?? (await once(child, 'exit'))[0];
  expect(code).toBe(0);
}

/** Sources name their neighbours by what they are compiled to. */
const hooks = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  registerHooks({ resolve: (specifier, context, next) => next(/^[.].*[.]js$/.test(specifier) ? specifier.replace(/js$/, 'ts') : specifier, context) });
`)}`;
