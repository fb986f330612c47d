import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, expect, it } from '@jest/globals';
import type { StoredObject, StoredPart } from '#registry/storage/storage-driver.js';
import type { StorageUnderTest } from './storage.suite.js';

const MEGABYTE = 1024 * 1024;
/** Stores tell times in seconds. */
const TICK_MS = 1_100;

/** What `BlobStorage` relies on and cannot show by itself. */
export function driverClaims({ driver, other }: StorageUnderTest): void {
  const folder = `v1/records/driver-${randomBytes(6).toString('hex')}`;
  const all = async (prefix: string): Promise<StoredObject[]> => {
    const found: StoredObject[] = [];
    for await (const each of driver().list(prefix)) found.push(each);
    return found;
  };
  const create = (key: string, content: Buffer) => driver().create(`${folder}/${key}`, Readable.from([content]));
  const content = async (key: string) => buffer((await driver().read(`${folder}/${key}`))!.content);
  afterEach(async () => {
    for (const { key } of await all(folder)) await driver().delete(key);
  });

  it('makes exactly one of many the first', async () => {
    const contents = Array.from({ length: 12 }, (_, i) => Buffer.from(`content ${i}`));
    const made = await Promise.all(contents.map((each, i) => (i % 2 ? driver() : other()).create(`${folder}/one`, Readable.from([each]))));
    const winners = made.flatMap((each, i) => (each ? [contents[i]!] : []));
    expect(winners).toHaveLength(1);
    expect((await content('one')).equals(winners[0]!)).toBe(true);
  });

  it('lists a folder in the order of names, with what each object is', async () => {
    const made: StoredPart[] = [];
    for (const name of ['b', 'a', 'c/x', 'ab']) made.push((await create(name, Buffer.from(name)))!);
    const listed = await all(`${folder}/`);
    expect(listed.map(({ key }) => key.slice(folder.length + 1)).filter((key) => !key.includes('/'))).toEqual(['a', 'ab', 'b']);
    expect(listed).toHaveLength(4);
    for (const each of made) expect(listed).toContainEqual({ ...each, modifiedMs: expect.any(Number) });
    expect((await all(`${folder}/a`)).map(({ bytes }) => bytes)).toEqual([1, 2]);
    expect(await all(`${folder}/none/`)).toEqual([]);
  });

  it.each([
    ['nothing', []],
    ['one', [3]],
    ['small ones', [3, 1000, 5]],
    ['large ones', [6 * MEGABYTE, 5 * MEGABYTE, 1]],
    ['small and large ones', [10, 6 * MEGABYTE, 2 * MEGABYTE, 4 * MEGABYTE, 7, 6 * MEGABYTE, 100]],
  ])('composes an object of %s', async (_, sizes) => {
    const contents = sizes.map((size) => randomBytes(size));
    const parts: StoredPart[] = [];
    for (const [i, each] of contents.entries()) parts.push((await create(`part/${i}`, each))!);
    await driver().compose(`${folder}/whole`, parts);
    await driver().compose(`${folder}/whole`, parts);
    expect((await content('whole')).equals(Buffer.concat(contents))).toBe(true);
    for (const { key } of parts) await driver().delete(key);
    expect((await content('whole')).equals(Buffer.concat(contents))).toBe(true);
  });

  it.each([1, 2])('composes a new object of %d old parts', async (count) => {
    const parts: StoredPart[] = [];
    for (let i = 0; i < count; i++) parts.push((await create(`part/${i}`, Buffer.from('old')))!);
    const before = (await driver().find(parts[0]!.key))!;
    await new Promise((resolve) => { setTimeout(resolve, TICK_MS); });
    await driver().compose(`${folder}/whole`, parts);
    expect((await driver().find(`${folder}/whole`))!.modifiedMs).toBeGreaterThan(before.modifiedMs);
  });

  it.each([[1, 5], [2, 5], [2, 6 * MEGABYTE]])('composes nothing of %d parts of which one is gone or another by now', async (count, size) => {
    const parts: StoredPart[] = [];
    for (let i = 0; i < count; i++) parts.push((await create(`part/${i}`, randomBytes(size)))!);
    const last = parts.at(-1)!;
    await driver().delete(last.key);
    await expect(driver().compose(`${folder}/whole`, parts)).rejects.toMatchObject({ code: 'REGISTRY_UPLOAD_CONFLICT' });
    await create('other', Buffer.from('keeps the place of what was deleted'));
    await driver().create(last.key, Readable.from([randomBytes(size)]));
    await expect(driver().compose(`${folder}/whole`, parts)).rejects.toMatchObject({ code: 'REGISTRY_UPLOAD_CONFLICT' });
    expect(await driver().find(`${folder}/whole`)).toBeUndefined();
  });

  it('keeps nothing of content that fails after many parts, and says what it threw', async () => {
    const failing = async function* () {
      for (let i = 0; i < 18; i++) yield randomBytes(MEGABYTE);
      throw new Error('the sender went');
    };
    await expect(driver().create(`${folder}/large`, failing())).rejects.toThrow(/^the sender went$/);
    expect(await driver().find(`${folder}/large`)).toBeUndefined();
  });

  it('touches what is there, and changes nothing else of it', async () => {
    await create('old', Buffer.from('old'));
    const before = (await driver().find(`${folder}/old`))!;
    await new Promise((resolve) => { setTimeout(resolve, TICK_MS); });
    expect(await driver().touch(`${folder}/old`)).toBe(true);
    const after = (await driver().find(`${folder}/old`))!;
    expect(after.modifiedMs).toBeGreaterThan(before.modifiedMs);
    expect(after).toEqual({ ...before, modifiedMs: after.modifiedMs });
    expect((await content('old')).toString()).toBe('old');
    expect(await driver().touch(`${folder}/none`)).toBe(false);
  });

  it('gives a URL to read one object for a while, if it gives any', async () => {
    await create('shown', Buffer.from('shown'));
    await create('hidden', Buffer.from('hidden'));
    const url = await driver().presign(`${folder}/shown`, 60_000);
    if (url === undefined) return;
    expect(await (await fetch(url)).text()).toBe('shown');
    expect((await fetch(url, { headers: { range: 'bytes=1-2' } })).status).toBe(206);
    expect((await fetch(url.replace('/shown', '/hidden'))).status).toBe(403);
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(403);
  });

  it('sweeps nothing that is young', async () => {
    expect(await driver().sweep(0)).toBe(0);
  });
}
