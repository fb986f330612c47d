import { type ChildProcess, fork } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Digest } from '#contract/ids.js';
import { BlobStorage } from '#registry/storage/blob-storage.js';
import { buildWat } from '../../fixtures/build-wat.js';
import { bundleOf, manifestOf } from '../registry-fixture.js';
import { PlaneFixture, type VersionBody } from './plane.fixture.js';

interface FileBody {
  digest: string;
  bytes: number;
  received: number;
  complete: boolean;
  code?: string;
}
interface UploadBody {
  id: string;
  missing: FileBody[];
  code?: string;
}

const MANIFEST = manifestOf('source = "main.wasm"\nfiles = ["www"]');
const digestOf = (content: Uint8Array) => Digest.parse(`sha256:${createHash('sha256').update(content).digest('hex')}`);

let plane: PlaneFixture;
let wasm: Uint8Array;
beforeAll(async () => {
  wasm = await buildWat('loop');
  plane = await PlaneFixture.start({ WHORL_KEEP_VERSIONS: '1', WHORL_COLLECT_GRACE_HOURS: '2' });
});
afterAll(() => plane?.stop());

/** What a client does: lists its files, sends what is missing, a few at a time, and finishes. */
class Client {
  sentBytes = 0;
  private readonly contents = new Map<string, Uint8Array>();

  constructor(private readonly app: string, private readonly files: ReadonlyMap<string, Uint8Array>) {
    for (const content of files.values()) this.contents.set(digestOf(content), content);
  }

  begin(headers: Record<string, string> = {}): Promise<{ status: number; headers: Headers; body: UploadBody }> {
    const files = [...this.files].map(([path, content]) => ({ path, digest: digestOf(content), bytes: content.length }));
    return plane.call<UploadBody>('POST', `/v1/apps/${this.app}/uploads`, { manifest: MANIFEST, files }, headers);
  }

  async sendAll({ id, missing }: UploadBody): Promise<void> {
    const rest = [...missing];
    await Promise.all(Array.from({ length: 8 }, async () => {
      for (let file = rest.pop(); file; file = rest.pop()) expect((await this.send(id, file.digest, file.received)).body).toMatchObject({ complete: true });
    }));
  }

  send(id: string, digest: string, offset = 0, content = this.contents.get(digest)!.subarray(offset)): Promise<{ status: number; body: FileBody }> {
    this.sentBytes += content.length;
    return plane.call<FileBody>('PATCH', `/v1/apps/${this.app}/uploads/${id}/files/${digest}?offset=${offset}`, content);
  }

  finish(id: string, query = 'rollout=none') {
    return plane.call<VersionBody & { code?: string; errors?: object }>('POST', `/v1/apps/${this.app}/uploads/${id}/finish?${query}`);
  }

  async deploy(): Promise<VersionBody> {
    const { body } = await this.begin();
    await this.sendAll(body);
    const { status, body: version } = await this.finish(body.id);
    expect(status).toBeLessThan(202);
    return version;
  }
}

const appOf = (...contents: Uint8Array[]) => new Map([['main.wasm', wasm], ...contents.map((content, i) => [`www/${i}.txt`, content] as const)]);

