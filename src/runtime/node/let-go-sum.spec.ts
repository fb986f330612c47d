import { describe, expect, it } from '@jest/globals';
import { LetGoSum } from './let-go-sum.js';

describe('the sum of what a node has let go of', () => {
  it('adds up its runners, and says when something is new', () => {
    const sum = new LetGoSum();
    sum.addChannels(2);
    expect(sum.take('a', { finished: 0, dropped: 0, underWay: 0 })).toBe(false);
    expect(sum.take('a', { finished: 1, dropped: 0, underWay: 2 })).toBe(true);
    expect(sum.take('b', { finished: 3, dropped: 1, underWay: 0 })).toBe(true);
    expect(sum.take('b', { finished: 3, dropped: 1, underWay: 0 })).toBe(false);
    expect(sum.sum()).toEqual({ channels: 2, finished: 4, dropped: 1, underWay: 2 });
  });

  it('takes what a runner had under way when it ended for dropped', () => {
    const sum = new LetGoSum();
    sum.take('a', { finished: 1, dropped: 1, underWay: 2 });
    sum.lost('a');
    sum.lost('unknown');
    expect(sum.sum()).toEqual({ channels: 0, finished: 1, dropped: 3, underWay: 0 });
  });
});
