import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import type { ComponentReuse } from '#contract/bundle/component-reuse.js';
import { buildWat } from '../fixtures/build-wat.js';
import { artifactOf, ask, Blobs, httpTrigger, LIMITS, TestFront, type Built } from './front-fixture.js';

/** Components that ask for instances that serve several requests, behind the front. */

const HOST = 'app.localhost';
const blobs = new Blobs();
const fronts: TestFront[] = [];
let shared: Built;
let old: Built;
let forward: Built;
let oldForward: Built;

beforeAll(async () => {
  shared = await blobs.build(await buildWat('shared-03'));
  old = await blobs.build(await buildWat('loop'));
  forward = await blobs.build(await buildWat('forward-03'));
  oldForward = await blobs.build(await buildWat('forward-02'));
});
afterEach(async () => {
  for (const front of fronts.splice(0)) await front.close();
});
afterAll(() => blobs.remove());

async function setUp(main: Built, reuse: ComponentReuse | undefined, limits: Partial<typeof LIMITS> = {}): Promise<TestFront> {
  const front = await new TestFront(blobs, 'shared', { ...LIMITS, ...limits }).listen();
  fronts.push(front);
  await front.deploy('app', artifactOf(1, { main }, [httpTrigger('all', '/...', { component: 'main' })], reuse ? { reuse } : {}));
  return front;
}

const get = async ({ port }: TestFront, path = '/'): Promise<string> => {
  const { status, body } = await ask(port, HOST, path);
  return `${status} ${body}`.trim();
};

async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !what(); i++) await new Promise((resolve) => setTimeout(resolve, 20));
}

const lines = (front: TestFront): string[] => front.logs().map(({ line }) => line);
const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Requests sent before are in their instance; what they log is known only later. They wait there for 300 ms. */
const begun = () => later(80);

/** A request that is begun: its answer, and a way to leave. */
function begin({ port }: TestFront, path: string, method = 'GET'): { request: ClientRequest; response: Promise<IncomingMessage> } {
  const request = httpRequest({ host: '127.0.0.1', port, path, method, agent: false, headers: { host: HOST } });
  const response = new Promise<IncomingMessage>((resolve, reject) => request.on('response', resolve).on('error', reject));
  response.catch(() => undefined);
  return { request, response };
}

describe('an instance that is reused', () => {
  it('keeps its state from one request to the next', async () => {
    const front = await setUp(shared, {});
    expect([await get(front), await get(front), await get(front)]).toEqual(['200 n=0001', '200 n=0002', '200 n=0003']);
  });

  it('is not, unless the component asks for it', async () => {
    const front = await setUp(shared, undefined);
    expect([await get(front), await get(front)]).toEqual(['200 n=0001', '200 n=0001']);
  });

  it('is not where the operator forbids it', async () => {
    const front = await setUp(shared, {}, { reuse: { ...LIMITS.reuse, requests: 1 } });
    expect([await get(front), await get(front)]).toEqual(['200 n=0001', '200 n=0001']);
  });

  it('gets a fresh state after as many requests as it may serve', async () => {
    const front = await setUp(shared, {});
    const answers: string[] = [];
    for (let i = 0; i < 130; i++) answers.push(await get(front));
    expect(answers.slice(126)).toEqual(['200 n=0127', '200 n=0128', '200 n=0001', '200 n=0002']);
  });

  it('gets a fresh state after a time without requests', async () => {
    const front = await setUp(shared, { idleMs: 30 });
    expect(await get(front)).toBe('200 n=0001');
    await later(120);
    expect(await get(front)).toBe('200 n=0001');
  });

  it('serves requests of a 0.2 handler one after the other', async () => {
    const front = await setUp(old, { requests: 3 });
    expect(await get(front, '/')).toMatch(/^200 /);
    expect(await Promise.all([get(front), get(front), get(front), get(front)])).toEqual(Array.from({ length: 4 }, () => expect.stringMatching(/^200 /)));
    expect(lines(front)).toEqual([]);
  });
});

