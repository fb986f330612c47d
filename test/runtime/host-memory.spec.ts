import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { UsageRecord } from '#contract/journal.js';
import { buildWat } from '../fixtures/build-wat.js';
import { artifactOf, ask, Blobs, httpTrigger, LIMITS, TestFront, type Built } from './front-fixture.js';

/** What a guest has the host keep for it: bounded, whatever the guest makes, and a named error beyond that. */

const MEBIBYTE = 2 ** 20;
/** Far below what ten thousand handles could hold (3 GB of bodies alone), and well above the limit. */
const MOST_GROWTH_BYTES = 300 * MEBIBYTE;
const blobs = new Blobs();
const fronts: TestFront[] = [];
let hoard: Built;
let neighbour: Built;

beforeAll(async () => {
  hoard = await blobs.build(await buildWat('hoard'));
  neighbour = await blobs.build(await buildWat('loop'));
});
afterEach(async () => {
  for (const front of fronts.splice(0)) await front.close();
});
afterAll(() => blobs.remove());

async function setUp(own: object = { hostBytes: 16 * MEBIBYTE }): Promise<TestFront> {
  const front = await new TestFront(blobs, 'shared', LIMITS).listen();
  fronts.push(front);
  await front.deploy('app', artifactOf(1, { main: hoard }, [httpTrigger('all', '/...', { component: 'main' })], { limits: own }));
  await front.deploy('neighbour', artifactOf(1, { main: neighbour }, [httpTrigger('all', '/...', { component: 'main' })]));
  return front;
}

function struck(front: TestFront): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const record of front.records()) {
    for (const [code, count] of Object.entries((record as UsageRecord).limits ?? {})) sums[code] = (sums[code] ?? 0) + count;
  }
  return sums;
}
const peakBytes = () => process.resourceUsage().maxRSS * 1024;

describe('a guest that has the host keep things for it', () => {
  it.each(['fields', 'names', 'bodies', 'pieces'])('without end (%s) is ended by name, and neighbours are answered', async (what) => {
    const front = await setUp();
    const beforeBytes = peakBytes();
    for (let round = 0; round < 5; round++) {
      const [hostile, other] = await Promise.all([ask(front.port, 'app.localhost', `/${what}`), ask(front.port, 'neighbour.localhost', '/')]);
      expect({ hostile: hostile.status, other: other.status }).toEqual({ hostile: 500, other: 200 });
    }
    expect(peakBytes() - beforeBytes).toBeLessThan(MOST_GROWTH_BYTES);
    expect(struck(front)).toEqual({ COMPONENT_HOST_MEMORY_LIMIT: 5 });
    expect(front.logs().filter(({ stream }) => stream === 'platform').map(({ line }) => line))
      .toEqual(Array(5).fill(`COMPONENT_HOST_MEMORY_LIMIT: the platform holds more than ${16 * MEBIBYTE} bytes for the invocation: fields, bodies, responses that are not read`));
    expect(await ask(front.port, 'app.localhost', '/')).toMatchObject({ status: 200 });
  });

  it('may make far more than the limit in one request when it lets go of it', async () => {
    const front = await setUp({ hostBytes: 8 * MEBIBYTE });
    expect(await ask(front.port, 'app.localhost', '/drop')).toMatchObject({ status: 200 });
    expect(struck(front)).toEqual({});
  });

  it('may be held to less by the app', async () => {
    const front = await setUp({ hostBytes: 1_000 });
    expect(await ask(front.port, 'app.localhost', '/fields')).toMatchObject({ status: 500 });
    expect(await ask(front.port, 'app.localhost', '/')).toMatchObject({ status: 200 });
  });
});
