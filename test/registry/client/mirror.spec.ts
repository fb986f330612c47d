import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MirrorService } from '#registry/client/mirror.service.js';
import { until } from '../../api/until.js';
import { writeOciLayout } from '../../fixtures/oci-layout.js';
import { hasDockerRegistry, startDockerRegistry } from '../../fixtures/servers/docker-registry.js';
import type { TestServer } from '../../fixtures/servers/server-process.js';
import { hasSkopeo, skopeo } from '../../fixtures/skopeo.js';
import { RegistryPlane } from './registry-plane.fixture.js';
import { digestOf, MANIFEST_TYPE, manifestOf, StrangeRegistry } from './strange-registry.js';

const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';

let remote: StrangeRegistry;
let plane: RegistryPlane;
beforeAll(async () => {
  remote = await StrangeRegistry.start();
  plane = await RegistryPlane.start({ WHORL_REGISTRY_INSECURE_ORIGINS: remote.origin });
}, 60_000);
afterAll(async () => {
  await plane.stop();
  await remote.stop();
});

let number = 0;
let repository: string;
beforeEach(() => {
  repository = `acme/shop-${++number}`;
  remote.asked.length = 0;
  blob('{}');
});

const blob = (content: Buffer | string) => void remote.on(`/v2/${repository}/blobs/${digestOf(content)}`, (response) => response.end(content));
const image = (tag: string, content: Buffer, more: object = {}) => {
  blob(content);
  return remote.manifest(repository, tag, { ...manifestOf(content), ...more });
};
const descriptor = (digest: string, document: object, more: object = {}) => ({ mediaType: MANIFEST_TYPE, digest, size: JSON.stringify(document).length, ...more });
const mirror = (from = `${repository}:1`, to = `shop-${number}:1`, more: object = {}) => plane.call('POST', '/v1/images/mirror', { from: `${remote.host}/${from}`, to, ...more });
const fetched = () => remote.asked.filter(({ path }) => path.includes('/blobs/')).length;

