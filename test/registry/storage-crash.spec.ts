import { spawn } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { BlobDigest } from '#contract/ids.js';
import { BlobStorage } from '#registry/storage/blob-storage.js';
import { FolderDriver } from '#registry/storage/folder.driver.js';
import { S3Driver } from '#registry/storage/s3.driver.js';
import type { StorageDriver } from '#registry/storage/storage-driver.js';
import { hasS3, type S3Server, startS3 } from '../fixtures/servers/s3.js';

const WRITER = join(import.meta.dirname, '../fixtures/storage-writer.mjs');
if (!existsSync(join(import.meta.dirname, '../../dist/registry/storage/storage-driver.js'))) throw new Error('run `npm run build` first: the process that is killed runs compiled code');

const ROUNDS = 20;
const TIMEOUT_MS = 180_000;

/** What a process acknowledged until it was killed, some moments after the first. */
async function writeUntilKilled(settings: object): Promise<Map<string, number>> {
  const child = spawn(process.execPath, [WRITER, JSON.stringify(settings)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => { child.once('exit', (_, signal) => resolve(signal)); });
  const taken = new Map<string, number>();
  for await (const line of createInterface({ input: child.stdout })) {
    if (taken.size === 0) setTimeout(() => child.kill('SIGKILL'), randomInt(20, 300));
    const { digest, bytes } = JSON.parse(line) as { digest: string; bytes: number };
    taken.set(digest, bytes);
  }
  expect(await ended).toBe('SIGKILL');
  return taken;
}

/** The blobs that are there, each of them read and hashed once. */
async function readAll(storage: BlobStorage, known: Map<string, number>): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for await (const { digest, bytes } of storage.list('')) {
    found.set(digest, bytes);
    if (!known.has(digest)) expect(await hashOf(storage, digest)).toBe(digest);
  }
  return found;
}

async function hashOf(storage: BlobStorage, digest: BlobDigest): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of (await storage.get(digest)).content as AsyncIterable<Buffer>) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

/** @param leftovers what is in the store besides blobs */
async function crashRounds(settings: object, open: () => Promise<StorageDriver>, leftovers: (driver: StorageDriver) => Promise<unknown>): Promise<void> {
  const taken = new Map<string, number>();
  let there = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [digest, bytes] of await writeUntilKilled(settings)) taken.set(digest, bytes);
    const driver = await open();
    const storage = new BlobStorage(driver);
    there = await readAll(storage, there);
    for (const [digest, bytes] of taken) expect([digest, there.get(digest)]).toEqual([digest, bytes]);
    for await (const { id } of storage.listUploads()) await storage.dropUpload(id);
    await storage.sweep(Date.now() + 60_000);
    expect(await leftovers(driver)).toEqual([]);
  }
  expect(taken.size).toBeGreaterThan(ROUNDS);
}

async function keysOf(driver: StorageDriver): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of driver.list('v1/')) if (!key.startsWith('v1/blobs/')) keys.push(key);
  return keys;
}

describe('a process that is killed in the middle of writes, 20 times', () => {
  it('loses nothing it acknowledged and shows nothing half in a folder; what it left is collected', async () => {
    const root = await mkdtemp(join(tmpdir(), 'whorl-crash-'));
    const leftovers = async () => [...(await readdir(join(root, 'v1/partial'))), ...(await readdir(join(root, 'v1/uploads')).catch(() => []))];
    await crashRounds({ folder: root }, () => FolderDriver.open(root), leftovers);
    await rm(root, { recursive: true });
  }, TIMEOUT_MS);

  if (!hasS3) it.skip('… in an object store (left out: radosgw, ceph-mon, ceph-osd and ceph-common are not installed)', () => {});
  else describe('in an object store', () => {
    let server: S3Server;
    beforeAll(async () => {
      server = await startS3()!;
    });
    afterAll(() => server?.stop());

    it('loses nothing it acknowledged and shows nothing half; what it left is collected', async () => {
      const { stop: _, ...s3 } = server;
      await crashRounds({ s3 }, async () => new S3Driver(s3), async (driver) => [...(await keysOf(driver)), ...((await driver.sweep(Date.now() + 60_000)) > 0 ? ['unfinished objects'] : [])]);
    }, TIMEOUT_MS);
  });
});
