import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PlaneFixture } from './plane.fixture.js';

const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const EMPTY = 'application/vnd.oci.empty.v1+json';
const digestOf = (content: Uint8Array) => `sha256:${createHash('sha256').update(content).digest('hex')}`;

let plane: PlaneFixture;
beforeAll(async () => {
  plane = await PlaneFixture.start({ WHORL_COLLECT_GRACE_HOURS: '2', WHORL_KEEP_UNTAGGED_DAYS: '10' });
});
afterAll(() => plane?.stop());

const oci = (method: string, path: string, body?: Uint8Array, type = 'application/octet-stream') => fetch(`${plane.url()}/v2/shop/${path}`, {
  method, headers: { authorization: `Bearer ${plane.adminToken}`, ...(body && { 'content-type': type }) }, ...(body && { body: body as Uint8Array<ArrayBuffer> }),
});
const putBlob = async (content: Uint8Array) => {
  expect((await oci('POST', `blobs/uploads/?digest=${digestOf(content)}`, content)).status).toBe(201);
  return { mediaType: EMPTY, digest: digestOf(content), size: content.length };
};
const putManifest = async (reference: string | undefined, manifest: object) => {
  const content = Buffer.from(JSON.stringify(manifest));
  const { mediaType } = manifest as { mediaType: string };
  expect((await oci('PUT', `manifests/${reference ?? digestOf(content)}`, content, mediaType)).status).toBe(201);
  return { mediaType, digest: digestOf(content), size: content.length };
};
const putImage = async (reference?: string, more: object = {}) => {
  const [config, layer] = [await putBlob(Buffer.from(`{"${randomBytes(4).toString('hex')}":1}`)), await putBlob(randomBytes(400))];
  return { ...(await putManifest(reference, { schemaVersion: 2, mediaType: IMAGE, config, layers: [layer], ...more })), layer: layer.digest };
};
const isThere = async (digest: string) => (await oci('GET', `manifests/${digest}`)).status === 200;

describe('manifests that no tag leads to', () => {
  it('go when they are old, but for what belongs to one that stays', async () => {
    const tagged = await putImage('v1');
    const untagged = await putImage();
    const child = await putImage();
    const { layer: _layer, ...childDescriptor } = child;
    const index = await putManifest('all', { schemaVersion: 2, mediaType: INDEX, manifests: [childDescriptor] });
    const signature = await putImage(undefined, { subject: { mediaType: tagged.mediaType, digest: tagged.digest, size: tagged.size }, artifactType: 'application/vnd.test' });
    const orphan = await putImage(undefined, { subject: { mediaType: IMAGE, digest: untagged.digest, size: untagged.size }, artifactType: 'application/vnd.test' });
    expect(await plane.collect()).toMatchObject({ manifests: 0, blobs: { count: 0 } });
    await plane.age();
    const young = await putImage();
    const foreseen = await plane.collect(true);
    expect(foreseen).toMatchObject({ manifests: 2, byReason: { manifest: { count: 6 } } });
    expect(await plane.collect()).toEqual(foreseen);
    expect(await Promise.all([tagged, child, index, signature, young, untagged, orphan].map(({ digest }) => isThere(digest)))).toEqual([true, true, true, true, true, false, false]);
    expect((await oci('HEAD', `blobs/${untagged.layer}`)).status).toBe(404);
    expect((await oci('GET', `blobs/${child.layer}`)).status).toBe(200);
  });

  it('stay while a version was made of them', async () => {
    const image = await putImage();
    await plane.sql(`
      INSERT INTO app (id, org_id, name, last_version) SELECT gen_random_uuid(), id, 'shop', 1 FROM org`);
    await plane.sql(`
      INSERT INTO version (app_id, number, digest, bytes, manifest, locked_app, pushed_by, variables_revision, image_reference, image_digest, pinned_at)
      SELECT id, 1, $1, 1, '', '{"name":"x","version":"","description":"","authors":[],"variables":{},"triggers":[],"components":[]}', 't', 0, 'shop', $1, now() FROM app WHERE name = 'shop'`, [image.digest]);
    await plane.age();
    await plane.collect();
    expect(await isThere(image.digest)).toBe(true);
  });

  it('take blobs that were pushed for nothing with them, but not those that a client has just looked for', async () => {
    const [forgotten, wanted] = [await putBlob(randomBytes(300)), await putBlob(randomBytes(300))];
    await plane.age();
    expect((await oci('HEAD', `blobs/${wanted.digest}`)).status).toBe(200);
    await plane.collect();
    expect(await Promise.all([forgotten, wanted].map(async ({ digest }) => (await oci('HEAD', `blobs/${digest}`)).status))).toEqual([404, 200]);
  });

  it('and uploads that nobody went on with', async () => {
    const begun = await oci('POST', 'blobs/uploads/');
    const location = new URL(begun.headers.get('location')!, plane.url());
    const headers = { authorization: `Bearer ${plane.adminToken}`, 'content-type': 'application/octet-stream' };
    await fetch(location, { method: 'PATCH', headers, body: randomBytes(500) as unknown as Uint8Array<ArrayBuffer> });
    expect((await plane.collect()).uploads).toEqual({ count: 0, bytes: 0 });
    await plane.age();
    expect((await plane.collect()).uploads).toEqual({ count: 1, bytes: 500 });
    expect((await fetch(location, { headers })).status).toBe(404);
  });
});
