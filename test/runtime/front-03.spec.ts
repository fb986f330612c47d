import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { ChannelRequests } from '#runtime/trigger/channel-table.js';
import { buildWat } from '../fixtures/build-wat.js';
import { artifactOf, ask, Blobs, httpTrigger, laneOf, LIMITS, raw, TestFront, type Built } from './front-fixture.js';

/** Handlers of wasi:http 0.3.0 behind the front, as front.spec.ts has it for 0.2. */

const blobs = new Blobs();
const fronts: TestFront[] = [];
let hello: Built;
let echo: Built;
let forward: Built;
let old: Built;
let oldForward: Built;

beforeAll(async () => {
  const build = async (name: string, edit?: (wat: string) => string) => blobs.build(await buildWat(name, edit));
  [hello, echo, forward] = await Promise.all([build('hello-03'), build('echo-03'), build('forward-03')]);
  [old, oldForward] = await Promise.all([build('loop'), build('forward-02')]);
});
afterEach(async () => {
  for (const front of fronts.splice(0)) await front.close();
});
afterAll(() => blobs.remove());

async function setUp(main: Built, { limits = LIMITS, edit = {} } = {}): Promise<TestFront> {
  const front = await new TestFront(blobs, 'shared', limits).listen();
  fronts.push(front);
  await front.deploy('app', artifactOf(1, { main }, [httpTrigger('all', '/...', { component: 'main' })], edit));
  return front;
}

async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !what(); i++) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Sends the beginning of a body, and leaves when the first of it has come back. */
function beginAndLeave(port: number, path: string, hangUp: (socket: Socket) => void): Promise<void> {
  return new Promise<void>((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => {
      socket.write(`POST ${path} HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n`);
      socket.once('data', () => {
        hangUp(socket);
        resolve();
      });
    });
    socket.on('error', () => undefined);
    socket.on('end', () => socket.destroy());
  });
}

const HANG_UPS: [how: string, hangUp: (socket: Socket) => void][] = [
  ['closes the connection', (socket) => socket.destroy()],
  ['resets the connection', (socket) => socket.resetAndDestroy()],
  ['ends its side in the middle of the body', (socket) => socket.end()],
  ['sends what is no chunk', (socket) => socket.write('no chunk\r\n')],
];

const GET = (path: string, fields = '') => `GET ${path} HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n${fields}\r\n`;
const lines = (front: TestFront) => front.logs().map(({ line }) => line);

