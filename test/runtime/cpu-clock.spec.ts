import { afterAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { ThreadCpuClock } from '#runtime/component/cpu-clock.js';

const clock = new ThreadCpuClock(() => undefined);
afterAll(() => clock.close());

const cpuNs = (): bigint => {
  const { user, system } = process.threadCpuUsage();
  return BigInt(user + system) * 1_000n;
};
const spin = (ms: number) => {
  const until = cpuNs() + BigInt(ms) * 1_000_000n;
  while (cpuNs() < until);
};
/** Between two exact readings the clock may run ahead by one millisecond, and the system counts in microseconds. */
const AHEAD_NS = 1_100_000n;

describe(ThreadCpuClock.name, () => {
  it('tells the CPU time of the thread, at most a millisecond ahead', () => {
    for (let i = 0; i < 200; i++) {
      spin(i % 3);
      const before = cpuNs();
      const told = clock.now();
      expect(told).toBeGreaterThan(before - AHEAD_NS);
      expect(told).toBeLessThan(cpuNs() + AHEAD_NS);
    }
  });

  it('never goes back, and does not count time in which the thread sleeps', async () => {
    let last = clock.now();
    const first = last;
    const used = cpuNs();
    for (let i = 0; i < 20; i++) {
      await sleep(5);
      const told = clock.now();
      expect(told).toBeGreaterThanOrEqual(last);
      last = told;
    }
    expect(last - first).toBeLessThan(cpuNs() - used + AHEAD_NS);
  });
});
