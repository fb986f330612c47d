import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { existsSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { VersionArtifact } from '#contract/artifact.js';
import type { Digest } from '#contract/ids.js';
import type { LoadedBounds } from '#runtime/trigger/loaded-versions.js';
import { buildWat } from '../fixtures/build-wat.js';
import { artifactOf, ask, Blobs, type Built, httpTrigger, laneOf, LIMITS, STAY_LOADED, TestFront } from './front-fixture.js';

const blobs = new Blobs();
const fronts: TestFront[] = [];
let loop: Built;

beforeAll(async () => {
  loop = await blobs.build(await buildWat('loop'));
});
afterEach(async () => {
  for (const front of fronts.splice(0)) await front.close();
});
afterAll(() => blobs.remove());

async function setUp(bounds: Partial<LoadedBounds> = {}): Promise<TestFront> {
  const front = await new TestFront(blobs, 'shared', LIMITS, { ...STAY_LOADED, ...bounds }).listen();
  fronts.push(front);
  return front;
}

/** Answers with its number at /v, by the component elsewhere. */
const version = (number: number, build: Built = loop): VersionArtifact => artifactOf(number, { main: build }, [
  httpTrigger('number', '/v', { staticResponse: { status: 200, headers: {}, body: String(number) } }),
  httpTrigger('all', '/...', { component: 'main' }),
]);

/** As after a start from the snapshot: held and served, not loaded. */
function know(front: TestFront, app: string, ...artifacts: VersionArtifact[]): void {
  const lane = laneOf(app, 1, [[artifacts[0]!.version, 100]]);
  front.front.know([{ lane, versions: artifacts.map((artifact) => blobs.store(artifact)), served: lane }]);
}

const isLoaded = (front: TestFront, app: string, number = 1): boolean => front.front.isLoaded(laneOf(app, 1, []).app, laneOf(app, 1, []).channel, number as never);

async function until(holds: () => boolean): Promise<void> {
  for (const end = performance.now() + 10_000; !holds(); await sleep(10)) if (performance.now() > end) throw new Error('it never came');
}

/** A build of its own: the same component, whose plan has other bytes. */
function withPlanOfItsOwn(): Built {
  const plan = blobs.put(Buffer.from(`${readFileSync(blobs.path(loop.plan), 'utf8')} `.padEnd(readFileSync(blobs.path(loop.plan)).length + 1 + Math.ceil(Math.random() * 1_000))));
  return { ...loop, plan };
}

describe('an app that is known', () => {
  it('is loaded by its first request, which waits and is answered', async () => {
    const front = await setUp();
    know(front, 'tiny', version(1));
    expect(isLoaded(front, 'tiny')).toBe(false);
    expect((await ask(front.port, 'tiny.localhost', '/ok')).status).toBe(200);
    expect(isLoaded(front, 'tiny')).toBe(true);
    expect(front.usage()).toMatchObject({ requests: 1, errors: 0 });
  });

  it('is loaded once for all requests that come meanwhile, with their bodies', async () => {
    const front = await setUp();
    know(front, 'tiny', version(1));
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(front.port, 'tiny.localhost', '/ok', { method: 'POST', body: 'x'.repeat(1_000) })));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  });

  it('does not load versions that nobody asks for', async () => {
    const front = await setUp();
    know(front, 'tiny', version(1), version(2));
    await ask(front.port, 'tiny.localhost', '/ok');
    expect([1, 2].map((number) => isLoaded(front, 'tiny', number))).toEqual([true, false]);
  });

  it('stays loaded when it is made known once more', async () => {
    const front = await setUp();
    know(front, 'tiny', version(1));
    await ask(front.port, 'tiny.localhost', '/ok');
    know(front, 'tiny', version(1));
    expect(isLoaded(front, 'tiny')).toBe(true);
  });

  it('fails by name when it cannot be loaded, in its log and towards the node, and is not tried with each request', async () => {
    const front = await setUp();
    know(front, 'tiny', version(1, { ...loop, handlers: ['command'] }));
    for (let i = 0; i < 3; i++) expect(await ask(front.port, 'tiny.localhost')).toMatchObject({ status: 500, body: expect.stringContaining('[COMPONENT_HANDLER_MISSING]') });
    expect(front.logs().map(({ line }) => line)).toEqual([expect.stringMatching(/^COMPONENT_HANDLER_MISSING: main/)]);
    expect(front.unloadable[0]).toBe('tiny 1 COMPONENT_HANDLER_MISSING');
  });

  it('waits for blobs that are missing or damaged, and answers when they are mended', async () => {
    const front = await setUp();
    const build = withPlanOfItsOwn();
    const plan = readFileSync(blobs.path(build.plan as Digest));
    know(front, 'tiny', version(1, build));
    unlinkSync(blobs.path(build.plan as Digest));
    front.onMend = () => writeFileSync(blobs.path(build.plan as Digest), plan);
    expect((await ask(front.port, 'tiny.localhost', '/ok')).status).toBe(200);
    expect(front.mended).toEqual([1]);
    expect(existsSync(blobs.path(build.plan as Digest))).toBe(true);
  });

  it.each([['damaged by one byte', (path: string, good: Buffer) => writeFileSync(path, Buffer.concat([Buffer.of(good[0]! ^ 1), good.subarray(1)]))], ['missing', (path: string) => unlinkSync(path)]])('waits for a file of its component that is %s, before any request runs', async (_what, harm) => {
    const front = await setUp();
    const good = Buffer.alloc(3_000_000, 'asset');
    const digest = blobs.put(good);
    const artifact = artifactOf(1, { main: loop }, [httpTrigger('all', '/...', { component: 'main' })], { files: [{ path: '/index.html', digest, bytes: good.length }, { path: '/copy.html', digest, bytes: good.length }] });
    know(front, 'tiny', artifact);
    harm(blobs.path(digest), good);
    front.onMend = () => writeFileSync(blobs.path(digest), good);
    expect((await ask(front.port, 'tiny.localhost', '/ok')).status).toBe(200);
    expect(front.mended).toEqual([1]);
  });

  it('fails by name when they cannot be mended', async () => {
    const front = await setUp();
    const build = withPlanOfItsOwn();
    know(front, 'tiny', version(1, build));
    writeFileSync(blobs.path(build.plan as Digest), 'damaged');
    expect(await ask(front.port, 'tiny.localhost', '/ok')).toMatchObject({ status: 500, body: expect.stringContaining('[NODE_BLOB_CORRUPT]') });
  });
});