describe('a 0.3 handler behind the front', () => {
  it('answers in one small message with its length', async () => {
    const front = await setUp(hello);
    const [head, body] = (await raw(front.port, GET('/'))).split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(head).toMatch(/\r\ncontent-type: text\/plain; charset=utf-8\r\n/);
    expect(head).toMatch(/\r\ncontent-length: 8(\r\n|$)/);
    expect(body).toBe('hello 1\n');
    expect(lines(front)).toEqual([]);
  });

  it('answers HEAD without a body', async () => {
    const front = await setUp(hello);
    const [head, body] = (await raw(front.port, GET('/').replace('GET', 'HEAD'))).split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\ncontent-length: 8(\r\n|$)/);
    expect(body).toBe('');
    expect(front.usage()).toMatchObject({ requests: 1, errors: 0, bytesOut: 0 });
  });

  it('has a fresh state for each request, and each is counted once', async () => {
    const front = await setUp(hello);
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask(front.port, 'app.localhost')));
    expect(answers.filter(({ status, body }) => status !== 200 || body !== 'hello 1\n')).toEqual([]);
    expect(front.usage()).toMatchObject({ requests: 60, errors: 0, bytesIn: 0, bytesOut: 480 });
  });

  it('answers after it has waited, other requests meanwhile', async () => {
    const front = await setUp(hello);
    const begun = performance.now();
    const waiting = Promise.all(Array.from({ length: 20 }, () => ask(front.port, 'app.localhost', '/wait')));
    expect((await ask(front.port, 'app.localhost')).body).toBe('hello 1\n');
    const answers = await waiting;
    expect(answers.filter(({ status, body }) => status !== 200 || body !== 'hello 1\n')).toEqual([]);
    expect(performance.now() - begun).toBeGreaterThan(49);
    expect(front.usage()).toMatchObject({ requests: 21, errors: 0 });
    expect(front.usage().cpuMs).toBeLessThan(100);
  });

  it.each([
    ['/trap', /^COMPONENT_TRAP: .*unreachable/],
    ['/quit', /^COMPONENT_(TRAP|NO_RESPONSE): .*without a result/],
    ['/error', /^the component answered with the error internal-error/],
  ])('answers an empty 500 for %s, says why in the log, and goes on with a fresh state', async (path, why) => {
    const front = await setUp(hello);
    expect(await ask(front.port, 'app.localhost', path)).toMatchObject({ status: 500, body: '', headers: { 'content-length': '0' } });
    expect(await ask(front.port, 'app.localhost')).toMatchObject({ status: 200, body: 'hello 1\n' });
    expect(front.logs()).toEqual([expect.objectContaining({ stream: 'platform', component: 'main', line: expect.stringMatching(why) })]);
    expect(front.usage()).toMatchObject({ requests: 2, errors: 1 });
  });

  it.each(['/half', '/open'])('breaks the answer off at once when the guest ends before it has closed it (%s)', async (path) => {
    const front = await setUp(hello);
    const begun = performance.now();
    const text = await raw(front.port, GET(path));
    expect(performance.now() - begun).toBeLessThan(1_000);
    expect(text).toMatch(/^HTTP\/1\.1 500 /);
    expect(lines(front)).toEqual([expect.stringMatching(/^COMPONENT_\w+: /)]);
    expect(front.usage()).toMatchObject({ requests: 1, errors: 1 });
  });

  it('is ended at its own CPU limit', async () => {
    const front = await setUp(hello, { edit: { limits: { cpuMs: 100 } } });
    expect(await ask(front.port, 'app.localhost', '/loop')).toMatchObject({ status: 500, body: '' });
    expect(lines(front)).toEqual([expect.stringMatching(/^COMPONENT_CPU_LIMIT/)]);
    expect(front.usage()).toMatchObject({ requests: 1, errors: 1 });
    expect(front.usage().cpuMs).toBeLessThan(400);
    expect(await ask(front.port, 'app.localhost')).toMatchObject({ status: 200 });
  });

  it('is run again in the heavy lane after its second', async () => {
    const shared = await setUp(hello);
    const heavy = new TestFront(blobs, 'heavy', { ...LIMITS, cpuMs: 1_300 });
    const socket = join(heavy.dir, 'heavy.sock');
    await heavy.listen(socket);
    fronts.push(heavy);
    await heavy.deploy('app', artifactOf(1, { main: hello }, [httpTrigger('all', '/...', { component: 'main' })]));
    const looping = ask(shared.port, 'app.localhost', '/loop');
    await until(() => shared.heavy.length > 0);
    shared.front.setHeavy([laneOf('app', 1, [])], socket);
    expect(await looping).toMatchObject({ status: 500, body: '' });
    expect(await ask(shared.port, 'app.localhost')).toMatchObject({ status: 200, body: 'hello 1\n' });
    expect(lines(shared)).toEqual([]);
    expect(lines(heavy)).toEqual([expect.stringMatching(/^COMPONENT_CPU_LIMIT/)]);
    expect([shared.usage().requests, heavy.usage().requests]).toEqual([0, 2]);
  });

  it.each([
    ['goes on', (wat: string) => wat, 0],
    ['traps', (wat: string) => wat.replace('(call $drop-subtask (local.get $subtask))', 'unreachable'), 1],
  ])('has answered when it %s after its answer, and is counted once when all is over', async (_what, edit, errors) => {
    const front = await setUp(await blobs.build(await buildWat('hello-03', (wat) => edit(wat).replace('50000000', '400000000'))));
    const [answer, usage] = [await ask(front.port, 'app.localhost', '/after'), front.usage()];
    expect(answer).toMatchObject({ status: 200, body: 'hello 1\n' });
    expect(usage.requests).toBe(0);
    await until(() => front.usage().requests > 0);
    expect(front.usage()).toMatchObject({ requests: 1, errors, bytesOut: 8 });
    expect(lines(front)).toHaveLength(errors);
    expect(await ask(front.port, 'app.localhost')).toMatchObject({ status: 200, body: 'hello 1\n' });
  });

  it('leaves a connection usable whose body it did not read', async () => {
    const front = await setUp(hello);
    const body = 'x'.repeat(2 ** 20);
    const text = await raw(front.port, `POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}${GET('/')}`);
    expect(text.match(/HTTP\/1\.1 200 OK[^]*?hello 1\n/g)).toHaveLength(2);
    expect(front.usage()).toMatchObject({ requests: 2, errors: 0, bytesIn: 0 });
  });

  it('is stopped when its client hangs up while it waits', async () => {
    const front = await setUp(await blobs.build(await buildWat('hello-03', (wat) => wat.replace('50000000', '60000000000'))));
    const socket = connect(front.port, '127.0.0.1', () => socket.write(GET('/wait')));
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await until(() => front.usage().requests > 0);
    expect(front.usage()).toMatchObject({ requests: 1, errors: 0 });
  });

  it('is answered though its app is let go of meanwhile, and counted', async () => {
    const front = await setUp(await blobs.build(await buildWat('hello-03', (wat) => wat.replace('50000000', '500000000'))));
    const answers = Array.from({ length: 3 }, () => ask(front.port, 'app.localhost', '/wait'));
    await until(() => (front.front.requests()[0]?.requests ?? 0) === 3);
    const [{ app, channel }] = front.front.requests() as [ChannelRequests];
    front.front.remove(app, channel);
    expect([front.front.letGo.counts(), front.front.requests()]).toEqual([{ finished: 0, dropped: 0, underWay: 3 }, []]);
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200]);
    await until(() => front.front.letGo.counts().underWay === 0);
    expect(front.front.letGo.counts()).toEqual({ finished: 3, dropped: 0, underWay: 0 });
  });

  it('is ended at the wall limit when it waits for too long', async () => {
    const front = await setUp(await blobs.build(await buildWat('hello-03', (wat) => wat.replace('50000000', '60000000000'))), { limits: { ...LIMITS, wallMs: 200 } });
    expect(await ask(front.port, 'app.localhost', '/wait')).toMatchObject({ status: 504, body: '' });
    expect(lines(front)).toEqual([expect.stringMatching(/^COMPONENT_WALL_LIMIT/)]);
    expect(front.usage()).toMatchObject({ requests: 1, errors: 1 });
  });
});

