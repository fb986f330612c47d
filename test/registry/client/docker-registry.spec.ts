import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chooseFromIndex } from '#registry/client/image-index.js';
import { RemoteImageSource } from '#registry/client/remote-image-source.js';
import { BlobDigest } from '#contract/ids.js';
import { writeOciLayout } from '../../fixtures/oci-layout.js';
import { hasDockerRegistry, REGISTRY_USER, startDockerRegistry } from '../../fixtures/servers/docker-registry.js';
import type { TestServer } from '../../fixtures/servers/server-process.js';
import { hasSkopeo, skopeo } from '../../fixtures/skopeo.js';
import { BadLine } from './bad-line.js';
import { ImageSources } from './open-images.js';
import { digestOf } from './strange-registry.js';

const never = new AbortController().signal;
const missing = [...(hasDockerRegistry ? [] : ['docker-registry']), ...(hasSkopeo ? [] : ['skopeo'])];
const leftOut = missing.length === 0 ? '' : ` (left out: ${missing.join(' and ')} not installed)`;
const creds = `${REGISTRY_USER.username}:${REGISTRY_USER.password}`;

describe.each([
  ['open to all', false],
  ['with a password', true],
])('the registry of the Distribution project', (name, password) => {
  (leftOut ? describe.skip : describe)(`${name}${leftOut}`, () => {
    const images = new ImageSources();
    const wasm = randomBytes(3_000_000);
    let registry: TestServer;
    let folder: string;
    let source: RemoteImageSource;
    let host: string;
    let digests: { one: string; several: string };
    beforeAll(async () => {
      registry = (await startDockerRegistry({ password }))!;
      host = `127.0.0.1:${registry.port}`;
      folder = await mkdtemp(join(tmpdir(), 'whorl-docker-registry-'));
      const image = { layers: [{ mediaType: 'application/wasm', content: wasm }] };
      digests = {
        one: writeOciLayout(join(folder, 'one'), [image]),
        several: writeOciLayout(join(folder, 'several'), [{ layers: [{ mediaType: 'application/octet-stream', content: randomBytes(10) }], platform: { os: 'linux', architecture: 'amd64' } }, { ...image, platform: { os: 'wasip2', architecture: 'wasm' } }]),
      };
      const options = ['--dest-tls-verify=false', ...(password ? ['--dest-creds', creds] : [])];
      await skopeo('copy', ...options, `oci:${folder}/one:latest`, `docker://${host}/acme/shop:1`);
      await skopeo('copy', '--all', ...options, `oci:${folder}/several:latest`, `docker://${host}/acme/shop:all`);
      const authFile = join(folder, 'config.json');
      await writeFile(authFile, JSON.stringify({ auths: { [host]: { auth: Buffer.from(creds).toString('base64') } } }));
      source = await images.open({ insecureOrigins: [`http://${host}`], ...(password && { authFile }) });
    }, 60_000);
    afterAll(async () => {
      await images.close();
      await registry.stop();
      await rm(folder, { recursive: true });
    });

    it('gives an image and its layers', async () => {
      const image = await source.resolve(`${host}/acme/shop:1`, never);
      expect(image.digest).toBe(digests.one);
      const blob = { digest: digestOf(wasm), bytes: wasm.length };
      expect(await source.hasBlob(image, blob, never)).toBe(true);
      await source.fetchBlob(image, blob, join(folder, 'wasm'), never);
      expect(wasm.equals(await readFile(join(folder, 'wasm')))).toBe(true);
      expect(await source.hasBlob(image, { digest: digestOf('other'), bytes: 5 }, never)).toBe(false);
      expect(await source.referrers(image, never)).toEqual([]);
    });

    it('gives the image for WebAssembly out of several', async () => {
      const image = await source.resolve(`${host}/acme/shop:all`, never);
      expect(image.digest).toBe(digests.several);
      const manifest = await source.manifest(image, BlobDigest.parse(chooseFromIndex(image.manifest)), never);
      expect(JSON.parse(manifest.toString())).toMatchObject({ layers: [{ digest: digestOf(wasm) }] });
    });

    it('says what is not there', async () => {
      await expect(source.resolve(`${host}/acme/shop:2`, never)).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_UNKNOWN', message: expect.stringContaining('manifest unknown') });
      await expect(source.resolve(`${host}/nobody/nothing:1`, never)).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_UNKNOWN' });
    });

    it(password ? 'gives nothing to whom it does not know' : 'gives the same to everybody', async () => {
      const stranger = await images.open({ insecureOrigins: [`http://${host}`] });
      const resolved = stranger.resolve(`${host}/acme/shop:1`, never);
      if (password) await expect(resolved).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_DENIED', message: expect.stringContaining('wants a user and a password') });
      else expect((await resolved).digest).toBe(digests.one);
    });

    if (password) {
      it('says that a password is wrong', async () => {
        const authFile = join(folder, 'wrong.json');
        await writeFile(authFile, JSON.stringify({ auths: { [host]: { username: REGISTRY_USER.username, password: 'wrong' } } }));
        const wrong = await images.open({ insecureOrigins: [`http://${host}`], authFile });
        await expect(wrong.resolve(`${host}/acme/shop:1`, never)).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_DENIED', message: expect.stringContaining('answers 401') });
      });
    }

    it('is fetched from over a line that breaks, from where it broke', async () => {
      const line = await BadLine.start(registry.port, { afterBytes: 1_000_000, breaks: 2 });
      const authFile = join(folder, 'line.json');
      await writeFile(authFile, JSON.stringify({ auths: { [line.host]: { username: REGISTRY_USER.username, password: REGISTRY_USER.password } } }));
      const over = await images.open({ insecureOrigins: [`http://${line.host}`], ...(password && { authFile }) });
      await over.fetchBlob(await over.resolve(`${line.host}/acme/shop:1`, never), { digest: digestOf(wasm), bytes: wasm.length }, join(folder, 'again'), never);
      expect(wasm.equals(await readFile(join(folder, 'again')))).toBe(true);
      expect(line.broken).toBe(2);
      await line.stop();
    });

    it('lets a download be left in the middle', async () => {
      const image = await source.resolve(`${host}/acme/shop:1`, never);
      const blob = { digest: digestOf(wasm), bytes: wasm.length };
      await source.readBlob(image, blob, async (content) => { for await (const _ of content) return; }, never);
      expect(await source.hasBlob(image, blob, never)).toBe(true);
    });
  });
});
