import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type INestApplication, Module } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'minio';
import { Digest } from '#contract/ids.js';
import { ControlConfig, readConfig } from '#platform/config.js';
import { createHttpApp } from '#platform/http/http-app.js';
import { Lifetime } from '#platform/lifetime.js';
import { Log } from '#platform/log.js';
import { BlobsController } from '#registry/http/blobs.controller.js';
import { BlobStorage } from '#registry/storage/blob-storage.js';
import { blobPath } from '#registry/storage/paths.js';
import { openStorage } from '#registry/storage/storage.factory.js';
import { BlobCache } from '#runtime/node/blob-cache.js';
import { TokenLink } from '#runtime/node/control-plane-link.js';
import { ControlPlaneClient } from '#runtime/node/control-plane.client.js';
import { hasS3, type S3Server, startS3 } from '../fixtures/servers/s3.js';

const log = new Log({}, 'error', () => {});

const suite = hasS3 ? describe : describe.skip;
suite(`blobs that nodes read from the object store${hasS3 ? '' : ' (left out: radosgw, ceph-mon, ceph-osd and ceph-common are not installed)'}`, () => {
  let store: S3Server;
  /** The address that nodes know; notes what they send. */
  let front: Server;
  let seen: IncomingHttpHeaders[];
  let app: INestApplication;
  let origin: string;
  let client: ControlPlaneClient;
  let dir: string;

  beforeAll(async () => {
    store = await startS3()!;
    seen = [];
    front = createServer((request, response) => {
      seen.push(request.headers);
      request.pipe(httpRequest(store.endpoint + request.url, { method: request.method, headers: request.headers }, (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      }));
    }).listen(0, '127.0.0.1');
    await once(front, 'listening');
    dir = await mkdtemp(join(tmpdir(), 'whorl-presigned-'));
    const config = readConfig(ControlConfig, {
      DATABASE_URL: 'postgres://unused', WHORL_SECRET_KEY: randomBytes(32).toString('base64url'), WHORL_STORAGE: 's3', WHORL_S3_ENDPOINT: store.endpoint, WHORL_S3_BUCKET: store.bucket,
      WHORL_S3_ACCESS_KEY: store.accessKey, WHORL_S3_SECRET_KEY: store.secretKey, WHORL_S3_PRESIGN_ENDPOINT: `http://127.0.0.1:${(front.address() as AddressInfo).port}`,
    });
    @Module({ controllers: [BlobsController], providers: [{ provide: BlobStorage, useFactory: () => openStorage(config) }] })
    class BlobsModule {}
    app = await createHttpApp(BlobsModule, { log, version: '0.0.0', lifetime: new Lifetime() });
    await app.init();
    const server = app.getHttpServer() as Server;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    client = new ControlPlaneClient({ link: new TokenLink({ url: origin, token: 'a-token-of-the-node' }), node: 'node-1' });
  });
  afterAll(async () => {
    await client?.close();
    await app?.close();
    front?.closeAllConnections();
    front?.close();
    await store?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const put = async (content: Buffer): Promise<Digest> => {
    const digest = Digest.parse(`sha256:${createHash('sha256').update(content).digest('hex')}`);
    await app.get(BlobStorage).put({ digest, bytes: content.length }, () => Readable.from([content]));
    return digest;
  };
  const cache = () => BlobCache.open({ dir, fetch: (digest) => client.blob(digest), log, tries: 2 });

  it('come from there, by a URL for one blob, without the token', async () => {
    const content = randomBytes(3_000_000);
    const digest = await put(content);
    const answer = await fetch(`${origin}/v1/blobs/${digest}`, { redirect: 'manual' });
    expect(answer.status).toBe(307);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const blobs = await cache();
    await blobs.ensure(digest);
    expect((await readFile(blobs.path(digest))).equals(content)).toBe(true);
    expect(seen).toHaveLength(1);
    expect(seen[0]).not.toHaveProperty('authorization');
  });

  it('are hashed again by the node', async () => {
    const digest = await put(randomBytes(1000));
    const owner = new Client({ endPoint: '127.0.0.1', port: Number(new URL(store.endpoint).port), useSSL: false, region: store.region, accessKey: store.accessKey, secretKey: store.secretKey });
    await owner.putObject(store.bucket, blobPath(digest), randomBytes(1000));
    await expect((await cache()).ensure(digest)).rejects.toMatchObject({ code: 'NODE_BLOB_CORRUPT' });
  });

  it('are said to be unknown by the control plane itself', async () => {
    const answer = await fetch(`${origin}/v1/blobs/sha256:${'0'.repeat(64)}`, { redirect: 'manual' });
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ code: 'REGISTRY_BLOB_UNKNOWN' });
  });

  it('are not sent again to one who has them', async () => {
    const digest = await put(randomBytes(10));
    expect((await fetch(`${origin}/v1/blobs/${digest}`, { redirect: 'manual', headers: { 'if-none-match': `"${digest}"` } })).status).toBe(304);
  });
});
