import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type INestApplication, Module } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AuthModule } from '#api/auth/auth.module.js';
import { Digest } from '#contract/ids.js';
import { Registry } from '#contract/registry.js';
import { ControlConfig, readConfig } from '#platform/config.js';
import { createHttpApp } from '#platform/http/http-app.js';
import { Lifetime } from '#platform/lifetime.js';
import { Log } from '#platform/log.js';
import { PlatformModule } from '#platform/platform.module.js';
import { Wakeups } from '#platform/wakeups.js';
import { RegistryModule } from '#registry/registry.module.js';
import { BlobStorage } from '#registry/storage/blob-storage.js';
import { buildWat } from '../fixtures/build-wat.js';
import { WORKER_PATH, bundleOf, inChunks } from './registry-fixture.js';

/** The registry as the control plane has it; no database is asked for anything here. */
function createRegistryApp(config: ControlConfig): Promise<INestApplication> {
  const log = new Log({}, 'error', () => {});
  const lifetime = new Lifetime();
  const wakeups = new Wakeups(config.DATABASE_URL, log, lifetime.signal);
  @Module({ imports: [PlatformModule.with({ config, log, wakeups, lifetime }), AuthModule, RegistryModule.with(config, { workerPath: WORKER_PATH })] })
  class RegistryAppModule {}
  return createHttpApp(RegistryAppModule, { log, version: '0.0.0', lifetime });
}

let root: string;
let app: INestApplication;
let origin: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'whorl-blobs-'));
  const config = readConfig(ControlConfig, { DATABASE_URL: 'postgres://unused', WHORL_SECRET_KEY: randomBytes(32).toString('base64url'), WHORL_STORAGE_DIR: root });
  app = await createRegistryApp(config);
  await app.init();
  const server = app.getHttpServer() as Server;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await app.close();
  await rm(root, { recursive: true });
});

const stored = async (content: Buffer): Promise<Digest> => {
  const digest = Digest.parse(`sha256:${createHash('sha256').update(content).digest('hex')}`);
  await app.get(BlobStorage).put({ digest, bytes: content.length }, () => inChunks(content));
  return digest;
};

describe('GET /v1/blobs/:digest', () => {
  it.each([0, 1, 1_000_000])('gives %d bytes with their length, for ever the same', async (size) => {
    const content = randomBytes(size);
    const digest = await stored(content);
    const response = await fetch(`${origin}/v1/blobs/${digest}`);
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-length': String(size), 'content-type': 'application/octet-stream', etag: `"${digest}"`, 'cache-control': 'private, max-age=31536000, immutable',
    });
    expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true);
  });

  it('answers 304 to one who has it', async () => {
    const digest = await stored(randomBytes(10));
    const response = await fetch(`${origin}/v1/blobs/${digest}`, { headers: { 'if-none-match': `"${digest}"` } });
    expect(response.status).toBe(304);
    expect(await response.text()).toBe('');
  });

  it('answers 404 with the code for a digest it has not, and does not let it be cached', async () => {
    const response = await fetch(`${origin}/v1/blobs/sha256:${'0'.repeat(64)}`);
    expect(response.status).toBe(404);
    expect(response.headers.get('cache-control')).toBeNull();
    expect(await response.json()).toMatchObject({ code: 'REGISTRY_BLOB_UNKNOWN' });
  });

  it.each(['nonsense', 'sha256:..%2f..%2fetc%2fpasswd'])('refuses what is no digest: %s', async (name) => {
    const response = await fetch(`${origin}/v1/blobs/${name}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'API_INPUT_INVALID' });
  });

  it('survives a client that goes in the middle', async () => {
    const digest = await stored(randomBytes(20 * 1024 * 1024));
    const gone = new AbortController();
    const response = await fetch(`${origin}/v1/blobs/${digest}`, { signal: gone.signal });
    await response.body!.getReader().read();
    gone.abort();
    expect((await fetch(`${origin}/v1/blobs/${digest}`, { method: 'HEAD' })).status).toBe(200);
  });

  it('is described, for nodes alone', async () => {
    const document = (await (await fetch(`${origin}/openapi.json`)).json()) as { paths: Record<string, { get: { responses: object; security: object } }> };
    expect(Object.keys(document.paths['/v1/blobs/{digest}']!.get.responses)).toEqual(expect.arrayContaining(['200', '304', '404']));
    expect(document.paths['/v1/blobs/{digest}']!.get.security).toEqual([{ token: [] }]);
  });
});

describe(RegistryModule.name, () => {
  it('provides the registry, over the configured folder', async () => {
    const registry = app.get(Registry);
    await registry.check();
    const { builds } = await registry.ingest(inChunks(await bundleOf(await buildWat('loop'))), new AbortController().signal);
    expect((await fetch(`${origin}/v1/blobs/${builds['main']!.plan}`)).status).toBe(200);
    expect(await readdir(join(root, 'work'))).toEqual([]);
  });

  it('names what it lacks to start', async () => {
    const config = readConfig(ControlConfig, { DATABASE_URL: 'postgres://unused', WHORL_SECRET_KEY: randomBytes(32).toString('base64url') });
    await expect(createRegistryApp(config)).rejects.toThrow(/WHORL_STORAGE_DIR/);
  });

  it('says so when the folder cannot be used', async () => {
    await writeFile(join(root, 'file'), '');
    const config = readConfig(ControlConfig, { DATABASE_URL: 'postgres://unused', WHORL_SECRET_KEY: randomBytes(32).toString('base64url'), WHORL_STORAGE_DIR: join(root, 'file') });
    await expect(createRegistryApp(config)).rejects.toThrow(/artifact folder|ENOTDIR|EEXIST/);
  });
});
