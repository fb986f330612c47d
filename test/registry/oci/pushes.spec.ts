import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eachAtOnce } from '#platform/each-at-once.js';
import { DatabaseFixture } from '../../api/database.fixture.js';
import { type Described, IMAGE, OciFixture, digestOf } from './oci.fixture.js';

const REPOSITORY = 'default/pushes';
const AT_ONCE = 16;

describe('pushes beside one another', () => {
  let fixture: OciFixture;
  beforeAll(async () => {
    fixture = await OciFixture.start();
    await fixture.startReplica();
  });
  afterAll(() => fixture.stop());

  it('loses no tag, and shows none by half', async () => {
    const pushes = Array.from({ length: 100 }, (_, i) => i);
    const faults: string[] = [];
    let isDone = false;
    const reader = (async () => {
      while (!isDone) {
        const { manifests: _, ...moved } = (await fixture.call('GET', `/v2/${REPOSITORY}/manifests/moved`, { replica: 1 })).json<{ layers?: Described[]; manifests?: never }>();
        for (const { digest } of moved.layers ?? []) {
          const { status, body } = await fixture.call('GET', `/v2/${REPOSITORY}/blobs/${digest}`, { replica: 1 });
          if (status !== 200 || digestOf(body) !== digest) faults.push(`${digest}: ${status}`);
        }
      }
    })();
    await eachAtOnce(AT_ONCE, pushes, async (i) => {
      const { document, digest } = await fixture.pushImage(REPOSITORY, `push-${i}`);
      expect((await fixture.pushManifest(REPOSITORY, `${digest}?tag=moved`, document)).status).toBe(201);
    });
    isDone = true;
    await reader;
    expect(faults).toEqual([]);
    const { tags } = (await fixture.call('GET', `/v2/${REPOSITORY}/tags/list`)).json<{ tags: string[] }>();
    expect(new Set(tags)).toEqual(new Set(['moved', ...pushes.map((i) => `push-${i}`)]));
  });

  it('lets a tag lead to one of those that were pushed to it at the same time', async () => {
    const images = await Promise.all(Array.from({ length: 10 }, (_, i) => fixture.pushImage(REPOSITORY, `own-${i}`)));
    await Promise.all(images.map(({ document }) => fixture.pushManifest(REPOSITORY, 'same', document)));
    const { headers } = await fixture.call('GET', `/v2/${REPOSITORY}/manifests/same`);
    expect(images.map(({ digest }) => digest)).toContain(headers.get('docker-content-digest'));
  });
});

/** As it is run: what `npm run build` made. */
const PROGRAM = join(import.meta.dirname, '../../../dist/bin/control-plane.js');
const TOKEN = 'token-of-the-operator';
const ROUNDS = 3;
/** Tags before the kill. */
const ACKNOWLEDGED = 20;

describe('a control plane that is killed in the middle of pushes', () => {
  let database: DatabaseFixture;
  let dir: string;
  let url: string;
  let env: NodeJS.ProcessEnv;
  let child: ChildProcess;
  beforeAll(async () => {
    database = await DatabaseFixture.start();
    dir = await mkdtemp(join(tmpdir(), 'whorl-killed-'));
    env = {
      PATH: process.env['PATH'], DATABASE_URL: await database.create(), WHORL_API_PORT: '0', WHORL_STORAGE_DIR: dir, WHORL_SECRET_KEY: randomBytes(32).toString('base64url'), WHORL_ADMIN_TOKEN: TOKEN,
    };
    await start();
  });
  afterAll(async () => {
    await kill();
    await database.stop();
    await rm(dir, { recursive: true, force: true });
  });

  async function start(): Promise<void> {
    child = fork(PROGRAM, [], { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'], env });
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    url = `http://127.0.0.1:${port}`;
  }
  async function kill(): Promise<void> {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  const call = async (method: string, path: string, body?: string | Uint8Array<ArrayBuffer>, contentType = 'application/octet-stream') => {
    const response = await fetch(new URL(path, url), { method, headers: { authorization: `Bearer ${TOKEN}`, 'content-type': contentType }, ...(body !== undefined && { body }) });
    return { status: response.status, location: response.headers.get('location')!, body: Buffer.from(await response.arrayBuffer()) };
  };

  /** What was acknowledged, and what was asked for last. */
  interface Pushed {
    blobs: string[];
    tags: Map<string, string>;
    sent: Set<string>;
  }
  async function push(tag: string, { blobs, tags, sent }: Pushed): Promise<void> {
    const content = new Uint8Array(randomBytes(1024));
    const blob = { mediaType: 'application/octet-stream', digest: digestOf(content), size: content.length };
    const { location } = await call('POST', `/v2/${REPOSITORY}/blobs/uploads/`);
    expect((await call('PUT', `${location}?digest=${blob.digest}`, content)).status).toBe(201);
    blobs.push(blob.digest);
    const manifest = JSON.stringify({ schemaVersion: 2, mediaType: IMAGE, config: blob, layers: [] });
    sent.add(tag);
    expect((await call('PUT', `/v2/${REPOSITORY}/manifests/${tag}`, manifest, IMAGE)).status).toBe(201);
    tags.set(tag, digestOf(Buffer.from(manifest)));
  }

  it.each(Array.from({ length: ROUNDS }, (_, round) => round + 1))('has all that it acknowledged, and nothing by half: round %d', async (round) => {
    const pushed: Pushed = { blobs: [], tags: new Map(), sent: new Set() };
    let next = 0;
    const lanes = Array.from({ length: AT_ONCE }, async () => {
      for (;;) await push(`round-${round}-${next++}`, pushed);
    });
    const ended = Promise.allSettled(lanes);
    while (pushed.tags.size < ACKNOWLEDGED) await sleep(10);
    await kill();
    await ended;
    await start();
    const { tags } = JSON.parse((await call('GET', `/v2/${REPOSITORY}/tags/list`)).body.toString()) as { tags: string[] };
    const visible = tags.filter((tag) => tag.startsWith(`round-${round}-`));
    expect(visible).toEqual(expect.arrayContaining([...pushed.tags.keys()]));
    expect(visible.filter((tag) => !pushed.sent.has(tag))).toEqual([]);
    for (const tag of visible) {
      const { body } = await call('GET', `/v2/${REPOSITORY}/manifests/${tag}`);
      expect(digestOf(body)).toBe(pushed.tags.get(tag) ?? digestOf(body));
      const { config } = JSON.parse(body.toString()) as { config: Described };
      expect(digestOf((await call('GET', `/v2/${REPOSITORY}/blobs/${config.digest}`)).body)).toBe(config.digest);
    }
    for (const digest of pushed.blobs) expect(digestOf((await call('GET', `/v2/${REPOSITORY}/blobs/${digest}`)).body)).toBe(digest);
  });
});
