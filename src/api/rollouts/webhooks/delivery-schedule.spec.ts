import { describe, expect, it } from '@jest/globals';
import { MAX_ATTEMPTS, nextDelayMs } from './delivery-schedule.js';

describe(nextDelayMs.name, () => {
  it('waits longer each time, and ends', () => {
    const delays = Array.from({ length: MAX_ATTEMPTS - 1 }, (_, i) => nextDelayMs(i + 1, false)!);
    expect(delays).toEqual([...delays].sort((a, b) => a - b));
    expect(nextDelayMs(MAX_ATTEMPTS, false)).toBeNull();
  });

  it('asks a gate again soon, until its time is up', () => {
    expect([1, 2, 3, 4, 1_000].map((attempts) => nextDelayMs(attempts, true))).toEqual([1_000, 2_000, 5_000, 5_000, 5_000]);
  });
});
