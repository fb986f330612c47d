import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { VersionArtifact } from '#contract/artifact.js';
import type { UsageRecord } from '#contract/journal.js';
import { MAX_COPIED_BYTES, mergeShadows, type ComponentShadow, type Shadow } from '#contract/shadow.js';
import type { VersionNumber } from '#contract/ids.js';
import { buildWat } from '../fixtures/build-wat.js';
import { artifactOf, ask, Blobs, httpTrigger, laneOf, TestFront, type Ask, type Built } from './front-fixture.js';

/** Copies of requests for a version that serves nobody: what it is told, what it may do, and what becomes of the originals. */

const blobs = new Blobs();
const fronts: TestFront[] = [];
const example = (name: string) => readFile(join(import.meta.dirname, `../../examples/${name}/${name}.wasm`));
let hello: Built;
let counter: Built;
let loop: Built;
let other: Built;
/** Does nothing of what `loop` does on demand. */
let tame: Built;

beforeAll(async () => {
  hello = await blobs.build(await example('hello-js'));
  counter = await blobs.build(await example('counter-js'));
  loop = await blobs.build(await buildWat('loop'));
  tame = await blobs.build(await buildWat('loop', (wat) => wat.replace('(call $misbehave (call', '(drop (call')));
  other = await blobs.build(await buildWat('loop', (wat) => wat.replace('"ok\\0a"', '"no\\0a"')));
}, 60_000);
afterEach(async () => {
  for (const front of fronts.splice(0)) await front.close();
});
afterAll(() => blobs.remove());

const artifact = (version: number, main: Built, edit = {}) => artifactOf(version, { main }, [httpTrigger('all', '/...', { component: 'main' })], edit);

