import { createHash, randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BlobDigest, Digest } from '#contract/ids.js';
import { type BlobStat, BlobStorage } from '#registry/storage/blob-storage.js';
import type { StorageDriver } from '#registry/storage/storage-driver.js';
import { collectionClaims } from './collection.suite.js';
import { driverClaims } from './driver.suite.js';
import { uploadClaims } from './upload.suite.js';

export interface DriverUnderTest {
  driver: StorageDriver;
  /** A second instance over the same bytes, as another process has one; without it the driver has none. */
  another?: () => Promise<StorageDriver>;
  /** What of an unfinished write can be seen from outside. */
  leftovers?: () => Promise<string[]>;
  close(): Promise<void>;
}

/** For the claims of one file. */
export interface StorageUnderTest {
  driver(): StorageDriver;
  /** Of another process, where the driver can have one. */
  other(): StorageDriver;
  /** Deleted after the test. */
  willMake(blob: BlobStat<BlobDigest>): void;
}

export const statOf = (content: Uint8Array): BlobStat => ({ digest: Digest.parse(`sha256:${createHash('sha256').update(content).digest('hex')}`), bytes: content.length });

export async function* chunks(content: Uint8Array, size = 100_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

/** What every driver must do, and `BlobStorage` over it. Leaves nothing behind: what it makes is random, and deleted. */
export function storageSuite(name: string, open: () => Promise<DriverUnderTest>): void {
  describe(`storage driver ${name}`, () => {
    let under: DriverUnderTest;
    let other: StorageDriver;
    let storage: BlobStorage;
    const made = new Set<BlobStat<BlobDigest>>();
    const records = new Set<string>();

    beforeEach(async () => {
      under = await open();
      other = (await under.another?.()) ?? under.driver;
      storage = new BlobStorage(under.driver);
    });
    afterEach(async () => {
      for (const { digest } of made) await storage.delete(digest);
      for (const record of records) await storage.deleteRecord(record);
      expect(await (under.leftovers?.() ?? [])).toEqual([]);
      await under.close();
    });

    const shared: StorageUnderTest = { driver: () => under.driver, other: () => other, willMake: (blob) => made.add(blob) };
    describe('as a driver', () => driverClaims(shared));
    describe('uploads', () => uploadClaims(shared));
    describe('beside a collector', () => collectionClaims(shared));

    const put = async (content: Uint8Array): Promise<BlobStat> => {
      const blob = statOf(content);
      made.add(blob);
      await storage.put(blob, () => chunks(content));
      return blob;
    };
    const record = (): string => {
      const made = `test/${randomBytes(8).toString('hex')}`;
      records.add(made);
      return made;
    };
    const read = async (digest: BlobDigest) => buffer((await storage.get(digest)).content);

    it.each([['empty', 0], ['of one byte', 1], ['of many chunks', 700_001]])('gives back bytes as they were put: %s', async (_, size) => {
      const content = randomBytes(size);
      const blob = await put(content);
      expect(await storage.find(blob.digest)).toEqual({ ...blob, modifiedMs: expect.any(Number) });
      const got = await storage.get(blob.digest);
      expect(got.bytes).toBe(size);
      expect((await buffer(got.content)).equals(content)).toBe(true);
    });

    it('keeps what is larger than one part of an upload', async () => {
      const content = randomBytes(20 * 1024 * 1024);
      expect((await read((await put(content)).digest)).equals(content)).toBe(true);
    });

    it('keeps what is named by its sha512', async () => {
      const content = randomBytes(1000);
      const digest = BlobDigest.parse(`sha512:${createHash('sha512').update(content).digest('hex')}`);
      made.add({ digest, bytes: content.length });
      await expect(storage.put({ digest, bytes: content.length }, () => chunks(randomBytes(1000)))).rejects.toMatchObject({ code: 'REGISTRY_BLOB_MISMATCH' });
      await storage.put({ digest, bytes: content.length }, () => chunks(content));
      expect((await read(digest)).equals(content)).toBe(true);
      const listed: string[] = [];
      for await (const blob of storage.list(digest.slice(7, 12))) listed.push(blob.digest);
      expect(listed).toContain(digest);
    });

    it.each([[0, 10, 0, 10], [100, 50, 100, 150], [299_990, 100, 299_990, 300_000], [5, undefined, 5, 300_000], [300_000, 5, 0, 0], [400_000, undefined, 0, 0], [7, 0, 0, 0]])('gives a range: from %d, %p bytes', async (offset, bytes, from, to) => {
      const content = randomBytes(300_000);
      const { digest } = await put(content);
      const got = await storage.get(digest, { offset, ...(bytes !== undefined && { bytes }) });
      expect(got.bytes).toBe(300_000);
      expect((await buffer(got.content)).equals(content.subarray(from, to))).toBe(true);
    });

    it('does not read what it has already', async () => {
      const content = randomBytes(10);
      const blob = await put(content);
      await storage.put(blob, () => {
        throw new Error('read again');
      });
    });

    it.each([
      ['with another digest', (content: Buffer) => Buffer.from(content).fill(0, 0, 1)],
      ['that are too few', (content: Buffer) => content.subarray(1)],
      ['that are too many', (content: Buffer) => Buffer.concat([content, Buffer.from('x')])],
      ['of which there are none', () => Buffer.alloc(0)],
    ])('keeps nothing of bytes %s', async (_, change) => {
      const content = randomBytes(300_000).fill(1, 0, 1);
      const blob = statOf(content);
      await expect(storage.put(blob, () => chunks(change(content)))).rejects.toMatchObject({ code: 'REGISTRY_BLOB_MISMATCH' });
      expect(await storage.find(blob.digest)).toBeUndefined();
    });

    it('keeps nothing of a stream that fails', async () => {
      const content = randomBytes(300_000);
      const blob = statOf(content);
      await expect(storage.put(blob, async function* () {
        yield content.subarray(0, 1000);
        throw new Error('connection lost');
      })).rejects.toThrow(/connection lost/);
      expect(await storage.find(blob.digest)).toBeUndefined();
    });

    it('takes the same bytes from many at once', async () => {
      const content = randomBytes(50_000);
      const elsewhere = new BlobStorage(other);
      const blob = statOf(content);
      made.add(blob);
      await Promise.all(Array.from({ length: 8 }, (_, i) => (i % 2 ? storage : elsewhere).put(blob, () => chunks(content))));
      expect((await read(blob.digest)).equals(content)).toBe(true);
    });

    it('says that it has no such blob', async () => {
      const { digest } = statOf(randomBytes(8));
      expect(await storage.find(digest)).toBeUndefined();
      await expect(storage.get(digest)).rejects.toMatchObject({ code: 'REGISTRY_BLOB_UNKNOWN' });
      await storage.delete(digest);
    });

    it.each(['sha256:../../etc/passwd', 'sha256:ABC', '', 'md5:x'])('takes no name for a digest: %s', async (name) => {
      await expect(storage.put({ digest: name as Digest, bytes: 0 }, () => chunks(Buffer.alloc(0)))).rejects.toThrow();
    });

    it('forgets what is deleted', async () => {
      const blob = await put(randomBytes(10));
      await storage.delete(blob.digest);
      expect(await storage.find(blob.digest)).toBeUndefined();
    });

    it('lists by the first digits', async () => {
      const blobs = [await put(randomBytes(10)), await put(randomBytes(20)), await put(randomBytes(30))];
      const list = async (prefix: string) => {
        const found: BlobStat<BlobDigest>[] = [];
        for await (const { digest, bytes } of storage.list(prefix)) found.push({ digest, bytes });
        return found;
      };
      expect(await list('')).toEqual(expect.arrayContaining(blobs));
      for (const blob of blobs) {
        for (const length of [1, 2, 3, 64]) expect(await list(blob.digest.slice(7, 7 + length))).toContainEqual(blob);
      }
      expect(await list(statOf(randomBytes(4)).digest.slice(7))).toEqual([]);
    });

    it('keeps the first record of a name', async () => {
      const name = record();
      expect(await storage.findRecord(name)).toBeUndefined();
      await storage.putRecord(name, '{"a":"ü"}');
      await storage.putRecord(name, '{"b":2}');
      expect(await storage.findRecord(name)).toBe('{"a":"ü"}');
      await storage.deleteRecord(name);
      await storage.deleteRecord(name);
      expect(await storage.findRecord(name)).toBeUndefined();
    });

    it.each(['../x', '/x', 'a//b', '', 'a/../b', 'A'])('takes no path for the name of a record: "%s"', async (name) => {
      await expect(storage.putRecord(name, '')).rejects.toThrow(/no name of a record/);
    });

    it('says that it can be reached', () => storage.check());
  });
}
