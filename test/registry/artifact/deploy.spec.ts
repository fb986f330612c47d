import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../../api/until.js';
import { buildWat } from '../../fixtures/build-wat.js';
import { writeOciLayout } from '../../fixtures/oci-layout.js';
import { startDockerRegistry, hasDockerRegistry } from '../../fixtures/servers/docker-registry.js';
import { isInstalled, type TestServer } from '../../fixtures/servers/server-process.js';
import { hasSkopeo, skopeo } from '../../fixtures/skopeo.js';
import { OciFixture } from '../oci/oci.fixture.js';
import { bundleOf } from '../registry-fixture.js';
import { SPIN, spinImage, type TestImage } from './image.fixture.js';

const run = promisify(execFile);

interface Pushed {
  version: number;
  digest: string;
  state: string;
  code?: string;
  detail?: string;
}

let fixture: OciFixture;
let remote: TestServer | null;
let dir: string;
let wasm: Buffer;
beforeAll(async () => {
  remote = await startDockerRegistry();
  const settings = remote ? { WHORL_REGISTRY_INSECURE_ORIGINS: `http://127.0.0.1:${remote.port}` } : {};
  [fixture, dir, wasm] = await Promise.all([OciFixture.start(settings as Record<string, string>), mkdtemp(join(tmpdir(), 'whorl-deploy-')), buildWat('loop').then((built) => Buffer.from(built))]);
});
afterAll(async () => {
  await Promise.all([fixture.stop(), remote?.stop()]);
  await rm(dir, { recursive: true, force: true });
});

