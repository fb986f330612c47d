import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { VersionNumber } from '#contract/ids.js';
import { OVERDUE_MS } from '#contract/samples.js';
import { bucketOf, ChannelSamples, type Ended } from './version-samples.js';

const two = 2 as VersionNumber;
const ok: Ended = { code: null, status: 200, cpuMs: 1 };

describe(ChannelSamples.name, () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  /** One request that takes so long. */
  const request = (samples: ChannelSamples, ended: Ended, ms = 1, group = 0) => {
    const observation = samples.begin(two, 'web', group);
    jest.advanceTimersByTime(ms);
    observation.end(ended);
  };

  it('counts each request once, by how it ended', () => {
    const samples = new ChannelSamples();
    request(samples, ok);
    request(samples, { ...ok, status: 404 });
    request(samples, { ...ok, status: 503 });
    request(samples, { code: 'COMPONENT_TRAP', status: 500, cpuMs: 1 });
    request(samples, { code: 'COMPONENT_CPU_LIMIT', status: 500, cpuMs: 1 });
    expect(samples.take()).toMatchObject([{ version: 2, component: 'web', started: 5, requests: 5, errors: 3, traps: 1, limits: 1, overdue: 0 }]);
    expect(samples.take()).toEqual([]);
  });

  it('takes a fault that ends several requests of an instance for one', () => {
    const samples = new ChannelSamples();
    request(samples, { code: 'COMPONENT_TRAP', status: 500, cpuMs: 1 });
    for (let i = 0; i < 3; i++) request(samples, { code: 'COMPONENT_INSTANCE_LOST', status: 500, cpuMs: 1 });
    expect(samples.take()).toMatchObject([{ requests: 4, errors: 1 }]);
  });

  it('counts one without an answer as an error when it is overdue, and not again when it ends', () => {
    const samples = new ChannelSamples();
    const hanging = samples.begin(two, 'web', 0);
    expect(samples.take()).toMatchObject([{ started: 1, requests: 0 }]);
    jest.advanceTimersByTime(OVERDUE_MS);
    const [late] = samples.take();
    expect(late).toMatchObject({ started: 0, requests: 1, errors: 1, overdue: 1 });
    expect(late!.latency[bucketOf(OVERDUE_MS)]).toBe(1);
    hanging.end(ok);
    expect(samples.take()).toEqual([]);
  });

  it('notes by group which requests are among the slowest twentieth', () => {
    const samples = new ChannelSamples();
    for (let i = 0; i < 95; i++) request(samples, ok, 1, i % 4);
    for (let i = 0; i < 5; i++) request(samples, { ...ok, status: 500 }, 100, 7);
    const { groups } = samples.take()[0]!;
    expect([0, 1, 2].map((part) => groups[3 * 7 + part])).toEqual([5, 5, 5]);
    expect([0, 1, 2, 3].map((group) => groups[3 * group + 2])).toEqual([0, 0, 0, 0]);
  });

  it('keeps latency, and CPU time where it is known, in buckets that a sixteenth doubling is wide', () => {
    const samples = new ChannelSamples();
    request(samples, { ...ok, cpuMs: 0.5 }, 4);
    request(samples, { ...ok, cpuMs: null }, 8);
    const { latency, cpu } = samples.take()[0]!;
    expect([latency[bucketOf(4)], latency[bucketOf(8)], bucketOf(8) - bucketOf(4)]).toEqual([1, 1, 16]);
    expect([cpu[bucketOf(0.5)], cpu.reduce((sum, count) => sum + count, 0)]).toEqual([1, 1]);
  });
});
