import { describe, expect, it } from '@jest/globals';
import { Turnstile } from './turnstile.js';

describe('Turnstile', () => {
  it('lets so many in at a time, in order, whatever becomes of them', async () => {
    const turnstile = new Turnstile(2);
    let inside = 0;
    let most = 0;
    const began: number[] = [];
    const all = Array.from({ length: 7 }, (_, i) => turnstile.run(async () => {
      began.push(i);
      most = Math.max(most, ++inside);
      await new Promise(setImmediate);
      inside--;
      if (i % 2 === 1) throw new Error('odd');
      return i;
    }));
    const results = await Promise.allSettled(all);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled']);
    expect([most, began]).toEqual([2, [0, 1, 2, 3, 4, 5, 6]]);
    expect(await turnstile.run(async () => 'free')).toBe('free');
  });
});
