import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { BlobDigest } from '#contract/ids.js';
import { BlobStorage } from '#registry/storage/blob-storage.js';
import { chunks, statOf, type StorageUnderTest } from './storage.suite.js';

const CONFLICT = { code: 'REGISTRY_UPLOAD_CONFLICT' };
const MISMATCH = { code: 'REGISTRY_BLOB_MISMATCH' };

export function uploadClaims({ driver, other, willMake }: StorageUnderTest): void {
  let storage: BlobStorage;
  /** Of another replica. */
  let elsewhere: BlobStorage;
  let id: string;
  beforeEach(() => {
    storage = new BlobStorage(driver());
    elsewhere = new BlobStorage(other());
    id = randomUUID();
  });
  afterEach(() => storage.dropUpload(id));

  const uploads = async (): Promise<Map<string, number>> => {
    const found = new Map<string, number>();
    for await (const upload of storage.listUploads()) found.set(upload.id, upload.bytes);
    return found;
  };
  const read = async (digest: BlobDigest) => buffer((await storage.get(digest)).content);

  it.each([
    ['nothing', []],
    ['one chunk', [100_000]],
    ['small chunks', [1, 70_000, 3]],
    ['chunks larger than a part', [9_000_000, 17_000_001]],
    ['chunks of all sizes', [5, 9_000_000, 0, 1_000_000, 4_500_000, 8_388_608]],
  ])('becomes a blob out of %s', async (_, sizes) => {
    const pieces = sizes.map((size) => randomBytes(size));
    const whole = Buffer.concat(pieces);
    const blob = statOf(whole);
    willMake(blob);
    let at = 0;
    for (const piece of pieces) {
      expect(await storage.appendUpload(id, at, chunks(piece))).toBe((at += piece.length));
      expect(await elsewhere.uploadBytes(id)).toBe(at);
    }
    expect(await storage.find(blob.digest)).toBeUndefined();
    expect(await storage.finishUpload(id, blob)).toEqual(blob);
    expect((await read(blob.digest)).equals(whole)).toBe(true);
    expect(await storage.uploadBytes(id)).toBe(0);
    expect(await uploads()).not.toContain(id);
  });

  it('is continued and finished by any replica', async () => {
    const pieces = [randomBytes(6_000_000), randomBytes(100), randomBytes(9_000_000)];
    const whole = Buffer.concat(pieces);
    const blob = statOf(whole);
    willMake(blob);
    await storage.appendUpload(id, 0, chunks(pieces[0]!));
    await elsewhere.appendUpload(id, pieces[0]!.length, chunks(pieces[1]!));
    await storage.appendUpload(id, pieces[0]!.length + 100, chunks(pieces[2]!));
    await elsewhere.finishUpload(id, { digest: blob.digest });
    expect((await read(blob.digest)).equals(whole)).toBe(true);
  });

  it('is checked against sha512 as well', async () => {
    const content = randomBytes(3000);
    const digest = BlobDigest.parse(`sha512:${createHash('sha512').update(content).digest('hex')}`);
    willMake({ digest, bytes: content.length });
    await storage.appendUpload(id, 0, chunks(content));
    await storage.finishUpload(id, { digest });
    expect((await read(digest)).equals(content)).toBe(true);
  });

  it.each([
    ['another digest, hashed on the way', true, {}],
    ['another digest, read again', false, {}],
    ['another number of bytes', true, { bytes: 9 }],
  ])('is gone, and nothing is kept, when it has %s', async (_, sameReplica, claim) => {
    const content = randomBytes(10);
    const wrong = 'bytes' in claim ? statOf(content) : statOf(randomBytes(10));
    await storage.appendUpload(id, 0, chunks(content));
    await expect((sameReplica ? storage : elsewhere).finishUpload(id, { digest: wrong.digest, ...claim })).rejects.toMatchObject(MISMATCH);
    expect(await storage.find(wrong.digest)).toBeUndefined();
    expect(await storage.uploadBytes(id)).toBe(0);
  });

  it('gives nobody a blob that is there for an upload without its bytes', async () => {
    const content = randomBytes(10);
    const blob = statOf(content);
    willMake(blob);
    await storage.put(blob, () => chunks(content));
    await expect(storage.finishUpload(id, { digest: blob.digest })).rejects.toMatchObject(MISMATCH);
    await storage.appendUpload(id, 0, chunks(content));
    expect(await storage.finishUpload(id, { digest: blob.digest })).toEqual(blob);
  });

  it.each([1, 9, 11])('refuses a chunk at %d when 10 bytes are there', async (offset) => {
    await storage.appendUpload(id, 0, chunks(randomBytes(10)));
    await expect(storage.appendUpload(id, offset, chunks(randomBytes(10)))).rejects.toMatchObject(CONFLICT);
    expect(await storage.uploadBytes(id)).toBe(10);
  });

  it('takes one of several chunks for the same place', async () => {
    const first = randomBytes(10);
    await storage.appendUpload(id, 0, chunks(first));
    const pieces = Array.from({ length: 6 }, () => randomBytes(1000));
    const sent = await Promise.allSettled(pieces.map((piece, i) => (i % 2 ? storage : elsewhere).appendUpload(id, 10, chunks(piece, 100))));
    const taken = sent.flatMap(({ status }, i) => (status === 'fulfilled' ? [pieces[i]!] : []));
    expect(taken).toHaveLength(1);
    for (const each of sent) if (each.status === 'rejected') expect(each.reason).toMatchObject(CONFLICT);
    const blob = statOf(Buffer.concat([first, taken[0]!]));
    willMake(blob);
    await storage.finishUpload(id, blob);
  });

  it('keeps what came of a chunk that was cut off, and goes on from there', async () => {
    const whole = randomBytes(10_000_000);
    const blob = statOf(whole);
    willMake(blob);
    const cutOff = async function* () {
      yield* chunks(whole.subarray(0, 9_000_001));
      throw new Error('connection lost');
    };
    await expect(storage.appendUpload(id, 0, cutOff())).rejects.toThrow(/^connection lost$/);
    expect(await storage.uploadBytes(id)).toBe(9_000_001);
    await storage.appendUpload(id, 9_000_001, chunks(whole.subarray(9_000_001)));
    await storage.finishUpload(id, blob);
    expect((await read(blob.digest)).equals(whole)).toBe(true);
  });

  it('is listed with its bytes and its time until it is dropped', async () => {
    const second = randomUUID();
    const from = Date.now() - 2_000;
    await storage.appendUpload(id, 0, chunks(randomBytes(10)));
    await storage.appendUpload(id, 10, chunks(randomBytes(5)));
    await storage.appendUpload(second, 0, chunks(randomBytes(7)));
    const listed = await uploads();
    expect([listed.get(id), listed.get(second)]).toEqual([15, 7]);
    for await (const { modifiedMs } of storage.listUploads()) expect(modifiedMs).toBeGreaterThan(from - 60_000);
    await storage.dropUpload(second);
    await storage.dropUpload(second);
    expect((await uploads()).has(second)).toBe(false);
  });

  it.each(['../x', 'A', '', 'a/b', '-a', 'x'.repeat(65)])('takes no path for an id: "%s"', async (name) => {
    await expect(storage.appendUpload(name, 0, chunks(randomBytes(1)))).rejects.toThrow(/no id of an upload/);
  });
}