/** The same handler with a plain call to wait, which takes a stack that can be suspended. */
const waitsOnItsStack = (wat: string) => wat
  .replace('"[async-lower]wait-for" (func $wait-for (param i64) (result i32))', '"wait-for" (func $wait-for (param i64))')
  .replace(/\(local\.set \$subtask \(i32\.shr_u \(call \$wait-for [^]*?\(return [^]*?\)\)\)\)\)\)/, '(call $wait-for (i64.const 50000000))))');

/** The same again as a function that gives its answer by `task.return` and ends by returning: no callback. */
const hasNoCallback = (wat: string) => waitsOnItsStack(wat)
  .replace('"[async-lift]wasi:http/handler@0.3.0#handle") (param $request i32) (result i32)', '"[async-lift-stackful]wasi:http/handler@0.3.0#handle") (param $request i32)')
  .replace(/\[async-lift-stackful\][^]*/, (handle) => handle.replaceAll('(return (i32.const 0))', '(return)'))
  .replace(/(\(call \$answer \(local\.get \$letter\)\))\s+\(i32\.const 0\)\)[^]*$/, '$1))');

const VARIANTS = [['waits on a stack of its own', waitsOnItsStack], ['has no callback', hasNoCallback]] as const;

describe.each(VARIANTS)('a 0.3 handler that %s', (_what, edit) => {
  it('answers, waits, traps, and is counted', async () => {
    const front = await setUp(await blobs.build(await buildWat('hello-03', edit)));
    const answers = await Promise.all(['/', '/wait', '/wait', '/trap', '/'].map((path) => ask(front.port, 'app.localhost', path)));
    expect(answers.map(({ status, body }) => `${status} ${body}`)).toEqual(['200 hello 1\n', '200 hello 1\n', '200 hello 1\n', '500 ', '200 hello 1\n']);
    expect(front.usage()).toMatchObject({ requests: 5, errors: 1 });
  });
});

