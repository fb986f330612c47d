import { describe, expect, it } from '@jest/globals';
import { Backoff } from './backoff.js';

describe('Backoff', () => {
  it('doubles up to its maximum, and begins anew', () => {
    const backoff = new Backoff(100, 300, () => 1);
    expect([backoff.nextMs(), backoff.nextMs(), backoff.nextMs(), backoff.nextMs()]).toEqual([100, 200, 300, 300]);
    backoff.reset();
    expect(backoff.nextMs()).toBe(100);
  });

  it('scatters between half of the time and all of it', () => {
    expect(new Backoff(100, 300, () => 0).nextMs()).toBe(50);
  });
});