describe('several requests in one instance', () => {
  it('wait beside each other, and the log of each has its lines alone', async () => {
    const front = await setUp(shared, {});
    expect(await Promise.all([get(front, '/w1'), get(front, '/w2'), get(front, '/w3'), get(front, '/4')])).toEqual(['200 n=0004', '200 n=0004', '200 n=0004', '200 n=0004']);
    const byRequest = Map.groupBy(front.logs(), ({ requestId }) => requestId);
    expect([...byRequest.values()].map((records) => records.map(({ line }) => line)).sort()).toEqual([['/4'], ['/w1/w1'], ['/w2/w2'], ['/w3/w3']]);
  });

  it('are as many as the component asks for; the others get another instance', async () => {
    const front = await setUp(shared, { concurrent: 2 });
    expect((await Promise.all([get(front, '/w'), get(front, '/w'), get(front, '/w')])).sort()).toEqual(['200 n=0001', '200 n=0002', '200 n=0002']);
  });

  it('have bodies that come and go at the same time', async () => {
    const front = await setUp(shared, {});
    const calls = ['a', 'b', 'c'].map((name) => ({ name, ...begin(front, '/e', 'POST'), text: '' }));
    for (const { request, name } of calls) request.write(`${name}0 `);
    for (const call of calls) (await call.response).setEncoding('utf8').on('data', (chunk: string) => { call.text += chunk; });
    for (let i = 1; i < 20; i++) {
      for (const { request, name } of calls) request.write(`${name}${i} `);
      await until(() => calls.every(({ name, text }) => text.endsWith(`${name}${i} `)));
    }
    expect(await get(front)).toBe('200 n=0004');
    for (const { request } of calls) request.end();
    await Promise.all(calls.map(async ({ response }) => (await response).complete || new Promise((resolve) => { void response.then((it) => it.on('end', resolve)); })));
    expect(calls.map(({ text }) => text)).toEqual(['a', 'b', 'c'].map((name) => Array.from({ length: 20 }, (_, i) => `${name}${i} `).join('')));
    expect(await get(front)).toBe('200 n=0005');
  });

  it('are lost when one of them traps, and the next gets a fresh instance', async () => {
    const front = await setUp(shared, {});
    const waiting = [get(front, '/w'), get(front, '/x'), get(front, '/w')];
    await begun();
    expect(await get(front, '/t')).toBe('500');
    expect(await Promise.all(waiting)).toEqual(['500', '500', '500']);
    const codes = front.logs().filter(({ stream }) => stream === 'platform').map(({ line }) => line.replace(/: .*/, '')).sort();
    expect(codes).toEqual(['COMPONENT_INSTANCE_LOST', 'COMPONENT_INSTANCE_LOST', 'COMPONENT_INSTANCE_LOST', 'COMPONENT_TRAP']);
    expect(await get(front)).toBe('200 n=0001');
    expect(front.usage()).toMatchObject({ requests: 5, errors: 4 });
  });

  it('are lost when one of them uses up its CPU time, which is its own alone', async () => {
    const front = await setUp(shared, {}, { cpuMs: 100 });
    const waiting = get(front, '/w');
    await begun();
    expect([await get(front, '/l'), await waiting]).toEqual(['500', '500']);
    const codes = lines(front).filter((line) => line.startsWith('COMPONENT_')).map((line) => line.replace(/: .*/, '')).sort();
    expect(codes).toEqual(['COMPONENT_CPU_LIMIT', 'COMPONENT_INSTANCE_LOST']);
    const { cpuMs } = front.usage();
    expect(cpuMs).toBeGreaterThan(90);
    expect(cpuMs).toBeLessThan(160);
  });
});