describe('a 0.3 handler that traps in the middle of its answer', () => {
  it('breaks it off, so that the client sees that it is not whole', async () => {
    const front = await setUp(await blobs.build(await buildWat('echo-03', (wat) => wat.replace('(call $drop-input (global.get $input))', 'unreachable'))));
    await expect(ask(front.port, 'app.localhost', '/', { method: 'POST', body: 'x'.repeat(300_000) })).rejects.toThrow(/aborted|hang up|ECONNRESET/);
    expect(lines(front)).toEqual([expect.stringMatching(/^COMPONENT_TRAP: .*unreachable/)]);
    expect(front.usage()).toMatchObject({ requests: 1, errors: 1 });
  });
});

describe.each(['/copied', '/straight'])('a body through a 0.3 handler (%s)', (path) => {
  it('of 1 kB and of none comes back', async () => {
    const front = await setUp(echo);
    const sent = randomBytes(512).toString('hex');
    expect(await ask(front.port, 'app.localhost', path, { method: 'POST', body: sent })).toMatchObject({ status: 200, body: sent });
    expect(await ask(front.port, 'app.localhost', path)).toMatchObject({ status: 200, body: '', headers: { 'content-length': '0' } });
    expect(front.usage()).toMatchObject({ requests: 2, errors: 0, bytesIn: 1024, bytesOut: 1024 });
  });

  it('of 8 MB comes back byte for byte, while it is sent', async () => {
    const front = await setUp(echo);
    const sent = randomBytes(8 * 2 ** 20);
    const got = createHash('sha256');
    let bytes = 0;
    await new Promise<void>((resolve, reject) => {
      const request = httpRequest({ host: '127.0.0.1', port: front.port, path, method: 'POST', agent: false, headers: { host: 'app.localhost' } }, (response) => {
        response.on('data', (chunk: Buffer) => {
          got.update(chunk);
          bytes += chunk.length;
        });
        response.on('end', resolve).on('error', reject);
      });
      request.on('error', reject);
      request.end(sent);
    });
    expect(bytes).toBe(sent.length);
    expect(got.digest('hex')).toBe(createHash('sha256').update(sent).digest('hex'));
    expect(front.usage()).toMatchObject({ requests: 1, errors: 0, bytesIn: sent.length, bytesOut: sent.length });
  });

  it('holds a client back that does not read', async () => {
    const front = await setUp(echo, { limits: { ...LIMITS, wallMs: 60_000 } });
    const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65536, 1), Buffer.from('\r\n')]);
    let taken = 0;
    const socket = connect(front.port, '127.0.0.1');
    socket.pause();
    socket.on('error', () => undefined);
    socket.write(`POST ${path} HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\n\r\n`);
    const push = () => {
      while (taken < 64 * 2 ** 20) {
        taken += 65536;
        if (!socket.write(chunk)) return;
      }
    };
    socket.on('drain', push);
    push();
    await new Promise((resolve) => setTimeout(resolve, 500));
    // What the sockets of both sides hold, and no more.
    expect(taken).toBeLessThan(24 * 2 ** 20);
    socket.destroy();
    await until(() => front.usage().requests > 0);
    expect(front.usage()).toMatchObject({ requests: 1, errors: 0 });
    expect(front.usage().bytesIn).toBeLessThan(24 * 2 ** 20);
  });

  it('is answered while it still comes in', async () => {
    const front = await setUp(echo);
    const first = await new Promise<string>((resolve, reject) => {
      const request = httpRequest({ host: '127.0.0.1', port: front.port, path, method: 'POST', agent: false, headers: { host: 'app.localhost' } }, (response) => {
        response.once('data', (chunk: Buffer) => {
          resolve(chunk.toString());
          request.end();
        });
        response.resume();
      });
      request.on('error', reject);
      request.write('first');
    });
    expect(first).toBe('first');
  });

  it('is asked for when the client waits for 100 Continue', async () => {
    const front = await setUp(echo);
    const head = `POST ${path} HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`;
    const text = await new Promise<string>((resolve) => {
      let all = '';
      const socket = connect(front.port, '127.0.0.1', () => socket.write(head));
      socket.on('data', (chunk) => {
        if (all === '') socket.write('body');
        all += chunk.toString();
      });
      socket.on('close', () => resolve(all));
    });
    expect(text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    expect(text).toContain('body');
  });

  it('brings its trailers along', async () => {
    const front = await setUp(echo);
    const text = await raw(front.port, `POST ${path} HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n4\r\nbody\r\n0\r\nx-sum: 42\r\n\r\n`);
    expect(text).toMatch(/\r\nTransfer-Encoding: chunked\r\n[^]*\r\n4\r\nbody\r\n0\r\nx-sum: 42\r\n\r\n$/i);
  });

  it.each(HANG_UPS)('ends with a client that %s, which is no error', async (_how, hangUp) => {
    const front = await setUp(echo);
    await beginAndLeave(front.port, path, hangUp);
    await until(() => front.usage().requests > 0);
    expect(front.usage()).toMatchObject({ requests: 1, errors: 0 });
    expect(lines(front)).toEqual([]);
    expect(await ask(front.port, 'app.localhost', path, { method: 'POST', body: 'next' })).toMatchObject({ status: 200, body: 'next' });
  });
});

