import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { get } from '../../bench/lib/load.mjs';
import { startPlatform, type Platform } from '../../bench/lib/platform.mjs';
import { until } from '../api/until.js';
import { buildWat } from '../fixtures/build-wat.js';
import { digestOf, imageOf, OCI_MANIFEST, spinImage, type TestImage } from '../registry/artifact/image.fixture.js';

/** From a push over the OCI API to an answer at the app's URL: real processes, real Postgres, real components. */

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
}, 120_000);
afterAll(() => platform?.stop(), 60_000);

/** A component that answers a text of two letters. */
const answering = (text: string) => buildWat('loop', (wat) => wat.replace('"ok\\0a"', `"${text}\\0a"`));
const call = (app: string) => get({ port: platform.httpPort, host: `${app}.localhost`, path: '/ok', timeoutMs: 60_000 });
const deploy = (app: string, image: string) => platform.call('POST', `/v1/apps/${app}/versions?wait=60`, { body: JSON.stringify({ image }), headers: { 'content-type': 'application/json' } });

/** Its process. */
function controlPlane(): number {
  const lines = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n').map((line) => line.trim().split(/\s+/));
  return Number(lines.find(([, parent, ...command]) => Number(parent) === platform.child.pid && command.some((part) => part.endsWith('bin/control-plane.js')))![0]);
}

async function push(repository: string, tag: string, { manifest, blobs }: TestImage): Promise<void> {
  const send = async (method: string, path: string, body?: Uint8Array, type = 'application/octet-stream'): Promise<Response> => {
    const response = await fetch(new URL(path, platform.api), { method, headers: { authorization: `Bearer ${platform.token}`, 'content-type': type }, ...(body && { body: body as Uint8Array<ArrayBuffer> }) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response;
  };
  for (const { content } of blobs) {
    const begun = await send('POST', `/v2/${repository}/blobs/uploads/`);
    await send('PUT', `${begun.headers.get('location')}?digest=${digestOf(content)}`, content);
  }
  await send('PUT', `/v2/${repository}/manifests/${tag}`, manifest, OCI_MANIFEST);
}

describe('push by OCI, deploy, call', () => {
  it('gives a URL for what spin registry push writes, and rolls back to it', async () => {
    await push('shop', '1.0.0', spinImage({ components: { shop: await answering('v1') }, files: { '/page': Buffer.alloc(500, 'p') } }));
    expect(await deploy('shop', 'shop:1.0.0')).toMatchObject({ version: 1, state: 'serving' });
    expect(await call('shop')).toMatchObject({ status: 200, body: 'v1\n' });
    await push('shop', '1.1.0', spinImage({ components: { shop: await answering('v2') }, files: { '/page': Buffer.alloc(500, 'p') }, archive: true }));
    expect(await deploy('shop', 'shop:1.1.0')).toMatchObject({ version: 2, state: 'serving' });
    expect((await call('shop')).body).toBe('v2\n');
    expect(await platform.call('POST', '/v1/apps/shop/rollback')).toMatchObject({ version: 1 });
    expect((await call('shop')).body).toBe('v1\n');
  });

  it('serves a lone component', async () => {
    await push('lone', 'latest', imageOf([{ mediaType: 'application/wasm', content: await answering('me') }]));
    expect(await deploy('lone', 'lone')).toMatchObject({ state: 'serving' });
    expect((await call('lone')).body).toBe('me\n');
  });

  it('deploys a tag once whose push was answered just before the control plane was killed', async () => {
    const rule = '/v1/apps/killed/channels/production/deploy-on-push';
    await platform.call('PUT', rule, { body: JSON.stringify({ tags: '*' }), headers: { 'content-type': 'application/json' } });
    const image = spinImage({ components: { killed: await answering('k1') } });
    await push('killed', 'latest', image);
    process.kill(controlPlane(), 'SIGKILL');
    // The claim of the process that is gone, a look, and where the first try met something that was not up yet, another one.
    await until(async () => (await call('killed')).body === 'k1\n', 150_000);
    expect((await platform.call('GET', rule)).pushes).toMatchObject([{ tag: 'latest', digest: digestOf(image.manifest), state: 'deployed', version: 1 }]);
    expect((await platform.call('GET', '/v1/apps/killed/versions')).items).toHaveLength(1);
  }, 180_000);

  it('serves what is pushed by itself where the channel says so', async () => {
    await platform.call('PUT', '/v1/apps/auto/channels/production/deploy-on-push', { body: JSON.stringify({ semver: '1.x' }), headers: { 'content-type': 'application/json' } });
    for (const [tag, text] of [['1.0.0', 'a1'], ['1.2.0', 'a2']] as const) {
      await push('auto', tag, spinImage({ components: { auto: await answering(text) } }));
      await until(async () => (await call('auto')).body === `${text}\n`, 30_000);
    }
  });
});