describe('an upload by digest', () => {
  it('sends one file when one of 500 has changed', async () => {
    const files = appOf(...Array.from({ length: 499 }, (_, i) => randomBytes(1000 + i)));
    const first = new Client('site', files);
    expect(await first.deploy()).toMatchObject({ version: 1, state: 'ready' });
    const changed = randomBytes(777);
    const second = new Client('site', new Map([...files, ['www/7.txt', changed]]));
    expect(await second.deploy()).toMatchObject({ version: 2, state: 'ready' });
    expect(second.sentBytes).toBe(777);
    const blobs = await plane.blobs();
    for (const digest of await plane.needed('site', 2)) expect(blobs).toContain(digest);
    const third = new Client('site', new Map([...files, ['www/7.txt', changed]]));
    expect(await third.deploy()).toMatchObject({ version: 2 });
    expect(third.sentBytes).toBe(0);
  });

  it('makes the version that a bundle with the same files would be', async () => {
    const page = randomBytes(500);
    const client = new Client('same', new Map([['main.wasm', wasm], ['www/page', page], ['www/empty', Buffer.alloc(0)]]));
    await client.deploy();
    const bundle = await bundleOf(wasm, { manifest: MANIFEST, files: [{ path: 'www/page', content: page }, { path: 'www/empty', content: Buffer.alloc(0) }] });
    await plane.push('same', bundle);
    const [one, two] = await Promise.all([plane.needed('same', 1), plane.needed('same', 2)]);
    expect(one.sort()).toEqual(two.sort());
  });

  it('is begun once for one idempotency key, and can be finished again', async () => {
    const client = new Client('twice', appOf(randomBytes(10)));
    const headers = { 'idempotency-key': randomUUID() };
    const first = await client.begin(headers);
    expect(first.status).toBe(201);
    expect((await client.begin(headers)).body.id).toBe(first.body.id);
    await client.sendAll(first.body);
    expect((await client.finish(first.body.id)).status).toBe(201);
    expect(await client.finish(first.body.id)).toMatchObject({ status: 200, body: { version: 1 } });
  });

  it('goes on after a connection that broke, and takes pieces', async () => {
    const large = randomBytes(3_000_000);
    const client = new Client('broken', appOf(large));
    const { body: upload } = await client.begin();
    const path = `/v1/apps/broken/uploads/${upload.id}/files/${digestOf(large)}`;
    const sending = request(`${plane.url()}${path}`, { method: 'PATCH', headers: { authorization: `Bearer ${plane.adminToken}`, 'content-type': 'application/octet-stream', 'content-length': large.length } });
    sending.on('error', () => {});
    sending.write(large.subarray(0, 1_000_000));
    await sleep(200);
    sending.destroy();
    let file: FileBody;
    for (;;) {
      file = (await plane.call<FileBody>('GET', path)).body;
      if (file.received > 0) break;
      await sleep(20);
    }
    expect(file).toMatchObject({ complete: false, bytes: large.length });
    expect(file.received).toBeLessThanOrEqual(1_000_000);
    expect((await client.send(upload.id, digestOf(large), 5)).body.code).toBe('API_UPLOAD_OFFSET_WRONG');
    const middle = file.received + 500_000;
    expect((await client.send(upload.id, digestOf(large), file.received, large.subarray(file.received, middle))).body).toMatchObject({ received: middle, complete: false });
    expect(await client.finish(upload.id)).toMatchObject({ status: 409, body: { code: 'API_UPLOAD_INCOMPLETE', errors: { [digestOf(large)]: [`${middle} of ${large.length} bytes have come`] } } });
    expect((await plane.call<UploadBody>('GET', `/v1/apps/broken/uploads/${upload.id}`)).body.missing.find(({ digest }) => digest === digestOf(large))).toMatchObject({ received: middle });
    await client.sendAll((await plane.call<UploadBody>('GET', `/v1/apps/broken/uploads/${upload.id}`)).body);
    expect((await client.finish(upload.id)).status).toBe(201);
  });

  it('refuses bytes that are not those of the digest, and more than there should be', async () => {
    const content = randomBytes(1000);
    const client = new Client('wrong', appOf(content));
    const { body: upload } = await client.begin();
    for (const bad of [randomBytes(1000), randomBytes(1001)]) {
      expect(await client.send(upload.id, digestOf(content), 0, bad)).toMatchObject({ status: 422, body: { code: 'API_UPLOAD_DIGEST_WRONG' } });
    }
    expect((await plane.call('GET', `/v1/apps/wrong/uploads/${upload.id}/files/${digestOf(content)}`)).body).toMatchObject({ received: 0, complete: false });
    expect(await plane.blobs()).not.toContain(digestOf(content));
    expect((await client.send(upload.id, digestOf(content))).body).toMatchObject({ complete: true });
  });

  it('wants bytes that the organisation does not have, though they are in the store', async () => {
    const secret = randomBytes(1000);
    await plane.plane.get(BlobStorage).put({ digest: digestOf(secret), bytes: secret.length }, () => Readable.from([secret]));
    const client = new Client('oracle', appOf(secret));
    const { body: upload } = await client.begin();
    expect(upload.missing.map(({ digest }) => digest)).toContain(digestOf(secret));
    expect((await client.finish(upload.id)).body.code).toBe('API_UPLOAD_INCOMPLETE');
    expect((await plane.call('GET', `/v1/apps/oracle/uploads/${upload.id}/files/${digestOf(secret)}`)).body).toMatchObject({ received: 0, complete: false });
  });

  it('refuses a list that is no bundle', async () => {
    const file = { path: 'a', digest: digestOf(Buffer.from('a')), bytes: 1 };
    const begin = (files: unknown[]) => plane.call<{ errors: object }>('POST', '/v1/apps/bad/uploads', { manifest: MANIFEST, files });
    for (const files of [[{ ...file, path: '../a' }], [file, file], [{ ...file, path: 'spin.toml' }], [file, { ...file, path: 'b', bytes: 2 }], [{ ...file, bytes: 0 }]]) {
      expect(await begin(files)).toMatchObject({ status: 400, body: { code: 'API_INPUT_INVALID' } });
    }
    const { body } = await begin([file]);
    expect((await plane.call('GET', `/v1/apps/other/uploads/${(body as unknown as UploadBody).id}`)).status).toBe(404);
    expect((await plane.call('GET', `/v1/apps/bad/uploads/${(body as unknown as UploadBody).id}/files/${digestOf(Buffer.from('b'))}`)).body).toMatchObject({ code: 'API_UPLOAD_FILE_UNKNOWN' });
  });

  it('ends when it is cancelled or abandoned, and what came of it is collected', async () => {
    const half = randomBytes(2000);
    const whole = randomBytes(1500);
    const client = new Client('left', appOf(half, whole));
    const { body: upload } = await client.begin();
    await client.send(upload.id, digestOf(half), 0, half.subarray(0, 1200));
    await client.send(upload.id, digestOf(whole));
    await plane.age();
    expect(await plane.collect()).toMatchObject({ uploads: { count: 0 } });
    await plane.sql("UPDATE upload SET expires_at = now() - interval '1 second' WHERE id = $1", [upload.id]);
    expect((await plane.call('GET', `/v1/apps/left/uploads/${upload.id}`)).status).toBe(404);
    expect(await plane.collect()).toMatchObject({ uploads: { count: 1, bytes: 1200 }, byReason: { unreferenced: { bytes: expect.any(Number) } } });
    expect(await plane.blobs()).not.toContain(digestOf(whole));
    const { body: again } = await client.begin();
    expect((await plane.call('DELETE', `/v1/apps/left/uploads/${again.id}`)).status).toBe(204);
    expect((await client.finish(again.id)).body.code).toBe('API_UPLOAD_NOT_FOUND');
  });
});

