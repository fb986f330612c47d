import { describe, expect, it } from '@jest/globals';
import { Batcher } from './batcher.js';

describe('a batcher', () => {
  it('has what comes within a moment taken at once, and gives everyone their own result', async () => {
    const batches: (readonly number[])[] = [];
    const batcher = new Batcher(async (items: readonly number[]) => {
      batches.push(items);
      return items.map((item) => item * 2);
    }, 10, 100);
    expect(await Promise.all([1, 2, 3].map((item) => batcher.take(item)))).toEqual([2, 4, 6]);
    expect(await batcher.take(4)).toBe(8);
    expect(batches).toEqual([[1, 2, 3], [4]]);
  });

  it('does not wait when there are many', async () => {
    const batcher = new Batcher(async (items: readonly number[]) => items, 60_000, 2);
    expect(await Promise.all([batcher.take(1), batcher.take(2)])).toEqual([1, 2]);
  });

  it('fails all of a batch that fails, and none after it', async () => {
    let fails = true;
    const batcher = new Batcher(async (items: readonly number[]) => {
      if (fails) throw new Error('away');
      return items;
    }, 1, 100);
    const settled = await Promise.allSettled([batcher.take(1), batcher.take(2)]);
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    fails = false;
    expect(await batcher.take(3)).toBe(3);
  });
});
