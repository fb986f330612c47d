import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Digest } from '#contract/ids.js';
import { Log } from '#platform/log.js';
import { artifactOf } from '../../../test/fixtures/assignment.js';
import { blobsOf, fetchArtifact } from './artifact-blobs.js';
import { BlobCache } from './blob-cache.js';
import { storedOf } from './stored-versions.js';
import { TokenLink } from './control-plane-link.js';
import { ControlPlaneClient } from './control-plane.client.js';

const TOKEN = 'a-token-of-the-node';
const bytes = Buffer.alloc(300_000, 'whorl');
const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
const log = new Log({}, 'error');

type Answer = (response: ServerResponse) => void;
const whole: Answer = (response) => response.end(bytes);
const corrupt: Answer = (response) => response.end(Buffer.concat([bytes.subarray(1), Buffer.from('x')]));
const cutOff: Answer = (response) => {
  response.setHeader('content-length', bytes.length);
  response.write(bytes.subarray(0, 100_000), () => response.destroy());
};
const cutOffWithoutLength: Answer = (response) => void response.write(bytes.subarray(0, 100_000), () => response.destroy());
const failing: Answer = (response) => response.writeHead(503).end('{"code":"REGISTRY_STORAGE_UNAVAILABLE"}');

let dir: string;
let server: Server;
let client: ControlPlaneClient;
/** What is answered, in turn; the last one for good. */
let answers: Answer[];
let requests: string[];

const open = (tries = 3) => BlobCache.open({ dir, fetch: (wanted) => client.blob(wanted), log, tries });

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'whorl-blobs-'));
  requests = [];
  server = createServer((request, response) => {
    requests.push(`${request.headers.authorization} ${request.url}`);
    (answers.length > 1 ? answers.shift()! : answers[0]!)(response);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  client = new ControlPlaneClient({ link: new TokenLink({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, token: TOKEN }), node: 'node-1' });
});
afterEach(async () => {
  await client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(dir, { recursive: true, force: true });
});

describe('BlobCache', () => {
  it('fetches a blob once, whoever asks for it', async () => {
    answers = [whole];
    const cache = await open();
    await Promise.all([cache.ensure(digest), cache.ensure(digest), cache.ensure(digest)]);
    await cache.ensure(digest);
    expect(requests).toEqual([`Bearer ${TOKEN} /v1/blobs/${digest}`]);
    expect(cache.path(digest)).toBe(join(dir, 'sha256', digest.slice(7, 9), digest.slice(7)));
    expect((await readFile(cache.path(digest))).equals(bytes)).toBe(true);
  });

  it.each([['corrupt', corrupt], ['cut off', cutOff], ['cut off and of unknown length', cutOffWithoutLength], ['an error', failing]])('asks again when the answer is %s', async (_what, answer) => {
    answers = [answer, whole];
    const cache = await open();
    await cache.ensure(digest);
    expect(requests).toHaveLength(2);
    expect((await readFile(cache.path(digest))).equals(bytes)).toBe(true);
    expect(await readdir(join(dir, 'partial'))).toEqual([]);
  });

  it.each([['corrupt', corrupt, 'NODE_BLOB_CORRUPT'], ['cut off', cutOff, 'NODE_BLOB_UNAVAILABLE'], ['an error', failing, 'NODE_BLOB_UNAVAILABLE']])('gives up when the answer stays %s, and can be asked again', async (_what, answer, code) => {
    answers = [answer];
    const cache = await open(2);
    await expect(cache.ensure(digest)).rejects.toMatchObject({ code });
    expect(await readdir(join(dir, 'partial'))).toEqual([]);
    expect(await readdir(dir)).not.toContain('sha256');
    answers = [whole];
    await cache.ensure(digest);
  });

  describe('when the control plane says that it is elsewhere', () => {
    const elsewhere = (path: string): Answer => (response) => response.writeHead(307, { location: `http://localhost:${(server.address() as AddressInfo).port}${path}` }).end();

    it('reads it there, without the token', async () => {
      answers = [elsewhere('/store/blob?signature=s'), whole];
      const cache = await open();
      await cache.ensure(digest);
      expect(requests).toEqual([`Bearer ${TOKEN} /v1/blobs/${digest}`, 'undefined /store/blob?signature=s']);
      expect((await readFile(cache.path(digest))).equals(bytes)).toBe(true);
    });

    it.each([['corrupt', corrupt], ['cut off', cutOff], ['that the URL has expired', (response: ServerResponse) => response.writeHead(403).end('expired')]])('asks the control plane again when the answer there is %s', async (_what, answer) => {
      answers = [elsewhere('/store/a'), answer, elsewhere('/store/b'), whole];
      const cache = await open();
      await cache.ensure(digest);
      expect(requests.map((request) => request.split(' ').at(-1))).toEqual([`/v1/blobs/${digest}`, '/store/a', `/v1/blobs/${digest}`, '/store/b']);
    });

    it('goes nowhere else from there, and tells nobody the URL', async () => {
      answers = [elsewhere('/store/a?signature=secret'), elsewhere('/store/b')];
      const failure = (await open(1)).ensure(digest);
      await expect(failure).rejects.toMatchObject({ code: 'NODE_BLOB_UNAVAILABLE', message: expect.stringContaining('/store/a: status 307') });
      await expect(failure).rejects.not.toThrow(/secret/);
      expect(requests).toHaveLength(2);
    });
  });

  it('needs nobody for what an earlier process fetched', async () => {
    answers = [whole];
    await (await open()).ensure(digest);
    await (await open()).ensure(digest);
    expect(requests).toHaveLength(1);
  });

  it('fetches again what was damaged on disk', async () => {
    answers = [whole];
    const before = await open();
    await before.ensure(digest);
    await writeFile(before.path(digest), bytes.subarray(0, 10));
    const cache = await open();
    await cache.ensure(digest);
    expect((await readFile(cache.path(digest))).equals(bytes)).toBe(true);
  });

  it('throws away what an earlier process was fetching', async () => {
    await open();
    await writeFile(join(dir, 'partial', 'half'), 'x');
    await open();
    expect(await readdir(join(dir, 'partial'))).toEqual([]);
  });

  it('sweeps what is neither used nor young', async () => {
    answers = [whole];
    const cache = await open();
    await cache.ensure(digest);
    expect(await cache.sweep(() => false)).toBe(0);
    await utimes(cache.path(digest), 0, 0);
    expect(await cache.sweep((each) => each === digest)).toBe(0);
    expect(await cache.sweep(() => false)).toBe(1);
    await cache.ensure(digest);
    expect(requests).toHaveLength(2);
  });
});

describe('fetchArtifact', () => {
  const build = { engine: '1', component: digest, handlers: [], imports: [], exports: [], componentized: false };
  const artifact = { ...artifactOf(1), builds: { a: { ...build, plan: digest, modules: [digest, digest] } } };

  it('names each blob of a version once', () => {
    expect([...blobsOf(artifact)]).toEqual([storedOf(artifact).artifact, digest]);
  });

  it('fails with the blob that cannot be had', async () => {
    answers = [failing];
    await expect(fetchArtifact(await open(1), artifact)).rejects.toMatchObject({ code: 'NODE_BLOB_UNAVAILABLE', message: expect.stringContaining(digest) });
  });
});