/** Built by `node examples/hello-js/build.mjs`, which needs the guest toolchain. */
const HELLO = new URL('../../examples/hello-js/hello-js.wasm', import.meta.url);

(existsSync(HELLO) ? describe : describe.skip)('an app of 14 MB that is loaded', () => {
  let hello: Built;
  beforeAll(async () => {
    hello = await blobs.build(readFileSync(HELLO));
  }, 60_000);

  it('has its neighbours answered while it is compiled', async () => {
    const front = await setUp();
    await front.deploy('tiny', version(1));
    know(front, 'big', version(1, hello));
    const compiling = jest.spyOn(WebAssembly, 'compile');
    const answer = ask(front.port, 'big.localhost');
    let isOver = false;
    let meanwhile = 0;
    void answer.finally(() => { isOver = true; });
    while (!isOver) {
      expect((await ask(front.port, 'tiny.localhost', '/ok')).status).toBe(200);
      const pending = Promise.all(compiling.mock.results.map(({ value }) => value as Promise<WebAssembly.Module>));
      if (compiling.mock.calls.length > 0 && (await Promise.race([pending, 'compiling'])) === 'compiling') meanwhile++;
    }
    compiling.mockRestore();
    expect((await answer).status).toBe(200);
    expect(meanwhile).toBeGreaterThan(0);
  });
});

describe('warming up', () => {
  const appOf = (artifact: VersionArtifact) => ({ stored: blobs.store(artifact), blobPath: (digest: Digest) => blobs.path(digest) });

  it('has an app answer that nobody can ask afterwards, and counts nothing', async () => {
    const front = await setUp();
    await front.front.warmUp(appOf(version(1)));
    expect((await ask(front.port, 'warm-up.invalid', '/ok')).status).toBe(404);
    expect(front.records()).toEqual([]);
  });

  it('that fails is told to who asked for it alone, and clients are answered as ever', async () => {
    const front = await setUp();
    await expect(front.front.warmUp(appOf(version(1, { ...loop, handlers: ['command'] })))).rejects.toMatchObject({ code: 'COMPONENT_HANDLER_MISSING' });
    await expect(front.front.warmUp(appOf(artifactOf(1, { main: loop }, [httpTrigger('one', '/v', { component: 'main' })])))).rejects.toThrow('HTTP/1.1 404');
    expect(front.records()).toEqual([]);
    expect(front.unloadable).toEqual([]);
    await front.deploy('tiny', version(1));
    expect((await ask(front.port, 'tiny.localhost', '/ok')).status).toBe(200);
  });
});