describe('an upload whose control plane is killed', () => {
  const PROGRAM = join(import.meta.dirname, '../../../dist/bin/control-plane.js');
  const start = async (): Promise<{ child: ChildProcess; url: string }> => {
    const child = fork(PROGRAM, [], { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'], env: { PATH: process.env['PATH'], ...plane.settings() } });
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    return { child, url: `http://127.0.0.1:${port}` };
  };

  it('goes on with another one from where it was', async () => {
    const large = randomBytes(8_000_000);
    const client = new Client('killed', appOf(large));
    const { body: upload } = await client.begin();
    const path = `/v1/apps/killed/uploads/${upload.id}/files/${digestOf(large)}`;
    const authorization = `Bearer ${plane.adminToken}`;
    const { child, url } = await start();
    const send = (offset: number, bytes: Uint8Array) => fetch(`${url}${path}?offset=${offset}`, { method: 'PATCH', headers: { authorization, 'content-type': 'application/octet-stream' }, body: bytes as Uint8Array<ArrayBuffer> });
    expect(await (await send(0, large.subarray(0, 3_000_000))).json()).toMatchObject({ received: 3_000_000 });
    const broken = send(3_000_000, large.subarray(3_000_000)).catch(() => undefined);
    await sleep(5);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await broken;
    const { body: file } = await plane.call<FileBody>('GET', path);
    expect(file.complete || file.received >= 3_000_000).toBe(true);
    await client.sendAll((await plane.call<UploadBody>('GET', `/v1/apps/killed/uploads/${upload.id}`)).body);
    expect((await client.finish(upload.id)).status).toBe(201);
    expect(await plane.blobs()).toContain(digestOf(large));
  });
});