/** Over /v2, as any client does. */
async function push(repository: string, tag: string, { manifest, blobs }: TestImage): Promise<string> {
  for (const { content, mediaType } of blobs) await fixture.pushBlob(repository, content, mediaType);
  const answer = await fixture.call('PUT', `/v2/${repository}/manifests/${tag}`, { body: manifest, headers: { 'content-type': 'application/vnd.oci.image.manifest.v1+json' } });
  expect(answer.status).toBe(201);
  return answer.headers.get('docker-content-digest')!;
}
async function api<T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }> {
  const answer = await fixture.call(method, `/v1${path}`, body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
  return { status: answer.status, body: answer.json<T>() };
}
const deploy = (app: string, image: string) => api<Pushed>('POST', `/apps/${app}/versions`, { image });
const layoutOf = async ({ blobs }: TestImage, name: string): Promise<{ path: string; digest: string }> => {
  const [config, ...layers] = blobs.map(({ mediaType, content }) => ({ mediaType, content: Buffer.from(content) }));
  const path = join(dir, name);
  return { path, digest: writeOciLayout(path, [{ config: config!, layers }]) };
};

describe('an image that was pushed over the OCI API', () => {
  it('becomes a version, by its tag or its digest, with or without the host in front', async () => {
    const image = spinImage({ components: { main: wasm }, files: { '/page': Buffer.alloc(500, 'x'), '/small': Buffer.from('s') } });
    const digest = await push('shop', '1.2.0', image);
    expect(await deploy('shop', 'shop:1.2.0')).toMatchObject({ status: 201, body: { version: 1, digest } });
    for (const name of ['default/shop:1.2.0', `shop@${digest}`, `${fixture.host()}/shop:1.2.0`]) expect(await deploy('shop', name)).toMatchObject({ status: 200, body: { version: 1 } });
    expect((await api('GET', '/apps/shop/versions/1')).body).toMatchObject({ image: { reference: 'default/shop:1.2.0', digest }, components: [{ id: 'main', handlers: ['wasi-http-0.2'] }], routes: [{ route: '/...' }] });
  });

  it('is refused by name for what the host cannot do', async () => {
    await push('gpu', '1', spinImage({ components: { main: wasm }, change: (locked) => Object.assign(locked, { must_understand: ['host_requirements'], host_requirements: { gpu: 'required' } }) }));
    expect(await deploy('gpu', 'gpu:1')).toMatchObject({ status: 422, body: { code: 'BUNDLE_UNSUPPORTED', detail: expect.stringContaining('locked app host_requirements.gpu') } });
  });

  it('is deployed when its tag matches what the channel deploys on push', async () => {
    const pushes = async () => (await api<{ pushes: { tag: string; state: string; version: number }[] }>('GET', '/apps/auto/channels/production/deploy-on-push')).body.pushes;
    expect((await api('PUT', '/apps/auto/channels/production/deploy-on-push', { semver: '^2' })).status).toBe(200);
    await push('auto', '2.1.0', spinImage({ components: { main: wasm } }));
    await until(async () => (await pushes())[0]?.state === 'deployed');
    await push('auto', '2.0.9', spinImage({ components: { main: wasm }, files: { '/x': Buffer.from('x') } }));
    await push('auto', 'latest', spinImage({ components: { main: wasm }, files: { '/y': Buffer.from('y') } }));
    await until(async () => (await pushes()).length === 2);
    await until(async () => (await pushes())[0]!.state !== 'pending');
    expect(await pushes()).toMatchObject([{ tag: '2.0.9', state: 'skipped', version: null }, { tag: '2.1.0', state: 'deployed', version: 1 }]);
  });
});

(hasSkopeo ? describe : describe.skip)(`an image that skopeo copied${hasSkopeo ? '' : ' (left out: skopeo is not installed)'}`, () => {
  it('becomes a version', async () => {
    const { path, digest } = await layoutOf(spinImage({ components: { main: wasm }, files: { '/page': Buffer.alloc(300, 'p') }, archive: true }), 'skopeo');
    await skopeo('copy', '--dest-tls-verify=false', '--preserve-digests', `--dest-creds=me:${fixture.adminToken}`, `oci:${path}:latest`, `docker://${fixture.host()}/default/copied:1`);
    expect(await deploy('copied', 'copied:1')).toMatchObject({ status: 201, body: { version: 1, digest } });
  });
});

const hasOras = isInstalled('oras');
(hasOras ? describe : describe.skip)(`what oras pushed${hasOras ? '' : ' (left out: oras is not installed)'}`, () => {
  const oras = (...args: string[]) => run('oras', [...args, '--plain-http', '-u', 'me', '-p', fixture.adminToken], { cwd: dir, env: { ...process.env, HOME: dir }, timeout: 60_000 });

  it('becomes a version when it is a component', async () => {
    await writeFile(join(dir, 'app.wasm'), wasm);
    await oras('push', `${fixture.host()}/default/component:1`, 'app.wasm:application/wasm');
    expect(await deploy('component', 'component:1')).toMatchObject({ status: 201, body: { version: 1 } });
  });

  it('becomes a version when it is a bundle', async () => {
    await writeFile(join(dir, 'app.tar.gz'), await bundleOf(wasm));
    await oras('push', `${fixture.host()}/default/bundle:1`, '--artifact-type', 'application/vnd.whorl.bundle.v1', 'app.tar.gz');
    await oras('push', `${fixture.host()}/default/bundle:2`, 'app.tar.gz:application/vnd.whorl.bundle.v1.tar+gzip');
    expect((await deploy('bundle', 'bundle:1')).status).toBe(201);
    expect((await deploy('bundle', 'bundle:2')).status).toBe(201);
  });
});

const hasBoth = hasSkopeo && hasDockerRegistry;
(hasBoth ? describe : describe.skip)(`an image of another registry${hasBoth ? '' : ' (left out: skopeo or docker-registry is not installed)'}`, () => {
  it('becomes a version, and so does the next one that shares layers with it', async () => {
    const name = `127.0.0.1:${remote!.port}/acme/far`;
    for (const [tag, files] of [['1', { '/a': Buffer.alloc(400, 'a') }], ['2', { '/a': Buffer.alloc(400, 'a'), '/b': Buffer.alloc(400, 'b') }]] as const) {
      const { path, digest } = await layoutOf(spinImage({ components: { main: wasm }, files }), `far-${tag}`);
      await skopeo('copy', '--dest-tls-verify=false', '--preserve-digests', `oci:${path}:latest`, `docker://${name}:${tag}`);
      expect(await deploy('far', `${name}:${tag}`)).toMatchObject({ status: 201, body: { version: Number(tag), digest } });
      expect((await api('GET', `/apps/far/versions/${tag}`)).body).toMatchObject({ image: { reference: `${name}:${tag}`, digest } });
    }
    expect(await deploy('far', `${name}:3`)).toMatchObject({ status: 422, body: { code: 'REGISTRY_IMAGE_UNKNOWN' } });
  });

  it('is refused when it is a container image', async () => {
    const { path } = await layoutOf({ manifest: Buffer.from(''), blobs: [{ mediaType: SPIN.config, content: Buffer.from('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}') }, { mediaType: 'application/vnd.oci.image.layer.v1.tar', content: Buffer.alloc(1024) }] }, 'container');
    await skopeo('copy', '--dest-tls-verify=false', '--preserve-digests', `oci:${path}:latest`, `docker://127.0.0.1:${remote!.port}/acme/linux:1`);
    expect(await deploy('linux', `127.0.0.1:${remote!.port}/acme/linux:1`)).toMatchObject({ status: 422, body: { code: 'REGISTRY_IMAGE_UNSUPPORTED', detail: expect.stringContaining('container image') } });
  });
});