describe('an app that is loaded', () => {
  it('is let go of when it is idle, and answers its next request', async () => {
    const front = await setUp({ idleAfterMs: 50 });
    await front.deploy('tiny', version(1));
    expect(isLoaded(front, 'tiny')).toBe(true);
    await until(() => !isLoaded(front, 'tiny'));
    expect(front.collections).toBe(1);
    expect((await ask(front.port, 'tiny.localhost', '/ok')).status).toBe(200);
  });

  it('makes room for another when there are as many as may be: the one not used for the longest goes', async () => {
    const front = await setUp({ maxLoaded: 2 });
    for (const app of ['one', 'two']) await front.deploy(app, version(1));
    await sleep(5);
    await ask(front.port, 'one.localhost', '/ok');
    await front.deploy('three', version(1));
    expect(['one', 'two', 'three'].map((app) => isLoaded(front, app))).toEqual([true, false, true]);
    expect((await ask(front.port, 'two.localhost', '/ok')).status).toBe(200);
  });

  it('goes when memory is short, a part at a time', async () => {
    const front = await setUp({ memoryBytes: 1_000 });
    for (const app of ['one', 'two', 'three', 'four', 'five']) {
      await front.deploy(app, version(1));
      await sleep(5);
    }
    front.rssBytes = 2_000;
    await until(() => !isLoaded(front, 'one'));
    front.rssBytes = 0;
    expect(['two', 'three', 'four', 'five'].filter((app) => isLoaded(front, app)).length).toBeGreaterThan(0);
  });

  it('keeps the version that was served before, for a rollback, while it has requests', async () => {
    const front = await setUp({ idleAfterMs: 2_000 });
    await front.deploy('tiny', version(1));
    await front.deploy('tiny', version(2));
    for (let i = 0; i < 35; i++) {
      await ask(front.port, 'tiny.localhost', '/v');
      await sleep(100);
    }
    expect([1, 2].map((number) => isLoaded(front, 'tiny', number))).toEqual([true, true]);
  });
});

describe('a switch', () => {
  it('loads what takes over from a version with traffic before it answers', async () => {
    const front = await setUp();
    know(front, 'tiny', version(1), version(2));
    await ask(front.port, 'tiny.localhost', '/v');
    await front.front.serve(laneOf('tiny', 2, [[2, 100]]));
    expect(isLoaded(front, 'tiny', 2)).toBe(true);
    expect((await ask(front.port, 'tiny.localhost', '/v')).body).toBe('2');
  });

  it('does not come about when that does not load: what was served goes on', async () => {
    const front = await setUp();
    know(front, 'tiny', version(1), version(2, { ...loop, handlers: ['command'] }));
    await ask(front.port, 'tiny.localhost', '/v');
    await expect(front.front.serve(laneOf('tiny', 2, [[2, 100]]))).rejects.toMatchObject({ code: 'COMPONENT_HANDLER_MISSING' });
    expect((await ask(front.port, 'tiny.localhost', '/v')).body).toBe('1');
  });

  it('to other builds of the same version takes place without a failed request', async () => {
    const front = await setUp();
    await front.deploy('tiny', version(1));
    const statuses: number[] = [];
    let running = true;
    const asking = Promise.all(Array.from({ length: 4 }, async () => {
      while (running) statuses.push((await ask(front.port, 'tiny.localhost', '/ok')).status);
    }));
    for (let i = 0; i < 3; i++) await front.front.prepare(laneOf('tiny', 1, [[1, 100]]), blobs.store(version(1, withPlanOfItsOwn())));
    running = false;
    await asking;
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect((await ask(front.port, 'tiny.localhost', '/v')).body).toBe('1');
  });
});
