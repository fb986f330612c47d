import { describe, expect, it } from '@jest/globals';
import { type HealthMeasures, MIN_FREE_DISK_BYTES, sicknessOf, STALL_MS } from './node-health.js';

const well: HealthMeasures = { nowMs: 100_000, freeDiskBytes: 10 * MIN_FREE_DISK_BYTES, runnerDeathsMs: [], runners: 2, stalls: [], clockOffsetMs: 0 };
const times = (count: number, atMs = 90_000): number[] => Array.from({ length: count }, () => atMs);

describe('the sickness of a node', () => {
  it('is none when everything is well, and when nothing can be told', () => {
    expect(sicknessOf(well, null)).toBeNull();
    expect(sicknessOf({ ...well, freeDiskBytes: null, clockOffsetMs: null }, null)).toBeNull();
  });

  it('is a disk without room for one more bundle, until there is room for two', () => {
    const sick = sicknessOf({ ...well, freeDiskBytes: MIN_FREE_DISK_BYTES - 1 }, null);
    expect(sick).toContain('the disk is full');
    expect(sicknessOf({ ...well, freeDiskBytes: MIN_FREE_DISK_BYTES + 1 }, sick)).toContain('the disk is full');
    expect(sicknessOf({ ...well, freeDiskBytes: MIN_FREE_DISK_BYTES + 1 }, null)).toBeNull();
    expect(sicknessOf({ ...well, freeDiskBytes: 2 * MIN_FREE_DISK_BYTES }, sick)).toBeNull();
  });

  it('is every runner dying three times within a minute', () => {
    expect(sicknessOf({ ...well, runnerDeathsMs: times(5) }, null)).toBeNull();
    expect(sicknessOf({ ...well, runnerDeathsMs: times(6) }, null)).toContain('runners end again and again');
    expect(sicknessOf({ ...well, runnerDeathsMs: times(6, 30_000) }, null)).toBeNull();
  });

  it('is its process standing still again and again, not once as after a sleep', () => {
    const stalls = (count: number) => times(count).map((atMs) => ({ atMs, stalledMs: STALL_MS }));
    expect(sicknessOf({ ...well, stalls: [{ atMs: 99_000, stalledMs: 3_600_000 }] }, null)).toBeNull();
    expect(sicknessOf({ ...well, stalls: stalls(3) }, null)).toContain('stood still');
  });

  it.each([[5 * 60_000, 'behind'], [-5 * 60_000, 'ahead of']])('is a clock that is off by %i ms', (clockOffsetMs, word) => {
    expect(sicknessOf({ ...well, clockOffsetMs }, null)).toContain(`its clock is ${word} the control plane's`);
    expect(sicknessOf({ ...well, clockOffsetMs: clockOffsetMs / 2 }, null)).toBeNull();
  });

  it('says the same while it is the same', () => {
    expect(sicknessOf({ ...well, runnerDeathsMs: times(6) }, null)).toBe(sicknessOf({ ...well, runnerDeathsMs: times(9) }, null));
  });
});
