import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { parseRequestId } from '#contract/request-id.js';
import { buildWat } from '../fixtures/build-wat.js';
import { artifactOf, ask, Blobs, httpTrigger, laneOf, LIMITS, raw, TestFront, type Built } from './front-fixture.js';

const blobs = new Blobs();
const fronts: TestFront[] = [];
let fixture: Built;
/** Writes its answer with `blocking-write-and-flush`. */
let tiny: Built;

beforeAll(async () => {
  fixture = await blobs.build(await buildWat('loop'));
  tiny = await blobs.build(await readFile(join(import.meta.dirname, '../../examples/tiny-wat/tiny-wat.wasm')));
});
afterEach(async () => {
  for (const front of fronts.splice(0)) await front.close();
});
afterAll(() => blobs.remove());

async function setUp(lane: 'shared' | 'heavy' = 'shared', limits = LIMITS): Promise<TestFront> {
  const front = await new TestFront(blobs, lane, limits).listen();
  fronts.push(front);
  return front;
}

const version = (number: number, triggers = [httpTrigger('all', '/...', { component: 'main' })], edit = {}) =>
  artifactOf(number, { main: fixture }, triggers, edit);

describe('the front', () => {
  it('answers for an app by its host, in one small message without connection fields', async () => {
    const front = await setUp();
    await front.deploy('tiny', version(1));
    const text = await raw(front.port, 'GET / HTTP/1.1\r\nHost: tiny.localhost:3000\r\n\r\nGET / HTTP/1.1\r\nHost: TINY.localhost\r\nConnection: close\r\n\r\n');
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
    expect(text).not.toMatch(/keep-alive|x-powered-by/i);
    expect(text.split('HTTP/1.1 200 OK')[1]).not.toMatch(/connection:/i);
    expect(text).toMatch(/\r\nDate: /);
  });

  it('gives the id of a request to a client that prefers to have it, which no other answer says', async () => {
    const front = await setUp();
    await front.deploy('tiny', version(1));
    const { headers } = await ask(front.port, 'tiny.localhost', '/', { headers: { prefer: 'respond-async, whorl-request-id' } });
    expect(parseRequestId(headers['whorl-request-id'] as string)).toMatchObject({ version: 1, component: 0 });
    expect((await ask(front.port, 'tiny.localhost', '/', { headers: { prefer: 'return=minimal' } })).headers).not.toHaveProperty('whorl-request-id');
  });

  it('says how hosts map to apps when it knows none', async () => {
    const front = await setUp();
    const answer = await ask(front.port, 'nobody.localhost:3000');
    expect(answer.status).toBe(404);
    expect(answer.body).toContain('nobody.localhost');
    expect(answer.body).toContain('http://<app>.localhost:3000/');
  });

  it.each([
    ['none', ''],
    ['two', 'Host: tiny.localhost\r\nHost: other.localhost\r\n'],
    ['a damaged one', 'Host: tiny localhost\r\n'],
    ['an empty one', 'Host: \r\n'],
  ])('refuses a request with %s Host with 400', async (_what, hosts) => {
    const front = await setUp();
    await front.deploy('tiny', version(1));
    expect(await raw(front.port, `GET / HTTP/1.1\r\n${hosts}Connection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('takes the host of an absolute target before the field', async () => {
    const front = await setUp();
    await front.deploy('tiny', version(1));
    expect(await raw(front.port, 'GET http://tiny.localhost/ HTTP/1.1\r\nHost: other.localhost\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('has Spin\'s endpoints, and nothing else below their prefix', async () => {
    const front = await setUp();
    await front.deploy('tiny', version(1));
    expect(await ask(front.port, 'tiny.localhost', '/.well-known/spin/health')).toMatchObject({ status: 200, body: 'OK' });
    const info = await ask(front.port, 'tiny.localhost', '/.well-known/spin/info', { method: 'POST' });
    expect(JSON.parse(info.body)).toMatchObject({ name: 'fixture', version: '1.2.3' });
    expect(await ask(front.port, 'tiny.localhost', '/.well-known/spin/other')).toMatchObject({ status: 404, body: '' });
  });

  it('gives fixed answers, an empty 404 without a route, and never reaches a private trigger', async () => {
    const front = await setUp();
    await front.deploy('tiny', version(1, [
      httpTrigger('old', '/old', { staticResponse: { status: 301, headers: { location: '/new' } } }),
      httpTrigger('text', '/text', { staticResponse: { status: 200, headers: {}, body: 'fixed' } }),
      httpTrigger('hidden', null, { component: 'main' }),
    ]));
    expect(await ask(front.port, 'tiny.localhost', '/old')).toMatchObject({ status: 301, headers: { location: '/new', 'content-length': '0' } });
    expect(await ask(front.port, 'tiny.localhost', '/text')).toMatchObject({ status: 200, body: 'fixed' });
    expect(await ask(front.port, 'tiny.localhost', '/')).toMatchObject({ status: 404, body: '', headers: { 'content-length': '0' } });
    expect(front.usage().requests).toBe(0);
  });

  it('answers HEAD without a body', async () => {
    const front = await setUp();
    await front.deploy('tiny', version(1));
    const text = await raw(front.port, 'HEAD / HTTP/1.1\r\nHost: tiny.localhost\r\nConnection: close\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text.split('\r\n\r\n')[1]).toBe('');
  });

  it('closes after an answer for HTTP/1.0, and sends it no chunks', async () => {
    const front = await setUp();
    await front.deploy('small', artifactOf(1, { main: tiny }, [httpTrigger('all', '/...', { component: 'main' })]));
    const text = await raw(front.port, 'GET / HTTP/1.0\r\nHost: small.localhost\r\nConnection: keep-alive\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 200 [^]*\r\n\r\nhello from tiny 1\n$/);
    expect(text).not.toMatch(/transfer-encoding/i);
  });

  it('sends a small answer of a guest that wrote through as one chunk and the end', async () => {
    const front = await setUp();
    await front.deploy('small', artifactOf(1, { main: tiny }, [httpTrigger('all', '/...', { component: 'main' })]));
    const get = (end: string) => `GET / HTTP/1.1\r\nHost: small.localhost\r\n${end}\r\n`;
    const answers = (await raw(front.port, get('') + get('Connection: close\r\n'))).split(/(?=HTTP\/1\.1 200)/);
    expect(answers).toHaveLength(2);
    for (const answer of answers) expect(answer).toMatch(/transfer-encoding: chunked\r\n(?:[^]*\r\n)?\r\n12\r\nhello from tiny 1\n\r\n0\r\n\r\n$/i);
  });

  it('answers an empty 500 for a trap, says why in the log, and goes on with a fresh state', async () => {
    const front = await setUp();
    await front.deploy('tiny', version(1));
    expect(await ask(front.port, 'tiny.localhost', '/trap')).toMatchObject({ status: 500, body: '' });
    expect(await ask(front.port, 'tiny.localhost', '/')).toMatchObject({ status: 200 });
    expect(front.logs()).toEqual([expect.objectContaining({ stream: 'platform', app: 'tiny', line: expect.stringMatching(/^COMPONENT_TRAP: .*unreachable/) })]);
    expect(front.usage()).toMatchObject({ requests: 2, errors: 1 });
  });

  it('counts each request once', async () => {
    const front = await setUp();
    await front.deploy('tiny', version(1));
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask(front.port, 'tiny.localhost')));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(front.usage()).toMatchObject({ requests: 60, errors: 0, bytesIn: 0, bytesOut: 60 * answers[0]!.body.length });
  });

  it('ends a guest at its own CPU limit', async () => {
    const front = await setUp();
    await front.deploy('tiny', version(1, undefined, { limits: { cpuMs: 100 } }));
    expect(await ask(front.port, 'tiny.localhost', '/loop')).toMatchObject({ status: 500, body: '' });
    expect(front.logs()[0]!.line).toMatch(/^COMPONENT_CPU_LIMIT/);
    expect(front.heavy).toEqual([]);
    expect(front.usage().cpuMs).toBeLessThan(400);
    expect(await ask(front.port, 'tiny.localhost', '/')).toMatchObject({ status: 200 });
  });

  it('says "not ready" for an app whose version is not prepared', async () => {
    const front = await setUp();
    await front.front.serve(laneOf('tiny', 1, [[1, 100]]));
    expect(await ask(front.port, 'tiny.localhost')).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
  });

  it('passes over an older generation', async () => {
    const front = await setUp();
    const fixed = (body: string) => [httpTrigger('a', '/', { staticResponse: { status: 200, headers: {}, body } })];
    await front.deploy('tiny', version(1, fixed('one')), 5);
    await front.deploy('tiny', version(2, fixed('two')), 4);
    expect((await ask(front.port, 'tiny.localhost')).body).toBe('one');
    await front.deploy('tiny', version(2, fixed('two')), 6);
    expect((await ask(front.port, 'tiny.localhost')).body).toBe('two');
  });

  it('shares clients out by percent, and keeps each where it is while a share grows and through a restart', async () => {
    const front = await setUp();
    const fixed = (body: string) => [httpTrigger('a', '/', { staticResponse: { status: 200, headers: {}, body } })];
    const lane = { ...laneOf('tiny', 1, [[1, 75], [2, 25]]), keyHeader: 'X-User' };
    await front.front.prepare(lane, blobs.store(version(1, fixed('one'))));
    await front.front.prepare(lane, blobs.store(version(2, fixed('two'))));
    await front.front.serve(lane);
    const all = async () => (await Promise.all(Array.from({ length: 200 }, (_, user) => ask(front.port, 'tiny.localhost', '/', { headers: { 'x-user': `u${user}` } })))).map(({ body }) => body);
    const first = await all();
    const two = first.filter((body) => body === 'two').length;
    expect(two).toBeGreaterThan(20);
    expect(two).toBeLessThan(90);
    expect(await all()).toEqual(first);
    await front.front.serve({ ...lane, generation: 2, serve: laneOf('tiny', 2, [[1, 40], [2, 60]]).serve });
    const later = await all();
    expect(later.filter((body) => body === 'two').length).toBeGreaterThan(two);
    expect(later.filter((body, user) => body === 'one' && first[user] === 'two')).toEqual([]);
  });

  it('gives a client without a key a cookie while versions share the requests, and none before and after', async () => {
    const front = await setUp();
    const fixed = (body: string) => [httpTrigger('a', '/', { staticResponse: { status: 200, headers: {}, body } })];
    const alone = laneOf('tiny', 1, [[1, 100]]);
    await front.front.prepare(alone, blobs.store(version(1, fixed('one'))));
    await front.front.prepare(alone, blobs.store(version(2, fixed('two'))));
    await front.front.serve(alone);
    expect((await ask(front.port, 'tiny.localhost')).headers).not.toHaveProperty('set-cookie');
    await front.front.serve(laneOf('tiny', 2, [[1, 50], [2, 50]]));
    const { body, headers } = await ask(front.port, 'tiny.localhost');
    expect(headers['set-cookie']).toEqual([expect.stringMatching(/^whorl-rollout=[0-9a-f]{8}; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax$/)]);
    const known = await ask(front.port, 'tiny.localhost', '/', { headers: { cookie: `a=b; ${headers['set-cookie']![0]!.split(';')[0]}` } });
    expect([known.body, known.headers['set-cookie']]).toEqual([body, undefined]);
    await front.front.serve(laneOf('tiny', 3, [[2, 100]]));
    expect((await ask(front.port, 'tiny.localhost')).headers).not.toHaveProperty('set-cookie');
  });

  it('drops a removed app', async () => {
    const front = await setUp();
    await front.deploy('tiny', version(1));
    front.front.remove(laneOf('tiny', 1, []).app, laneOf('tiny', 1, []).channel);
    expect(await ask(front.port, 'tiny.localhost')).toMatchObject({ status: 404 });
  });

  it('refuses a version whose blob is damaged', async () => {
    const front = await setUp();
    const damaged = { ...fixture, plan: blobs.put(Buffer.from('{}')) };
    const { writeFileSync } = await import('node:fs');
    writeFileSync(blobs.path(damaged.plan), 'changed');
    await expect(front.deploy('tiny', artifactOf(1, { main: damaged }, [httpTrigger('a', '/...', { component: 'main' })])))
      .rejects.toMatchObject({ code: 'NODE_BLOB_CORRUPT' });
  });
});

describe('the two lanes', () => {
  it('gives a loop its second, then makes it again where only other heavy ones wait', async () => {
    const shared = await setUp();
    const heavy = new TestFront(blobs, 'heavy', { ...LIMITS, cpuMs: 1_300 });
    const socket = join(heavy.dir, 'heavy.sock');
    await heavy.listen(socket);
    fronts.push(heavy);
    for (const front of [shared, heavy]) await front.deploy('tiny', version(1));
    const looping = ask(shared.port, 'tiny.localhost', '/loop');
    const second = ask(shared.port, 'tiny.localhost', '/?after');
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(shared.heavy).toEqual(['tiny']);
    shared.front.setHeavy([laneOf('tiny', 1, [])], socket);
    expect(await looping).toMatchObject({ status: 500, body: '' });
    expect(await second).toMatchObject({ status: 200 });
    expect(shared.usage().errors + shared.logs().length).toBe(0);
    expect(heavy.logs()[0]!.line).toMatch(/^COMPONENT_CPU_LIMIT/);
    expect(shared.usage().requests + heavy.usage().requests).toBe(2);
    expect(heavy.heavy).toContain('tiny');
  });

  it('gives the runners that hand requests over all the time that a blocked thread takes', async () => {
    const heavy = new TestFront(blobs, 'heavy');
    fronts.push(heavy);
    // A guest may hold the thread for its whole CPU limit: a head that came meanwhile is read only then, and is not too late.
    expect(heavy.front.server).toMatchObject({ headersTimeout: 0, requestTimeout: 0 });
    expect((await setUp()).front.server.headersTimeout).toBeGreaterThan(0);
  });

  it('counts a request once that struck the bound and found no heavy lane', async () => {
    const shared = await setUp();
    await shared.deploy('tiny', version(1));
    shared.front.setHeavy([], '/nowhere/heavy.sock');
    expect(await ask(shared.port, 'tiny.localhost', '/loop')).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    expect(shared.usage()).toMatchObject({ requests: 1, errors: 1 });
    expect(shared.logs()).toEqual([expect.objectContaining({ line: expect.stringMatching(/^COMPONENT_BUSY/) })]);
  });

  it('does not run what the shared lane has given up', async () => {
    const heavy = new TestFront(blobs, 'heavy', { ...LIMITS, cpuMs: 400 });
    const socket = join(heavy.dir, 'heavy.sock');
    await heavy.listen(socket);
    fronts.push(heavy);
    await heavy.deploy('tiny', version(1));
    const send = () => {
      const client = connect(socket, () => client.write([
        'GET /loop HTTP/1.1', 'Host: tiny.localhost', 'whorl-app: tiny', 'whorl-channel: production', 'whorl-version: 1', 'whorl-request-id: r',
        'whorl-client-addr: 127.0.0.1:1', '', '',
      ].join('\r\n')));
      client.on('error', () => undefined);
      return client;
    };
    const clients = Array.from({ length: 6 }, send);
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const client of clients) client.destroy();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    // The one that ran when they left, at most one more that was about to.
    expect(heavy.usage().requests).toBeLessThanOrEqual(2);
    expect(heavy.usage().requests).toBeGreaterThanOrEqual(1);
  });

  it('answers 503 when the heavy lane does not come up', async () => {
    const shared = await setUp();
    await shared.deploy('tiny', version(1));
    shared.front.setHeavy([laneOf('tiny', 1, [])], '/nowhere/heavy.sock');
    expect(await ask(shared.port, 'tiny.localhost')).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
  });
});
