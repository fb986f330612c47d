import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { get, load } from '../../bench/lib/load.mjs';
import { startPlatform, type Platform } from '../../bench/lib/platform.mjs';
import { packBundle } from '#contract/bundle/pack.js';
import { buildWat } from '../fixtures/build-wat.js';

/** The whole path as a user walks it: real processes, real Postgres, real components, HTTP. Runs what `npm run build` made. */

const manifest = (greeting: string) => `spin_manifest_version = 2
application = { name = "greeter", version = "${greeting}" }
[[trigger.http]]
route = "/..."
component = "greeter"
[component.greeter]
source = "app.wasm"
`;

let wasm: Uint8Array;
let platform: Platform;

const bundle = async (greeting: string, component: Uint8Array | Promise<Uint8Array> = wasm) =>
  packBundle([
    { path: 'spin.toml', content: Buffer.from(manifest(greeting)) },
    { path: 'app.wasm', content: await component },
  ]);
/** The same component, answering another text of two letters. */
const answering = (text: string) => buildWat('loop', (wat) => wat.replace('"ok\\0a"', `"${text}\\0a"`));
const call = (app: string, path = '/ok') => get({ port: platform.httpPort, host: `${app}.localhost`, path, timeoutMs: 60_000 });

async function until<T>(what: () => Promise<T>, good: (value: T) => boolean): Promise<T> {
  for (let tries = 0; ; tries++) {
    const value = await what();
    if (good(value) || tries > 100) return value;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

beforeAll(async () => {
  wasm = await buildWat('loop');
  // The CPU limit is the only one that a test here waits for.
  platform = await startPlatform({ env: { WHORL_LIMIT_CPU_MS: '3000' } });
}, 120_000);
afterAll(() => platform?.stop(), 60_000);

describe('push, call, push again, roll back', () => {
  it('gives a URL for a pushed bundle and serves it by the time the push answers', async () => {
    const pushed = await platform.push('first', await bundle('1'));
    expect(pushed).toMatchObject({ app: 'first', version: 1, state: 'serving', url: `http://first.localhost:${platform.httpPort}/` });
    expect(await call('first')).toMatchObject({ status: 200, body: 'ok\n' });
  });

  it('serves a handler of wasi:http 0.3.0 as it does one of 0.2', async () => {
    const pushed = await platform.push('third', await bundle('1', buildWat('hello-03')));
    expect(pushed).toMatchObject({ app: 'third', version: 1, state: 'serving' });
    const rows = await load({ port: platform.httpPort, host: 'third.localhost', path: '/', concurrency: 10, total: 100 });
    expect(rows.filter((row) => row.status !== 200 || row.body !== 'hello 1\n')).toEqual([]);
    expect(await call('third', '/trap')).toMatchObject({ status: 500, body: '' });
    expect((await platform.call('GET', '/v1/apps/third/versions/1')).imports).toContain('wasi:http/types@0.3.0');
    const usage = await until(() => platform.call('GET', '/v1/apps/third/usage'), (u) => u.requests >= 101);
    expect(usage).toMatchObject({ requests: 101, errors: 1, bytesOut: 800 });
  });

  it('serves the second version after its push, and the first again after a rollback', async () => {
    await platform.push('second', await bundle('1', answering('v1')));
    expect((await platform.push('second', await bundle('2', answering('v2')))).version).toBe(2);
    expect((await call('second')).body).toBe('v2\n');
    const rolled = await platform.call('POST', '/v1/apps/second/rollback');
    expect(rolled).toMatchObject({ app: 'second', version: 1 });
    expect((await call('second')).body).toBe('v1\n');
    expect((await platform.call('GET', '/v1/apps/second')).live).toEqual([{ version: 1, percent: 100 }]);
  });

  it('answers 200 with the same version for the same bytes', async () => {
    const bytes = await bundle('same');
    const first = await platform.push('same', bytes);
    const again = await platform.push('same', bytes);
    expect([again.version, again.digest]).toEqual([first.version, first.digest]);
  });

  it('numbers two racing pushes and serves the later one', async () => {
    await platform.push('race', await bundle('0', answering('r0')));
    const answers = await Promise.all(['r1', 'r2'].map(async (text) => platform.push('race', await bundle(text, answering(text)))));
    expect(answers.map((a) => a.version).sort()).toEqual([2, 3]);
    const app = await platform.call('GET', '/v1/apps/race');
    expect(app.live).toEqual([{ version: 3, percent: 100 }]);
    const text = ['r1', 'r2'][answers.findIndex((a) => a.version === 3)];
    expect((await call('race')).body).toBe(`${text}\n`);
  });

  it('rolls back under load without a failed request, and without an old answer after the call answered', async () => {
    await platform.push('busy', await bundle('1', answering('v1')));
    await platform.push('busy', await bundle('2', answering('v2')));
    let answeredAt = Infinity;
    let seen = 0;
    const rows = await load({
      port: platform.httpPort, host: 'busy.localhost', path: '/ok', concurrency: 50, total: 2000,
      onResult: () => {
        if (++seen === 500) void platform.call('POST', '/v1/apps/busy/rollback').then(() => { answeredAt = performance.now(); });
      },
    });
    expect(rows.filter((row) => row.status !== 200)).toEqual([]);
    expect(answeredAt).toBeLessThan(Infinity);
    expect(rows.filter((row) => row.body === 'v2\n' && row.at > answeredAt)).toEqual([]);
    expect(rows.filter((row) => row.body === 'v1\n').length).toBeGreaterThan(0);
  });

  it('keeps the old version when the new one cannot start, and says why', async () => {
    await platform.push('careful', await bundle('1', answering('v1')));
    const broken = await bundle('broken', buildWat('loop', (wat) => wat.replace('(func $misbehave', '(func $boom (unreachable)) (start $boom)\n  (func $misbehave')));
    const failed = await platform.push('careful', broken).catch((error: Error) => JSON.parse(error.message.slice(error.message.indexOf('{'))));
    expect(JSON.stringify(failed)).toMatch(/failed|start/i);
    expect((await call('careful')).body).toBe('v1\n');
  });

  it('forgets an app that is deleted, and lets its name be used again', async () => {
    await platform.push('gone', await bundle('1'));
    await platform.call('DELETE', '/v1/apps/gone');
    expect((await call('gone')).status).toBe(404);
    await expect(platform.call('GET', '/v1/apps/gone')).rejects.toThrow('404');
    expect((await platform.push('gone', await bundle('1'))).version).toBe(1);
  });
});

describe('what guests do to others', () => {
  it('answers 500 for a trap, with the reason in the log alone', async () => {
    await platform.push('trap', await bundle('1'));
    expect(await call('trap', '/trap')).toMatchObject({ status: 500, body: '' });
    const { lines } = await until(
      () => platform.call('GET', '/v1/apps/trap/logs?tail=50'),
      (logs) => logs.lines.some((line: { line: string }) => /unreachable/.test(line.line)),
    );
    expect(lines.map((line: { line: string }) => line.line).join('\n')).toMatch(/unreachable/);
  });

  it('serves neighbours while a component loops for ever', async () => {
    await platform.push('loop', await bundle('loop'));
    await platform.push('calm', await bundle('calm'));
    const burning = load({ port: platform.httpPort, host: 'loop.localhost', path: '/loop', concurrency: 20, total: 20, timeoutMs: 90_000 });
    const rows = await load({ port: platform.httpPort, host: 'calm.localhost', path: '/ok', concurrency: 10, total: 200 });
    expect(rows.every((row) => row.status === 200)).toBe(true);
    expect((await burning).every((row) => row.status >= 500)).toBe(true);
  }, 120_000);
});

describe('usage and logs', () => {
  it('add up to what was sent', async () => {
    await platform.push('meter', await bundle('1'));
    await load({ port: platform.httpPort, host: 'meter.localhost', path: '/ok', concurrency: 10, total: 300 });
    await load({ port: platform.httpPort, host: 'meter.localhost', path: '/trap', concurrency: 2, total: 20 });
    const usage = await until(() => platform.call('GET', '/v1/apps/meter/usage'), (u) => u.requests >= 320);
    expect(usage).toMatchObject({ requests: 320, errors: 20, bytesOut: 900 });
    expect(usage.byVersion).toEqual([expect.objectContaining({ version: 1, requests: 320 })]);
    const { lines } = await platform.call('GET', '/v1/apps/meter/logs?tail=100');
    expect(lines.filter((line: { line: string }) => /unreachable/.test(line.line))).toHaveLength(20);
  });
});