describe(MirrorService.name, () => {
  it('takes an image with all that it is made of, byte for byte', async () => {
    const content = randomBytes(100_000);
    const digest = image('1', content);
    const { status, body } = await mirror();
    expect(status).toBe(200);
    expect(body).toEqual({
      from: `${remote.host}/${repository}:1`, to: `default/shop-${number}:1`, digest, mediaType: MANIFEST_TYPE, manifests: 1, blobs: 2, fetchedBlobs: 2, fetchedBytes: content.length + 2,
    });
    const pulled = await plane.call('GET', `/v2/shop-${number}/manifests/1`);
    expect(pulled.text).toBe(JSON.stringify(manifestOf(content)));
    expect(pulled.headers.get('docker-content-digest')).toBe(digest);
    expect((await plane.call('HEAD', `/v2/shop-${number}/blobs/${digestOf(content)}`)).headers.get('content-length')).toBe('100000');
  });

  it('fetches nothing that a repository here has already', async () => {
    const [shared, own] = [randomBytes(1000), randomBytes(1000)];
    image('1', shared);
    await mirror();
    const before = fetched();
    expect((await mirror(`${repository}:1`, `shop-${number}:again`)).body).toMatchObject({ blobs: 2, fetchedBlobs: 0, fetchedBytes: 0 });
    expect((await mirror(`${repository}:1`, `twin-${number}:1`)).body).toMatchObject({ fetchedBlobs: 0 });
    expect(fetched()).toBe(before);
    image('2', own, { layers: [...(manifestOf(shared) as { layers: object[] }).layers, ...(manifestOf(own) as { layers: object[] }).layers] });
    expect((await mirror(`${repository}:2`, `shop-${number}:2`)).body).toMatchObject({ blobs: 3, fetchedBlobs: 1, fetchedBytes: 1000 });
  });

  it('takes an index with all its images', async () => {
    const contents = [randomBytes(100), randomBytes(200)];
    const children = contents.map((content, at) => descriptor(image(`child-${at}`, content), manifestOf(content), { platform: { os: at === 0 ? 'linux' : 'wasip2', architecture: 'wasm' } }));
    const index = { schemaVersion: 2, mediaType: INDEX_TYPE, manifests: children };
    const digest = remote.manifest(repository, '1', index, { 'content-type': INDEX_TYPE });
    expect((await mirror()).body).toMatchObject({ digest, mediaType: INDEX_TYPE, manifests: 3, blobs: 3 });
    for (const child of children) expect((await plane.call('GET', `/v2/shop-${number}/manifests/${child.digest}`)).status).toBe(200);
    expect((await plane.call('GET', `/v2/shop-${number}/tags/list`)).body).toMatchObject({ tags: ['1'] });
  });

  it('takes what is attached, under the old tags too, and leaves it when it is told to', async () => {
    const [content, signature, old] = [randomBytes(100), Buffer.from('signature'), Buffer.from('old signature')];
    const digest = image('1', content);
    const document = { ...manifestOf(signature), subject: descriptor(digest, manifestOf(content)), artifactType: 'application/signature' };
    blob(signature);
    const attached = remote.manifest(repository, 'attached', document);
    remote.on(`/v2/${repository}/referrers/${digest}`, (response) => response.writeHead(200, { 'content-type': INDEX_TYPE }).end(JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [descriptor(attached, document, { artifactType: 'application/signature' })] })));
    image(`${digest.replace(':', '-')}.sig`, old);
    expect((await mirror(`${repository}:1`, `plain-${number}:1`, { attached: false })).body).toMatchObject({ manifests: 1 });
    expect((await mirror()).body).toMatchObject({ manifests: 3, blobs: 4 });
    expect((await plane.call('GET', `/v2/shop-${number}/referrers/${digest}`)).body).toMatchObject({ manifests: [{ digest: attached, artifactType: 'application/signature' }] });
    expect((await plane.call('GET', `/v2/shop-${number}/tags/list`)).body).toMatchObject({ tags: ['1', `${digest.replace(':', '-')}.sig`] });
  });

  it('shows nothing of an image that is not whole, and goes on where it was', async () => {
    const [good, late] = [randomBytes(1000), randomBytes(1000)];
    image('1', good, { layers: [good, late].flatMap((content) => (manifestOf(content) as { layers: object[] }).layers) });
    const { status, body } = await mirror();
    expect([status, body['code']]).toEqual([422, 'REGISTRY_IMAGE_UNKNOWN']);
    expect((await plane.call('GET', `/v2/shop-${number}/manifests/1`)).status).toBe(404);
    blob(late);
    const again = (await mirror()).body as { fetchedBlobs: number };
    expect(again.fetchedBlobs).toBeLessThan(3);
    expect((await plane.call('GET', `/v2/shop-${number}/manifests/1`)).status).toBe(200);
  });

  it('keeps nothing of bytes that are not what the manifest says', async () => {
    const content = randomBytes(1000);
    image('1', content);
    remote.on(`/v2/${repository}/blobs/${digestOf(content)}`, (response) => response.end(randomBytes(1000)));
    expect((await mirror()).body).toMatchObject({ code: 'REGISTRY_IMAGE_MISMATCH' });
    expect((await plane.call('HEAD', `/v2/shop-${number}/blobs/${digestOf(content)}`)).status).toBe(404);
  });

  it('stays with the digest that the tag meant when it began', async () => {
    const [first, second] = [randomBytes(100), randomBytes(100)];
    const digest = image('1', first);
    remote.on(`/v2/${repository}/blobs/${digestOf(first)}`, (response) => {
      image('1', second);
      response.end(first);
    });
    expect((await mirror()).body).toMatchObject({ digest });
    expect((await plane.call('GET', `/v2/shop-${number}/manifests/1`)).headers.get('docker-content-digest')).toBe(digest);
  });

  it.each([
    ['acme/shop:1', 'shop:1', 'REGISTRY_IMAGE_REFERENCE_INVALID', /names no registry/],
    ['10.0.0.1/acme/shop:1', 'shop:1', 'REGISTRY_IMAGE_REFUSED', /10\.0\.0\.1/],
    ['ghcr.io/acme/shop:1', 'docker.io/shop:1', 'REGISTRY_IMAGE_REFERENCE_INVALID', /is in another registry/],
    ['ghcr.io/acme/shop:1', 'a/b/c:1', 'REGISTRY_NAME_INVALID', /expected <org>\/<app>/],
    ['HOST/none/none:1', 'shop:1', 'REGISTRY_IMAGE_UNKNOWN', /none\/none:1: /],
    ['ghcr.io/acme/shop:1', `shop@${digestOf('')}`, 'REGISTRY_IMAGE_REFERENCE_INVALID', /names a digest/],
  ])('refuses %s to %s', async (from, to, code, message) => {
    const { body } = await plane.call('POST', '/v1/images/mirror', { from: from.replace('HOST', remote.host), to });
    expect(body).toMatchObject({ code, detail: expect.stringMatching(message) });
  });

  it('is not for whoever has no token', async () => {
    expect((await plane.call('POST', '/v1/images/mirror', { from: 'a', to: 'b' }, { authorization: 'Bearer none' })).status).toBe(401);
  });

  it('answers before it fetches more than the organisation may keep', async () => {
    const small = await RegistryPlane.start({ WHORL_REGISTRY_INSECURE_ORIGINS: remote.origin, WHORL_ORG_STORAGE_BYTES: '1000' });
    image('1', randomBytes(2000));
    expect((await small.call('POST', '/v1/images/mirror', { from: `${remote.host}/${repository}:1`, to: 'shop:1' })).body).toMatchObject({ code: 'REGISTRY_QUOTA_EXCEEDED' });
    expect(fetched()).toBe(0);
    await small.stop();
  }, 60_000);

  it('ends when its caller goes, and keeps no part of what was on its way', async () => {
    const content = randomBytes(1000);
    image('1', content);
    const started = new Promise<void>((resolve) => {
      remote.on(`/v2/${repository}/blobs/${digestOf(content)}`, (response) => {
        response.on('close', resolve);
        response.write(content.subarray(0, 500), () => gone.abort());
      });
    });
    const gone = new AbortController();
    const call = fetch(`http://${plane.host}/v1/images/mirror`, {
      method: 'POST', signal: gone.signal, headers: { authorization: `Bearer ${plane.token}`, 'content-type': 'application/json' }, body: JSON.stringify({ from: `${remote.host}/${repository}:1`, to: `shop-${number}:1` }),
    });
    await expect(call).rejects.toThrow();
    await started;
    await until(async () => (await readdir(join(plane.dir, 'registry'), { recursive: true })).every((path) => !/upload|partial\/./.test(path) || path.endsWith('uploads')));
    expect((await plane.call('GET', `/v2/shop-${number}/manifests/1`)).status).toBe(404);
  });
});

