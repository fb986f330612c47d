import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, it } from '@jest/globals';
import { BlobStorage } from '#registry/storage/blob-storage.js';
import { deletingPath } from '#registry/storage/paths.js';
import { chunks, statOf, type StorageUnderTest } from './storage.suite.js';

/** Stores tell times in seconds. */
const TICK_MS = 1_100;

export function collectionClaims({ driver, other, willMake }: StorageUnderTest): void {
  let storage: BlobStorage;
  let collector: BlobStorage;
  beforeEach(() => {
    const times = { touchAfterMs: 0, deletingMs: 3_000 };
    storage = new BlobStorage(driver(), times);
    collector = new BlobStorage(other(), times);
  });
  const putNew = async () => {
    const content = randomBytes(100);
    const blob = statOf(content);
    willMake(blob);
    await storage.put(blob, () => chunks(content));
    return { ...blob, content };
  };

  it('deletes what nobody has put or touched since', async () => {
    const [idle, touched, putAgain] = [await putNew(), await putNew(), await putNew()];
    await sleep(TICK_MS);
    const since = Date.now() - 1;
    await sleep(TICK_MS);
    expect(await storage.touch(touched.digest)).toMatchObject({ digest: touched.digest, bytes: 100 });
    await storage.put(putAgain, () => chunks(putAgain.content));
    expect(await collector.deleteUntouched(idle.digest, since)).toBe(true);
    expect(await collector.deleteUntouched(touched.digest, since)).toBe(false);
    expect(await collector.deleteUntouched(putAgain.digest, since)).toBe(false);
    expect(await storage.find(idle.digest)).toBeUndefined();
    expect(await storage.touch(idle.digest)).toBeUndefined();
    expect(await storage.find(touched.digest)).toBeDefined();
    expect(await storage.find(putAgain.digest)).toBeDefined();
  });

  it('never loses a blob that is put or found while it is being deleted', async () => {
    const blobs = await Promise.all(Array.from({ length: 24 }, putNew));
    await sleep(TICK_MS);
    const since = Date.now() - 1;
    await sleep(TICK_MS);
    const jitter = () => sleep(Math.random() * 20);
    await Promise.all(blobs.map(async (blob, i) => {
      const deleted = jitter().then(() => collector.deleteUntouched(blob.digest, since));
      await jitter();
      if (i % 2) await storage.put(blob, () => chunks(blob.content));
      else if (!(await storage.touch(blob.digest))) await storage.put(blob, () => chunks(blob.content));
      await deleted;
      expect(await storage.find(blob.digest)).toBeDefined();
    }));
  });

  it('lets nobody wait for good for a collector that was killed', async () => {
    const blob = await putNew();
    await driver().create(deletingPath(blob.digest), Readable.from([Buffer.from('1')]));
    await storage.put(blob, () => chunks(blob.content));
    expect(await driver().find(deletingPath(blob.digest))).toBeUndefined();
    expect(await storage.find(blob.digest)).toBeDefined();
  });

  it('deletes nothing that a push may just have found', async () => {
    const { digest } = await putNew();
    await expect(new BlobStorage(driver()).deleteUntouched(digest, Date.now() - 1_000)).rejects.toThrow(RangeError);
  });
}
