import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ImageTrust } from '#contract/image-trust.js';
import { buildWat } from '../../fixtures/build-wat.js';
import { writeOciLayout } from '../../fixtures/oci-layout.js';
import { hasDockerRegistry, startDockerRegistry } from '../../fixtures/servers/docker-registry.js';
import { isInstalled, type TestServer } from '../../fixtures/servers/server-process.js';
import { hasSkopeo, skopeo } from '../../fixtures/skopeo.js';
import { OciFixture } from '../oci/oci.fixture.js';

const run = promisify(execFile);
const missing = [...(hasDockerRegistry ? [] : ['docker-registry']), ...(hasSkopeo ? [] : ['skopeo']), ...(isInstalled('cosign') ? [] : ['cosign'])];

/** Debian's docker-registry has no list of referrers: bundles are found by the index under a tag. */
(missing.length > 0 ? describe.skip : describe)(`a signed image of another registry${missing.length > 0 ? ` (left out: ${missing.join(' and ')} not installed)` : ''}`, () => {
  let registry: TestServer;
  let fixture: OciFixture;
  let dir: string;
  let host: string;
  const env = { ...process.env, COSIGN_PASSWORD: '' };
  beforeAll(async () => {
    registry = (await startDockerRegistry({ password: false }))!;
    host = `127.0.0.1:${registry.port}`;
    [fixture, dir] = await Promise.all([OciFixture.start({ WHORL_REGISTRY_INSECURE_ORIGINS: `http://${host}` }), mkdtemp(join(tmpdir(), 'whorl-remote-'))]);
    await run('cosign', ['generate-key-pair'], { cwd: dir, env });
    const rules = [{ images: [`${host}/acme/*`], mode: 'enforce', signers: [{ name: 'cosign', key: await readFile(join(dir, 'cosign.pub'), 'utf8') }] }];
    expect((await fixture.call('PUT', '/v1/trust-policy', { body: JSON.stringify({ rules }), headers: { 'content-type': 'application/json' } })).status).toBe(200);
  }, 60_000);
  afterAll(async () => {
    await fixture.stop();
    await registry.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it.each([['bundle', '--new-bundle-format=true'], ['tag', '--new-bundle-format=false']])('counts when its signature is stored as a %s', async (stored, flag) => {
    const image = `${host}/acme/${stored}`;
    const digest = writeOciLayout(join(dir, stored), [{ layers: [{ mediaType: 'application/wasm', content: Buffer.from(await buildWat('loop')) }] }]);
    await skopeo('copy', '--dest-tls-verify=false', `oci:${dir}/${stored}:latest`, `docker://${image}:1`);
    const deploy = () => fixture.call('POST', `/v1/apps/${stored}/versions?rollout=none`, { body: JSON.stringify({ image: `${image}:1` }), headers: { 'content-type': 'application/json' } });
    expect((await deploy()).json()).toMatchObject({ status: 422, code: 'REGISTRY_SIGNATURE_MISSING' });
    await run('cosign', ['sign', '--key', 'cosign.key', '--use-signing-config=false', '--tlog-upload=false', '--allow-http-registry', '-y', flag, `${image}@${digest}`], { cwd: dir, env });
    expect((await deploy()).json()).toMatchObject({ version: 1, warnings: [] });
    const { trust } = (await fixture.call('GET', `/v1/apps/${stored}/versions/1`)).json<{ trust: ImageTrust }>();
    expect(trust).toMatchObject({ state: 'verified', signatures: [{ stored, verified: true, key: 'cosign' }] });
  });
});
