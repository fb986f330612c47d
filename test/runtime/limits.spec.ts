import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { connect, type Socket } from 'node:net';
import type { UsageRecord } from '#contract/journal.js';
import { buildWat } from '../fixtures/build-wat.js';
import { artifactOf, ask, Blobs, httpTrigger, LIMITS, TestFront, type Ask, type Built } from './front-fixture.js';

/** What becomes of a request when a limit strikes: its answer, the line in the log, the count in the usage. */

const blobs = new Blobs();
const fronts: TestFront[] = [];
let echo: Built;
let plain: Built;
let sleeper: Built;

beforeAll(async () => {
  echo = await blobs.build(await buildWat('echo-03'));
  plain = await blobs.build(await buildWat('loop'));
  // On /wait it answers after a tenth of a second here.
  sleeper = await blobs.build(await buildWat('hello-03', (wat) => wat.replace('50000000', '100000000')));
});
afterEach(async () => {
  for (const front of fronts.splice(0)) await front.close();
});
afterAll(() => blobs.remove());

/** A body whose length nobody knows before its end. */
const CHUNKED: Ask = { method: 'POST', headers: { 'transfer-encoding': 'chunked' }, body: Buffer.alloc(2_000_000) };

async function setUp(main: Built, limits: Partial<typeof LIMITS> = {}, own = {}): Promise<TestFront> {
  const front = await new TestFront(blobs, 'shared', { ...LIMITS, ...limits }).listen();
  fronts.push(front);
  await front.deploy('app', artifactOf(1, { main }, [httpTrigger('all', '/...', { component: 'main' })], { limits: own }));
  return front;
}

/** How often each limit struck. */
function struck(front: TestFront): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const record of front.records()) {
    for (const [code, count] of Object.entries((record as UsageRecord).limits ?? {})) sums[code] = (sums[code] ?? 0) + count;
  }
  return sums;
}
const platformLines = (front: TestFront) => front.logs().filter(({ stream }) => stream === 'platform').map(({ line }) => line);

async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !what(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe('a request body', () => {
  it('that is declared longer than allowed is refused before the guest runs', async () => {
    const front = await setUp(echo, { requestBytes: 1_000 });
    expect(await ask(front.port, 'app.localhost', '/', { method: 'POST', headers: { 'content-length': '1000' }, body: Buffer.alloc(1_000) })).toMatchObject({ status: 200 });
    expect(await ask(front.port, 'app.localhost', '/', { method: 'POST', headers: { 'content-length': '1001' }, body: Buffer.alloc(1_001) })).toMatchObject({ status: 413, body: '' });
    expect(platformLines(front)).toEqual(['COMPONENT_REQUEST_TOO_LARGE: the request has more than 1000 bytes']);
    expect(struck(front)).toEqual({ COMPONENT_REQUEST_TOO_LARGE: 1 });
    expect(front.usage()).toMatchObject({ requests: 2, errors: 1, bytesIn: 1_000 });
  });

  it('may be held to less by the app, and not to more', async () => {
    const front = await setUp(echo, { requestBytes: 1_000 }, { requestBytes: 10, responseBytes: 10 ** 9 });
    expect(await ask(front.port, 'app.localhost', '/', { method: 'POST', headers: { 'content-length': '11' }, body: Buffer.alloc(11) })).toMatchObject({ status: 413 });
  });

  it('that grows past the limit while it comes is broken off for the guest, and so is the answer that was made of it', async () => {
    const front = await setUp(echo, { requestBytes: 500_000 });
    await expect(ask(front.port, 'app.localhost', '/', CHUNKED)).rejects.toThrow();
    await until(() => front.usage().requests === 1);
    expect(struck(front)).toEqual({ COMPONENT_REQUEST_TOO_LARGE: 1 });
    expect(platformLines(front)).toEqual(['COMPONENT_REQUEST_TOO_LARGE: the request has more than 500000 bytes']);
  });
});

describe('a response body', () => {
  it('that is longer than allowed is broken off by name, and the runner goes on', async () => {
    const front = await setUp(echo, { responseBytes: 500_000 });
    await expect(ask(front.port, 'app.localhost', '/', CHUNKED)).rejects.toThrow();
    await until(() => front.usage().requests === 1);
    expect(struck(front)).toEqual({ COMPONENT_RESPONSE_TOO_LARGE: 1 });
    expect(platformLines(front)).toEqual(['COMPONENT_RESPONSE_TOO_LARGE: the response was broken off after 500000 bytes']);
    expect(await ask(front.port, 'app.localhost', '/', { method: 'POST', body: 'short' })).toMatchObject({ status: 200, body: 'short' });
  });
});

describe('CPU time', () => {
  it('is counted by the name of its error', async () => {
    const front = await setUp(plain, {}, { cpuMs: 20 });
    expect(await ask(front.port, 'app.localhost', '/loop')).toMatchObject({ status: 500 });
    expect(await ask(front.port, 'app.localhost', '/trap')).toMatchObject({ status: 500 });
    expect(struck(front)).toEqual({ COMPONENT_CPU_LIMIT: 1 });
  });
});

describe('concurrent invocations', () => {
  /** Sends a request and keeps the connection. */
  const send = (port: number, path: string) => new Promise<Socket>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`GET ${path} HTTP/1.1\r\nHost: app.localhost\r\n\r\n`, () => resolve(socket)));
  });

  it('wait for so long, and are then turned away with the time to come back', async () => {
    const front = await setUp(sleeper, { concurrency: 1, queueMs: 30 });
    const [first, second] = await Promise.all([ask(front.port, 'app.localhost', '/wait'), ask(front.port, 'app.localhost', '/wait')]);
    expect([first.status, second.status].toSorted()).toEqual([200, 503]);
    expect([first, second].find(({ status }) => status === 503)).toMatchObject({ headers: { 'retry-after': '1' } });
    expect(struck(front)).toEqual({ COMPONENT_BUSY: 1 });
  });

  it('are answered in the order in which they came, without those whose client has left', async () => {
    const front = await setUp(sleeper, { concurrency: 1 });
    const order: string[] = [];
    const sockets: Socket[] = [];
    for (const name of ['a', 'b', 'c', 'd']) {
      const socket = await send(front.port, `/wait?${name}`);
      socket.once('data', () => order.push(name));
      sockets.push(socket);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    sockets[1]!.destroy();
    await until(() => order.length === 3);
    expect(order).toEqual(['a', 'c', 'd']);
    expect(front.usage().requests).toBe(3);
    for (const socket of sockets) socket.destroy();
  });

  it('of all components together are no more than the runner has room for', async () => {
    const front = await setUp(sleeper, { runnerInvocations: 2, queueMs: 20 });
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(front.port, 'app.localhost', '/wait')));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 503, 503, 503]);
    expect(await ask(front.port, 'app.localhost', '/wait')).toMatchObject({ status: 200 });
  });
});
