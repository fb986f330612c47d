import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { StoreError, type KeyValueStore } from '#runtime/capability/key-value/key-value-store.js';
import { bytes, text } from './guest-state.js';

export interface StoreTraits {
  /** Keys are listed in byte order, and a page holds what was asked for. */
  ordered: boolean;
  /** Any text may be a key. */
  anyKey: boolean;
  /** Many writers of one key at a time. */
  writers: number;
}

const OUT_OF_REACH = new Uint8Array([0, 1, 2, 254, 255]);

/** Long enough to be read within it on a machine that is busy. */
const TTL_MS = 2_000;

/**
 * What holds for every driver of key-value stores. Each test has keys of its own, since the place may be used by others; `open` gives a store
 * of its own connections at the same place.
 */
export function keyValueSuite(open: () => KeyValueStore | Promise<KeyValueStore>, { ordered, anyKey, writers }: StoreTraits): void {
  let store: KeyValueStore;
  let other: KeyValueStore;
  beforeAll(async () => {
    store = await open();
    other = await open();
  });
  afterAll(async () => {
    await store.close();
    await other.close();
  });
  const fresh = (): string => `${randomUUID()}:`;

  async function listed(prefix: string, limit: number): Promise<{ keys: string[]; pages: number }> {
    const keys: string[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page = await store.list({ prefix, limit, ...(cursor !== undefined && { cursor }) });
      keys.push(...page.keys);
      cursor = page.cursor;
      pages++;
    } while (cursor !== undefined);
    return { keys, pages };
  }

  it('gets what was set, overwrites and deletes', async () => {
    const key = fresh();
    expect(await store.get(key)).toBeUndefined();
    expect(await store.exists(key)).toBe(false);
    await store.delete(key);
    await store.set(key, bytes('one'));
    expect(text((await store.get(key))!)).toBe('one');
    expect(await other.exists(key)).toBe(true);
    await store.set(key, bytes('two'));
    expect(text((await other.get(key))!)).toBe('two');
    await store.delete(key);
    await store.delete(key);
    expect(await store.get(key)).toBeUndefined();
  });

  it('keeps any bytes as a value, none among them, and any text as a key', async () => {
    const prefix = fresh();
    const values = [new Uint8Array(0), OUT_OF_REACH, new Uint8Array(100_000).fill(7)];
    for (const value of values) {
      await store.set(prefix, value);
      expect(Buffer.from((await store.get(prefix))!)).toEqual(Buffer.from(value));
      expect(await store.exists(prefix)).toBe(true);
    }
    const keys = ['ключ', '𝒌', '*', '[a]', '\\', '%', '_', 'with space', '"quoted"', "'"].map((key) => prefix + key).filter((key) => anyKey || !/[/\\?#]/.test(key));
    if (anyKey) keys.push(`${prefix}nul\0`, `${prefix}a/b?c#d`);
    for (const key of keys) await store.set(key, bytes(encodeURIComponent(key)));
    for (const key of keys) expect(text((await store.get(key))!)).toBe(encodeURIComponent(key));
    expect((await listed(prefix, 100)).keys.sort()).toEqual([prefix, ...keys].sort());
  });

  it('lists by prefix, page by page, every key once', async () => {
    const prefix = fresh();
    const keys = Array.from({ length: 25 }, (_, i) => `${prefix}${String(i).padStart(2, '0')}`);
    await store.setMany(keys.map((key) => [key, bytes(key)]));
    await store.set(`${prefix.slice(0, -1)};`, bytes('beside'));
    const { keys: found, pages } = await listed(prefix, 10);
    expect(ordered ? found : [...found].sort()).toEqual(keys);
    if (ordered) expect(pages).toBe(3);
    expect((await listed(`${prefix}1`, 100)).keys.sort()).toEqual(keys.slice(10, 20));
    expect((await listed(`${prefix}none`, 100)).keys).toEqual([]);
  });

  it('refuses a cursor that is none of its own', async () => {
    await expect((async () => store.list({ cursor: 'no cursor!' }))()).rejects.toThrow(StoreError);
  });

  it('gets, sets and deletes many', async () => {
    const prefix = fresh();
    const keys = Array.from({ length: 130 }, (_, i) => prefix + i);
    await store.setMany([[keys[0]!, bytes('first')], ...keys.map((key) => [key, bytes(key)] as const)]);
    const got = await other.getMany([...keys, `${prefix}missing`, keys[3]!]);
    expect(got.map((value) => value && text(value))).toEqual([...keys, undefined, keys[3]]);
    await store.deleteMany([...keys.slice(0, 120), keys[0]!, `${prefix}missing`]);
    expect((await store.getMany(keys)).filter((value) => value !== undefined)).toHaveLength(10);
    await store.setMany([]);
    await store.deleteMany([]);
    expect(await store.getMany([])).toEqual([]);
  });

  it('forgets a key when its time is over, and only then', async () => {
    const prefix = fresh();
    const [short, long, none] = ['short', 'long', 'none'].map((key) => prefix + key) as [string, string, string];
    await store.set(short, bytes('s'), TTL_MS);
    await store.set(long, bytes('l'), 60_000);
    await store.set(none, bytes('n'), TTL_MS);
    await store.set(none, bytes('n'));
    expect(text((await store.get(short))!)).toBe('s');
    await sleep(TTL_MS + 250);
    expect(await store.get(short)).toBeUndefined();
    expect(await store.exists(short)).toBe(false);
    expect(await store.getMany([short, long])).toEqual([undefined, expect.anything()]);
    expect((await listed(prefix, 10)).keys.sort()).toEqual([long, none]);
    expect(await store.swap(short, bytes('s'), bytes('t'))).toBe(false);
    expect(await store.swap(short, undefined, bytes('t'), 60_000)).toBe(true);
    expect(text((await other.get(short))!)).toBe('t');
  });

  it('swaps a value only for the one that is there', async () => {
    const key = fresh();
    expect(await store.swap(key, bytes('a'), bytes('b'))).toBe(false);
    expect(await store.swap(key, undefined, undefined)).toBe(true);
    expect(await store.swap(key, undefined, bytes('a'))).toBe(true);
    expect(await store.swap(key, undefined, bytes('b'))).toBe(false);
    expect(await store.swap(key, undefined, undefined)).toBe(false);
    expect(await store.swap(key, bytes('ab'), bytes('b'))).toBe(false);
    expect(await other.swap(key, bytes('a'), new Uint8Array(0))).toBe(true);
    expect(await store.swap(key, bytes('a'), undefined)).toBe(false);
    expect(await store.swap(key, new Uint8Array(0), undefined)).toBe(true);
    expect(await store.exists(key)).toBe(false);
  });

  it('lets one of many swaps at the same time win', async () => {
    const key = fresh();
    const first = await Promise.all(Array.from({ length: writers }, async (_, i) => (i % 2 ? store : other).swap(key, undefined, bytes(`${i}`))));
    expect(first.filter(Boolean)).toHaveLength(1);
    const seen = (await store.get(key))!;
    const next = await Promise.all(Array.from({ length: writers }, async (_, i) => (i % 2 ? store : other).swap(key, seen, bytes(`next ${i}`))));
    expect(next.filter(Boolean)).toHaveLength(1);
  });

  it('increments from nothing, in both directions, and loses none of many at the same time', async () => {
    const key = fresh();
    expect(await store.increment(key, 5n)).toBe(5n);
    expect(await store.increment(key, -7n)).toBe(-2n);
    expect(Buffer.from((await store.get(key))!).readBigInt64LE()).toBe(-2n);
    const sums = await Promise.all(Array.from({ length: writers }, async (_, i) => (i % 2 ? store : other).increment(key, 1n)));
    expect(new Set(sums).size).toBe(writers);
    expect(await store.increment(key, 0n)).toBe(BigInt(writers) - 2n);
  });

  it('counts to the ends of 64 bits and no further', async () => {
    const key = fresh();
    const [min, max] = [-(2n ** 63n), 2n ** 63n - 1n];
    expect(await store.increment(key, max)).toBe(max);
    await expect((async () => store.increment(key, 1n))()).rejects.toThrow('the counter would leave the range of 64 bits');
    expect(await store.increment(key, min)).toBe(-1n);
    expect(await store.increment(key, -255n)).toBe(-256n);
    expect(await store.increment(key, min + 256n)).toBe(min);
    await expect((async () => store.increment(key, -1n))()).rejects.toThrow(StoreError);
    await store.set(key, bytes('text'));
    await expect((async () => store.increment(key, 1n))()).rejects.toThrow('the value is not a counter');
    expect(text((await store.get(key))!)).toBe('text');
  });

  it('keeps the time to live of a counter', async () => {
    const key = fresh();
    await store.set(key, new Uint8Array(8), 300);
    expect(await store.increment(key, 1n)).toBe(1n);
    await sleep(500);
    expect(await store.increment(key, 1n)).toBe(1n);
    expect(await store.exists(key)).toBe(true);
  });

  it('does an increment once for each operation, however often it comes', async () => {
    const prefix = fresh();
    const key = `${prefix}counter`;
    expect(await store.increment(key, 3n, 'first')).toBe(3n);
    expect(await other.increment(key, 3n, 'first')).toBe(3n);
    expect(await store.increment(key, 4n, 'second')).toBe(7n);
    expect(await store.increment(key, 3n, 'first')).toBe(3n);
    const sums = await Promise.all(Array.from({ length: writers }, async (_, i) => (i % 2 ? store : other).increment(key, 1n, 'together')));
    expect(new Set(sums)).toEqual(new Set([8n]));
    expect(await store.increment(`${prefix}another`, 1n, 'first')).toBe(1n);
    expect(await store.increment(key, 0n)).toBe(8n);
    expect((await listed(prefix, 10)).keys.sort()).toEqual([`${prefix}another`, key]);
  });

  it('bounds keys, values, times and names of operations', async () => {
    const key = fresh();
    const { keyBytes, valueBytes } = store.limits;
    const refused = async (use: () => unknown): Promise<string> => {
      const error: unknown = await (async () => use())().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(StoreError);
      return (error as Error).message;
    };
    expect(await refused(() => store.set('k'.repeat(keyBytes + 1), bytes('v')))).toBe(`key exceeds limit of ${keyBytes} bytes`);
    expect(await refused(() => store.set(key, new Uint8Array(valueBytes + 1)))).toBe(`value exceeds limit of ${valueBytes} bytes`);
    await refused(() => store.set(key, bytes('v'), 0));
    await refused(() => store.increment(key, 1n, ''));
    await refused(() => store.increment(key, 1n, 'x'.repeat(257)));
    expect(await store.exists(key)).toBe(false);
    const longest = key + 'k'.repeat(keyBytes - key.length);
    await store.set(longest, bytes('long'));
    expect(text((await store.get(longest))!)).toBe('long');
    await store.delete(longest);
  });
}