const missing = [...(hasDockerRegistry ? [] : ['docker-registry']), ...(hasSkopeo ? [] : ['skopeo'])];
const leftOut = missing.length === 0 ? '' : ` (left out: ${missing.join(' and ')} not installed)`;
(leftOut ? describe.skip : describe)(`an image that skopeo pushed to the Distribution project's registry${leftOut}`, () => {
  let registry: TestServer;
  let folder: string;
  let other: RegistryPlane | undefined;
  beforeAll(async () => {
    registry = (await startDockerRegistry())!;
    folder = await mkdtemp(join(tmpdir(), 'whorl-mirror-'));
    other = await RegistryPlane.start({ WHORL_REGISTRY_INSECURE_ORIGINS: `http://127.0.0.1:${registry.port}` });
  }, 60_000);
  afterAll(async () => {
    await other?.stop();
    await registry.stop();
    await rm(folder, { recursive: true });
  });

  it('is the same in the built-in one, for skopeo too', async () => {
    const [from, to] = [`127.0.0.1:${registry.port}/acme/shop:1.2.0`, `${other!.host}/shop:1.2.0`];
    const layers = [{ mediaType: 'application/wasm', content: randomBytes(1_000_000) }];
    const digest = writeOciLayout(join(folder, 'layout'), [
      { layers, platform: { os: 'linux', architecture: 'amd64' } },
      { layers: [...layers, { mediaType: 'text/plain', content: Buffer.from('hello') }], platform: { os: 'wasip2', architecture: 'wasm' } },
    ]);
    await skopeo('copy', '--all', '--dest-tls-verify=false', `oci:${folder}/layout:latest`, `docker://${from}`);
    expect((await other!.call('POST', '/v1/images/mirror', { from, to: 'shop:1.2.0' })).body).toMatchObject({ digest, manifests: 3, blobs: 3 });
    const creds = `me:${other!.token}`;
    const raw = await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${from}`);
    expect(await skopeo('inspect', '--raw', '--tls-verify=false', '--creds', creds, `docker://${to}`)).toBe(raw);
    await skopeo('copy', '--all', '--src-tls-verify=false', '--src-creds', creds, `docker://${to}`, `oci:${folder}/back:latest`);
  }, 60_000);
});