describe('components of one app that call each other', () => {
  const edit = { allowedOutboundHosts: ['http://self', 'http://back.spin.internal'] };
  async function chain(back: Built, edits = edit, main = forward): Promise<TestFront> {
    const front = await new TestFront(blobs).listen();
    fronts.push(front);
    const triggers = [httpTrigger('front', '/...', { component: 'main' }), httpTrigger('back', '/back', { component: 'back' })];
    await front.deploy('app', artifactOf(1, { main, back }, triggers, edits));
    return front;
  }

  it.each(['/', '/self'])('0.3 calls 0.3 (%s)', async (path) => {
    const front = await chain(hello);
    expect(await ask(front.port, 'app.localhost', path)).toMatchObject({ status: 200, body: 'hello 1\n', headers: { 'content-type': 'text/plain; charset=utf-8' } });
    expect(front.usage()).toMatchObject({ requests: 2, errors: 0, bytesOut: 16 });
  });

  it.each(['/', '/self'])('0.3 calls 0.2 (%s)', async (path) => {
    const front = await chain(old);
    expect(await ask(front.port, 'app.localhost', path)).toMatchObject({ status: 200, body: 'ok\n' });
    expect(front.usage()).toMatchObject({ requests: 2, errors: 0 });
  });

  it('stay in one version while two are served: the caller\'s', async () => {
    const front = await new TestFront(blobs).listen();
    fronts.push(front);
    const triggers = [httpTrigger('front', '/...', { component: 'main' }), httpTrigger('back', '/back', { component: 'back' })];
    const lane = { ...laneOf('app', 1, [[1, 50], [2, 50]]), keyHeader: 'x-user' };
    await front.front.prepare(lane, blobs.store(artifactOf(1, { main: forward, back: hello }, triggers, edit)));
    await front.front.prepare(lane, blobs.store(artifactOf(2, { main: forward, back: old }, triggers, edit)));
    await front.front.serve(lane);
    const bodies: string[] = [];
    for (let user = 0; user < 40; user++) {
      const headers = { 'x-user': `u${user}` };
      const [direct, chained] = [await ask(front.port, 'app.localhost', '/back', { headers }), await ask(front.port, 'app.localhost', '/', { headers })];
      expect(chained.body).toBe(direct.body);
      bodies.push(chained.body);
    }
    expect(new Set(bodies)).toEqual(new Set(['hello 1\n', 'ok\n']));
    const samples = front.front.takeSamples()[0]!.samples;
    // What a component asked of another belongs to the request that it was asked for.
    expect(samples.reduce((sum, { requests }) => sum + requests, 0)).toBe(80);
    const records = front.records().filter(({ kind }) => kind === 'usage') as { version: number; requests: number }[];
    const ofTwo = 3 * bodies.filter((body) => body === 'ok\n').length;
    expect([1, 2].map((version) => records.filter((record) => record.version === version).reduce((sum, { requests }) => sum + requests, 0))).toEqual([120 - ofTwo, ofTwo]);
  });

  it('0.2 calls 0.3', async () => {
    const front = await chain(hello, edit, oldForward);
    expect(await ask(front.port, 'app.localhost')).toMatchObject({ status: 200, body: 'hello 1\n' });
    expect(front.usage()).toMatchObject({ requests: 2, errors: 0, bytesOut: 16 });
  });

  it('0.2 calls 0.3 and loses interest in the middle of an endless answer, which is no error of either', async () => {
    const [endless, impatient] = await Promise.all([
      buildWat('echo-03', (wat) => wat.replace('(call $read (global.get $input) (i32.const 65536) (i32.const 65536))', '(i32.const 0x100000)')),
      buildWat('forward-02', (wat) => wat.replace('(br_if $more (i32.eqz (i32.load8_u (i32.const 16))))', '')),
    ]);
    const front = await chain(await blobs.build(endless), edit, await blobs.build(impatient));
    const answer = await ask(front.port, 'app.localhost');
    expect([answer.status, answer.body.length]).toEqual([200, 65536]);
    await until(() => front.usage().requests > 1);
    expect(front.usage()).toMatchObject({ requests: 2, errors: 0 });
    expect(lines(front)).toEqual([]);
  });

  it.each(['/', '/self'])('passes a long body on and back (%s)', async (path) => {
    const front = await chain(echo);
    const sent = randomBytes(2 ** 20).toString('hex');
    const answer = await ask(front.port, 'app.localhost', path, { method: 'POST', body: sent });
    expect([answer.status, answer.body === sent]).toEqual([200, true]);
    expect(front.usage()).toMatchObject({ requests: 2, errors: 0, bytesIn: 2 * sent.length, bytesOut: 2 * sent.length });
  });

  it.each(HANG_UPS)('end together with a client that %s, which is no error', async (_how, hangUp) => {
    const front = await chain(echo);
    await beginAndLeave(front.port, '/', hangUp);
    await until(() => front.usage().requests > 1);
    expect(front.usage()).toMatchObject({ requests: 2, errors: 0 });
    expect(lines(front)).toEqual([]);
  });

  it('hands the 500 of the called one on, and an error-code when it may not call', async () => {
    const front = await chain(hello);
    expect(await ask(front.port, 'app.localhost', '/trap')).toMatchObject({ status: 500, body: '' });
    expect(lines(front)).toEqual([expect.stringMatching(/^COMPONENT_TRAP/)]);
    const denied = await chain(hello, { allowedOutboundHosts: [] });
    expect(await ask(denied.port, 'app.localhost')).toMatchObject({ status: 500, body: '' });
    expect(lines(denied)).toContainEqual(expect.stringContaining('HTTP-request-denied'));
  });
});
