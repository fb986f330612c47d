import { describe, expect, it } from '@jest/globals';
import { CpuShare } from './cpu-share.js';

describe(CpuShare.name, () => {
  it('lets go on what has saved up, and says how long what has not is to wait', () => {
    const share = new CpuShare(0.1, 100);
    expect(share.waitMs(0)).toBe(0);
    share.spend(150);
    expect(share.waitMs(0)).toBe(501);
    expect(share.waitMs(400)).toBe(101);
    expect(share.waitMs(501)).toBe(0);
  });

  it('saves up so much and no more, however long nothing was spent', () => {
    const share = new CpuShare(0.1, 100);
    expect(share.waitMs(3_600_000)).toBe(0);
    share.spend(101);
    expect(share.waitMs(3_600_000)).toBeGreaterThan(0);
  });

  it('never gives more than its share of the time, but for what was saved', () => {
    const share = new CpuShare(0.1, 100);
    let spentMs = 0;
    for (let nowMs = 0; nowMs < 100_000; nowMs++) {
      if (share.waitMs(nowMs) > 0) continue;
      share.spend(50);
      spentMs += 50;
    }
    expect(spentMs).toBeLessThanOrEqual(100 + 0.1 * 100_000 + 50);
    expect(spentMs).toBeGreaterThan(0.09 * 100_000);
  });
});