/** Serves version 1, and gives copies to version 2. */
async function shadowed(old: VersionArtifact, own: VersionArtifact, settings: Partial<Shadow> = {}): Promise<TestFront> {
  const front = await new TestFront(blobs).listen();
  fronts.push(front);
  const lane = laneOf('app', 1, [[1, 100]]);
  await front.front.prepare(lane, blobs.store(old));
  await front.front.prepare(lane, blobs.store(own));
  await front.front.serve({ ...lane, shadow: { version: 2 as VersionNumber, percent: 100, ignoredFields: [], ...settings } });
  // Until then copies are skipped, as they should be.
  for (let i = 0; i < 500 && front.front.load().loaded < 3; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  return front;
}

const total = ({ equal, different, skipped }: ComponentShadow): number => equal + different + Object.values(skipped).reduce((sum, count) => sum + count, 0);

/** What is said of `requests` of the component `main`, and the samples of both versions. */
async function said(front: TestFront, requests: number) {
  let shadow: ComponentShadow[] = [];
  const samples: Record<number, { requests: number; errors: number; traps: number }> = {};
  for (let i = 0; i < 1_000; i++) {
    for (const taken of front.front.takeSamples()) {
      shadow = mergeShadows(shadow, taken.shadow?.components ?? []);
      for (const { version, requests: count, errors, traps } of taken.samples) {
        const sum = (samples[version] ??= { requests: 0, errors: 0, traps: 0 });
        sum.requests += count;
        sum.errors += errors;
        sum.traps += traps;
      }
    }
    if (shadow[0] && total(shadow[0]) >= requests) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return { main: shadow[0]!, samples };
}

/** Cold code may take more CPU than a copy may: asks until both versions have answered within that. */
async function warm(front: TestFront, path: string): Promise<void> {
  for (let i = 0; i < 50; i++) {
    await get(front, path);
    if ((await said(front, 1)).main.equal > 0) return;
  }
  throw new Error('the versions do not get warm');
}

const get = (front: TestFront, path = '/', options: Ask = {}) => ask(front.port, 'app.localhost', path, options);
const usage = (front: TestFront, trigger: string) =>
  front.records().filter((record): record is UsageRecord => record.kind === 'usage' && record.trigger === trigger).reduce((sum, { requests }) => sum + requests, 0);

describe('a copy of a request', () => {
  it('goes to the other version, whose answer nobody sees, and is found equal or different', async () => {
    const same = await shadowed(artifact(1, loop), artifact(2, loop));
    for (let i = 0; i < 5; i++) expect(await get(same, '/x?secret=1')).toMatchObject({ status: 200, body: 'ok\n' });
    expect(await said(same, 5)).toMatchObject({ main: { equal: 5, different: 0, examples: [] }, samples: { 1: { requests: 5, errors: 0 }, 2: { requests: 5, errors: 0 } } });

    const changed = await shadowed(artifact(1, loop), artifact(2, other));
    for (let i = 0; i < 5; i++) expect(await get(changed, '/x?secret=1')).toMatchObject({ status: 200, body: 'ok\n' });
    const { main } = await said(changed, 5);
    expect(main).toMatchObject({ equal: 0, different: 5 });
    expect(main.examples).toHaveLength(5);
    expect(main.examples[0]).toEqual({ atMs: expect.any(Number), method: 'GET', path: '/x', fields: [], bodyBytes: [3, 3] });
  });

  it('is counted apart from what clients ask', async () => {
    const front = await shadowed(artifact(1, loop), artifact(2, loop));
    for (let i = 0; i < 3; i++) await get(front);
    await said(front, 3);
    expect([usage(front, 'all'), usage(front, 'whorl:shadow')]).toEqual([3, 3]);
  });

  it('that traps fails for nobody, and is told', async () => {
    const front = await shadowed(artifact(1, tame), artifact(2, loop));
    for (let i = 0; i < 4; i++) expect(await get(front, '/trap')).toMatchObject({ status: 200, body: 'ok\n' });
    const { main, samples } = await said(front, 4);
    expect(main).toMatchObject({ equal: 0, different: 4 });
    expect(main.examples[0]).toMatchObject({ status: [200, 500], fields: ['content-type'] });
    expect(samples).toEqual({ 1: { requests: 4, errors: 0, traps: 0 }, 2: { requests: 4, errors: 4, traps: 4 } });
    expect(front.logs().filter(({ version, requestId }) => version === 2 && requestId.startsWith('shadow-'))).not.toEqual([]);
  });

  it('that never ends is stopped soon, and moves no app to the heavy lane', async () => {
    const front = await shadowed(artifact(1, tame), artifact(2, loop));
    expect(await get(front, '/loop')).toMatchObject({ status: 200 });
    expect(await said(front, 1)).toMatchObject({ main: { skipped: { heavy: 1 } }, samples: { 2: { requests: 1, errors: 0 } } });
    expect(front.heavy).toEqual([]);
  });

  it('says what it is in a field that clients cannot send, and has all else of the original, its body too', async () => {
    const front = await shadowed(artifact(1, hello), artifact(2, hello), { ignoredFields: [] });
    await warm(front, '/');
    const seen = await get(front, '/headers', { headers: { 'whorl-shadow': '?1', 'x-own': 'a' } });
    expect(JSON.parse(seen.body)).not.toHaveProperty('whorl-shadow');
    const { main } = await said(front, 1);
    // The one field more: 22 bytes with its quotes, colon and comma.
    expect(main.examples).toMatchObject([{ fields: [], bodyBytes: [seen.body.length, seen.body.length + '"whorl-shadow":"?1",'.length] }]);
    for (const body of ['', 'short', 'x'.repeat(300_000)]) expect((await get(front, '/echo', { method: 'POST', body })).body).toBe(body);
    expect(await said(front, 3)).toMatchObject({ main: { equal: 3 } });
  });

  it('is made of a body that the old version did not read, as far as it has come', async () => {
    const front = await shadowed(artifact(1, loop), artifact(2, loop));
    expect(await get(front, '/', { method: 'POST', body: 'unread' })).toMatchObject({ body: 'ok\n' });
    expect(await said(front, 1)).toMatchObject({ main: { equal: 1 } });
  });

  it('is not made of a body that is too large', async () => {
    const front = await shadowed(artifact(1, hello), artifact(2, hello));
    await warm(front, '/');
    const body = 'x'.repeat(MAX_COPIED_BYTES + 1);
    expect((await get(front, '/echo', { method: 'POST', body })).body).toBe(body);
    expect(await said(front, 1)).toMatchObject({ main: { equal: 0, skipped: { tooLarge: 1 } } });
  });

  it('may read a key-value store and not write it: it is refused, and what it answers then is not judged', async () => {
    const own = { keyValueStores: ['default'], variables: { greeting: 'so far' } };
    const triggers = [httpTrigger('count', '/count/:name', { component: 'main' })];
    const front = await shadowed(artifactOf(1, { main: counter }, triggers, own), artifactOf(2, { main: counter }, triggers, own));
    const count = async (method: string) => (JSON.parse((await get(front, '/count/a', { method })).body) as { count: number }).count;
    await warm(front, '/count/a');
    expect(await count('POST')).toBe(1);
    const { main, samples } = await said(front, 1);
    expect(main).toMatchObject({ equal: 0, different: 0, skipped: { refused: 1 } });
    expect(samples).toEqual({});
    expect(await count('GET')).toBe(1);
    expect(await said(front, 1)).toMatchObject({ main: { equal: 1 }, samples: { 1: { requests: 1 }, 2: { requests: 1, errors: 0 } } });
  });

  it('is dropped when too many wait, and originals go on', async () => {
    const front = await shadowed(artifact(1, loop), artifact(2, loop));
    const answers = await Promise.all(Array.from({ length: 600 }, () => get(front)));
    expect(answers.filter(({ body }) => body !== 'ok\n')).toEqual([]);
    const { main } = await said(front, 600);
    expect(main.equal + (main.skipped.busy ?? 0)).toBe(600);
    expect(main.different).toBe(0);
  });

  it('ends with the rollout: a later generation without copies makes none', async () => {
    const front = await shadowed(artifact(1, loop), artifact(2, other));
    await front.front.serve(laneOf('app', 2, [[1, 100]]));
    await get(front);
    expect(front.front.takeSamples()).toEqual([]);
    expect(usage(front, 'whorl:shadow')).toBe(0);
  });
});
