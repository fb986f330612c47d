import { type ChildProcess, fork } from 'node:child_process';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Digest } from '#contract/ids.js';
import { BlobStorage } from '#registry/storage/blob-storage.js';
import { buildWat } from '../../fixtures/build-wat.js';
import { bundleOf, manifestOf } from '../registry-fixture.js';
import { PlaneFixture } from './plane.fixture.js';

const PROGRAM = join(import.meta.dirname, '../../../dist/bin/control-plane.js');
if (!existsSync(PROGRAM)) throw new Error('run `npm run build` first: the process that is killed runs compiled code');

/** Each run deletes so many at a time; those of the one that was killed are left for a later run. */
const DELETES_AT_ONCE = 8;
const LOOSE = 600;

let plane: PlaneFixture;
beforeAll(async () => {
  plane = await PlaneFixture.start({ WHORL_COLLECT_GRACE_HOURS: '2' });
});
afterAll(() => plane?.stop());

async function start(): Promise<{ child: ChildProcess; url: string }> {
  const child = fork(PROGRAM, [], { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'], env: { PATH: process.env['PATH'], ...plane.settings(), WHORL_COLLECT_GRACE_HOURS: '2' } });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return { child, url: `http://127.0.0.1:${port}` };
}

describe('a collection whose control plane is killed', () => {
  it('leaves what is held, and the next one takes the rest', async () => {
    const page = randomBytes(500);
    const bundle = await bundleOf(await buildWat('loop'), { manifest: manifestOf('source = "main.wasm"\nfiles = ["www"]'), files: [{ path: 'www/page', content: page }] });
    expect((await plane.push('held', bundle)).status).toBe(201);
    const needed = await plane.needed('held', 1);
    const storage = plane.plane.get(BlobStorage);
    for (let i = 0; i < LOOSE; i++) {
      const content = randomBytes(100);
      await storage.put({ digest: Digest.parse(`sha256:${createHash('sha256').update(content).digest('hex')}`), bytes: content.length }, () => Readable.from([content]));
    }
    await plane.age();
    const before = (await plane.blobs()).size;
    const { child, url } = await start();
    const collecting = fetch(`${url}/v1/collections?wait=60`, { method: 'POST', headers: { authorization: `Bearer ${plane.adminToken}`, 'content-type': 'application/json' }, body: '{}' }).catch(() => undefined);
    for (const some = before - 1 - randomInt(50); (await plane.blobs()).size > some; ) await sleep(1);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await collecting;
    const left = (await plane.blobs()).size - (before - LOOSE);
    const report = await plane.collect();
    expect(report.blobs.count).toBeGreaterThanOrEqual(left - DELETES_AT_ONCE);
    const blobs = await plane.blobs();
    expect(blobs.size - (before - LOOSE)).toBeLessThanOrEqual(DELETES_AT_ONCE);
    for (const digest of needed) expect(blobs).toContain(digest);
    const [killed] = await plane.sql("SELECT state, failure->>'code' AS code FROM collection ORDER BY started_at LIMIT 1");
    expect(killed).toEqual({ state: 'failed', code: 'INTERNAL' });
  });
});