describe('a request whose client leaves', () => {
  it('ends alone: the others in the instance go on, and so does the instance', async () => {
    const front = await setUp(shared, {});
    const stays = get(front, '/w1');
    const leaves = begin(front, '/w2');
    leaves.request.end();
    await begun();
    leaves.request.destroy();
    expect([await stays, await get(front)]).toEqual(['200 n=0002', '200 n=0003']);
    expect(lines(front)).toEqual(['/w2', '/w1/w1', '/']);
  });

  it('whose guest goes on all the same: the instance serves those that are in it, and no new ones', async () => {
    const front = await setUp(shared, {});
    const stays = get(front, '/w');
    const leaves = begin(front, '/s');
    leaves.request.end();
    await begun();
    leaves.request.destroy();
    await later(50);
    expect(await get(front)).toBe('200 n=0001');
    expect(await stays).toBe('200 n=0002');
  });

  it('in the middle of its body ends alone as well', async () => {
    const front = await setUp(shared, {});
    const stays = begin(front, '/e1', 'POST');
    const leaves = begin(front, '/e2', 'POST');
    for (const { request } of [stays, leaves]) request.write('some');
    await Promise.all([stays.response, leaves.response]);
    leaves.request.destroy();
    await later(50);
    stays.request.end(' more');
    const chunks: Buffer[] = [];
    for await (const chunk of await stays.response) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toBe('some more');
    expect(await get(front)).toBe('200 n=0003');
  });
});

describe('a request that takes too long', () => {
  it('ends alone', async () => {
    const front = await setUp(shared, {}, { wallMs: 200 });
    const slow = get(front, '/w');
    await later(120);
    const [late, answers] = await Promise.all([slow, later(100).then(() => get(front))]);
    expect([late, answers]).toEqual(['504', '200 n=0002']);
  });

  it('frees its instance at the end of the last, when its guest does not let go', async () => {
    const front = await setUp(shared, {}, { wallMs: 100 });
    expect(await get(front, '/s')).toBe('504');
    expect(await get(front)).toBe('200 n=0001');
  });
});

describe('components that call each other in instances that are reused', () => {
  async function chain(main: Built, back = shared): Promise<TestFront> {
    const front = await new TestFront(blobs, 'shared', LIMITS).listen();
    fronts.push(front);
    const triggers = [httpTrigger('front', '/...', { component: 'main' }), httpTrigger('back', '/back', { component: 'back' })];
    await front.deploy('app', artifactOf(1, { main, back }, triggers, { reuse: {}, allowedOutboundHosts: ['http://back.spin.internal'] }));
    return front;
  }

  it('0.2 calls 0.3, again and again', async () => {
    const front = await chain(oldForward);
    expect([await get(front), await get(front), await get(front)]).toEqual(['200 n=0001', '200 n=0002', '200 n=0003']);
    expect(front.usage()).toMatchObject({ requests: 6, errors: 0 });
  });

  it('those that are called are not put where others wait', async () => {
    const front = await chain(forward);
    expect(await Promise.all([get(front, '/w'), get(front, '/w')])).toEqual(['200 n=0001', '200 n=0001']);
  });

  it('a caller whose client leaves ends what it has called, and the instance of that goes on', async () => {
    const front = await chain(forward);
    expect(await get(front)).toBe('200 n=0001');
    const leaves = begin(front, '/w');
    leaves.request.end();
    await begun();
    leaves.request.destroy();
    await until(() => front.usage().requests === 4);
    expect(front.usage()).toMatchObject({ requests: 4, errors: 0 });
    expect(await get(front)).toBe('200 n=0003');
  });

  it('a caller that waits on its stack loses its instance when its client leaves', async () => {
    const slow = await blobs.build(await buildWat('shared-03', (wat) => wat.replace('(local.get $letter) (i32.const 0x77)', '(local.get $letter) (i32.const 0)')));
    const front = await chain(oldForward, slow);
    const leaves = begin(front, '/');
    leaves.request.end();
    await begun();
    leaves.request.destroy();
    await until(() => front.usage().requests === 2);
    expect(front.usage()).toMatchObject({ requests: 2, errors: 0 });
    expect(await get(front)).toBe('200 n=0002');
  });
});
