import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { StorageUsageService } from '#api/usage/storage-usage.service.js';
import { buildWat } from '../../fixtures/build-wat.js';
import { bundleOf, manifestOf } from '../registry-fixture.js';
import { PlaneFixture } from './plane.fixture.js';

const QUOTA_BYTES = 200_000;
const MANIFEST = manifestOf('source = "main.wasm"\nfiles = ["www"]');

interface StorageBody {
  totalBytes: number;
  versionsBytes: number;
  repositoriesBytes: number;
  uploadsBytes: number;
  quotaBytes: number;
  samples: { totalBytes: number }[];
}

let plane: PlaneFixture;
let wasm: Uint8Array;
beforeAll(async () => {
  wasm = await buildWat('loop');
  plane = await PlaneFixture.start({ WHORL_ORG_STORAGE_BYTES: String(QUOTA_BYTES) });
});
afterAll(() => plane?.stop());

const usage = async () => (await plane.call<StorageBody>('GET', '/v1/usage/storage')).body;
const bundle = (page: Uint8Array) => bundleOf(wasm, { manifest: MANIFEST, files: [{ path: 'www/page', content: page }] });

describe("an organisation's storage", () => {
  it('counts what several versions hold once, and what repositories have', async () => {
    const page = randomBytes(10_000);
    await plane.push('a', await bundle(page));
    await plane.push('b', await bundle(page));
    const pushed = wasm.length + page.length;
    expect(await usage()).toMatchObject({ versionsBytes: pushed, totalBytes: pushed, repositoriesBytes: 0, uploadsBytes: 0, quotaBytes: QUOTA_BYTES });
    const digest = `sha256:${createHash('sha256').update(page).digest('hex')}`;
    const blob = await fetch(`${plane.url()}/v2/a/blobs/uploads/?digest=${digest}`, {
      method: 'POST', headers: { authorization: `Bearer ${plane.adminToken}`, 'content-type': 'application/octet-stream' }, body: page as Uint8Array<ArrayBuffer>,
    });
    expect(blob.status).toBe(201);
    expect(await usage()).toMatchObject({ versionsBytes: pushed, repositoriesBytes: page.length, totalBytes: pushed });
  });

  it('is sampled', async () => {
    await plane.plane.get(StorageUsageService).sample();
    const { samples, totalBytes } = await usage();
    expect(samples.at(-1)).toMatchObject({ totalBytes });
    expect((await plane.call<StorageBody>('GET', '/v1/usage/storage?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z')).body.samples).toEqual([]);
  });

  it('refuses what does not fit, and leaves nothing of it visible', async () => {
    const large = randomBytes(QUOTA_BYTES);
    const refused = { status: 507, body: { code: 'REGISTRY_QUOTA_EXCEEDED' } };
    expect(await plane.push('large', await bundle(large))).toMatchObject(refused);
    const digest = `sha256:${createHash('sha256').update(large).digest('hex')}`;
    expect(await plane.call('POST', '/v1/apps/large/uploads', { manifest: MANIFEST, files: [{ path: 'www/page', digest, bytes: large.length }] })).toMatchObject(refused);
    // Small as it comes, large as it is kept.
    expect(await plane.push('large', await bundle(Buffer.alloc(QUOTA_BYTES, 'compressible ')))).toMatchObject(refused);
    expect((await plane.call('GET', '/v1/apps/large')).status).toBe(404);
    expect((await plane.push('a', await bundle(randomBytes(10)))).status).toBe(201);
  });
});
