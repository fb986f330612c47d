import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { request } from 'undici';
import { startPlatform, type Platform } from '../../bench/lib/platform.mjs';

/** The examples as their READMEs show them: built, pushed, called. */

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NAMES = ['hello-js', 'counter-js', 'tiny-wat'];

let platform: Platform;

beforeAll(async () => {
  for (const name of NAMES) execFileSync(process.execPath, [`${ROOT}examples/${name}/build.mjs`]);
  platform = await startPlatform();
  await Promise.all(NAMES.map((name) => platform.push(name, readFileSync(`${ROOT}examples/${name}/${name}.tar.gz`))));
}, 180_000);
afterAll(() => platform?.stop(), 60_000);

async function call(app: string, path: string, options: { method?: 'GET' | 'POST' | 'DELETE'; body?: string | Buffer; headers?: Record<string, string> } = {}) {
  const answer = await request(`http://127.0.0.1:${platform.httpPort}${path}`, { ...options, headers: { ...options.headers, host: `${app}.localhost` } });
  return { status: answer.statusCode, type: answer.headers['content-type'], body: Buffer.from(await answer.body.arrayBuffer()) };
}
const text = async (...args: Parameters<typeof call>): Promise<string> => (await call(...args)).body.toString();

describe('tiny-wat', () => {
  it('answers one line of text to every request', async () => {
    expect(await call('tiny-wat', '/any/path')).toMatchObject({ status: 200, type: 'text/plain; charset=utf-8' });
    expect(await text('tiny-wat', '/')).toBe('hello from tiny 1\n');
  });
});

describe('hello-js', () => {
  it('answers text, and 404 where it has nothing', async () => {
    expect(await text('hello-js', '/')).toBe('hello from hello-js 1\n');
    expect((await call('hello-js', '/nothing')).status).toBe(404);
  });

  it('greets, and writes it into the app\'s log', async () => {
    expect(await text('hello-js', '/hello/ada%20l')).toBe('hello, ada l\n');
    for (let tries = 0; ; tries++) {
      const logs = JSON.stringify(await platform.call('GET', '/v1/apps/hello-js/logs?tail=10'));
      if (logs.includes('greeted ada l')) break;
      if (tries > 100) throw new Error(`not logged: ${logs}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });

  it('shows the headers that the platform adds', async () => {
    const headers = JSON.parse(await text('hello-js', '/headers?a=b', { headers: { 'x-mine': '1' } })) as Record<string, string>;
    expect(headers).toMatchObject({ 'x-mine': '1', 'spin-raw-component-route': '/...', 'spin-path-info': '/headers' });
  });

  it('gives a body back as it came', async () => {
    const body = Buffer.alloc(1024 * 1024, 'whorl ');
    const answer = await call('hello-js', '/echo', { method: 'POST', body, headers: { 'content-type': 'text/x-whorl' } });
    expect(answer).toMatchObject({ status: 200, type: 'text/x-whorl' });
    expect(answer.body.equals(body)).toBe(true);
  });
});

describe('counter-js', () => {
  it('counts in the key-value store', async () => {
    expect(JSON.parse(await text('counter-js', '/count/cats'))).toEqual({ greeting: 'visits so far', name: 'cats', count: 0 });
    for (const count of [1, 2]) expect(JSON.parse(await text('counter-js', '/count/cats', { method: 'POST' }))).toMatchObject({ count });
    expect(JSON.parse(await text('counter-js', '/count/dogs'))).toMatchObject({ count: 0 });
  });

  it('refuses another method', async () => {
    expect((await call('counter-js', '/count/cats', { method: 'DELETE' })).status).toBe(405);
  });

  it('serves the page of its bundle', async () => {
    expect(await call('counter-js', '/')).toMatchObject({ status: 200, type: 'text/html; charset=utf-8' });
    expect(await text('counter-js', '/')).toBe(readFileSync(`${ROOT}examples/counter-js/assets/index.html`, 'utf8'));
  });

  it('takes a new greeting without a new version', async () => {
    await platform.call('PUT', '/v1/apps/counter-js/variables', { body: JSON.stringify({ greeting: 'seen' }), headers: { 'content-type': 'application/json' } });
    for (let tries = 0; ; tries++) {
      const { greeting } = JSON.parse(await text('counter-js', '/count/cats')) as { greeting: string };
      if (greeting === 'seen') break;
      if (tries > 100) throw new Error(`still ${greeting}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
});
