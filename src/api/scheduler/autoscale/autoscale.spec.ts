import { describe, expect, it } from '@jest/globals';
import { autoscale, type AutoscaleMemory } from './autoscale.js';
import { DEFAULT_AUTOSCALE } from './autoscale-settings.js';
import type { LoadSample } from './windows.js';

const SETTINGS = { ...DEFAULT_AUTOSCALE, targetConcurrency: 10, targetMilliCores: 500, min: 0, max: 20 };

/** Steps every 2 s over samples of every second; what is wanted is ready one step later. */
class Channel {
  nowMs = 0;
  memory: AutoscaleMemory = { wanted: 0, panicUntilMs: null, lastUsedMs: -Infinity };
  reason = '';
  readonly samples: LoadSample[] = [];

  constructor(private readonly settings = SETTINGS) {}

  run(seconds: number, concurrency: number, milliCores = 0): number[] {
    const steps: number[] = [];
    for (let i = 1; i <= seconds; i++) {
      this.nowMs += 1_000;
      this.samples.push({ atMs: this.nowMs, concurrency, milliCores });
      if (i % 2 === 0) steps.push(this.step());
    }
    return steps;
  }

  step(ready = this.memory.wanted): number {
    const { memory, wanted, reason } = autoscale(this.settings, this.memory, { samples: this.samples, ready, nowMs: this.nowMs });
    [this.memory, this.reason] = [memory, reason];
    return wanted;
  }
}

describe(autoscale.name, () => {
  it('wants as many as the average of the stable window needs', () => {
    const channel = new Channel();
    channel.run(180, 45);
    expect(channel.memory).toMatchObject({ wanted: 5, panicUntilMs: null });
    expect(channel.reason).toBe('over 60 s: 45.0 requests at a time and 0.00 cores; 10 and 0.5 for each replica: 5, 5 ready');
  });

  it('wants more by CPU when CPU asks for more than requests do', () => {
    const channel = new Channel();
    channel.run(180, 1, 1_600);
    expect(channel.memory.wanted).toBe(4);
  });

  it('follows a surge by the panic window, within seconds, and takes nothing away until a stable window later', () => {
    const channel = new Channel();
    channel.run(180, 10);
    expect(channel.memory.wanted).toBe(1);
    expect(Math.max(...channel.run(8, 100))).toBe(10);
    expect(channel.reason).toContain('panic, over 6 s');
    // The surge is over; what it wanted stays.
    expect(new Set(channel.run(50, 10))).toEqual(new Set([10]));
    channel.run(80, 10);
    expect(channel.memory).toMatchObject({ wanted: 1, panicUntilMs: null });
  });

  it('takes away no more than half in one step', () => {
    const channel = new Channel();
    channel.run(300, 160);
    expect(channel.memory.wanted).toBe(16);
    const steps = channel.run(200, 1);
    for (const [i, wanted] of steps.entries()) expect(wanted).toBeGreaterThanOrEqual(Math.floor((steps[i - 1] ?? 16) / 2));
    expect(steps.at(-1)).toBe(1);
  });

  it('goes to disk only when there was no request for long enough, and comes back with the first', () => {
    const channel = new Channel();
    channel.run(120, 5);
    expect(channel.run(88, 0).at(-1)).toBe(1);
    expect(channel.run(4, 0).at(-1)).toBe(0);
    expect(channel.reason).toBe('no request for 92 s: on disk only');
    expect(channel.run(2, 1).at(-1)).toBe(1);
  });

  it('stays between the least and the most', () => {
    const busy = new Channel({ ...SETTINGS, min: 2, max: 3 });
    expect(new Set(busy.run(60, 500))).toEqual(new Set([3]));
    expect(busy.reason).toContain('but for its bounds 2 to 3');
    const idle = new Channel({ ...SETTINGS, min: 2, max: 3 });
    expect(new Set(idle.run(300, 0))).toEqual(new Set([2]));
    expect(idle.reason).toMatch(/: the least, 2$/);
  });

  it('holds what it has decided while nobody measures, which is not the same as no requests', () => {
    const channel = new Channel();
    channel.run(180, 45);
    channel.nowMs += 600_000;
    expect(channel.step()).toBe(5);
    expect(channel.reason).toBe('no measures of the last 60 s: it stays as it is');
  });

  it('goes on with a panic under a new leader', () => {
    const channel = new Channel();
    channel.run(120, 10);
    channel.run(8, 100);
    channel.memory = structuredClone(channel.memory);
    expect(channel.step(1)).toBe(10);
  });

  it('is the same for the same input, whatever samples of the future there are', () => {
    const samples = [{ atMs: 1_000, concurrency: 20, milliCores: 0 }, { atMs: 99_000, concurrency: 999, milliCores: 0 }];
    const memory = { wanted: 1, panicUntilMs: null, lastUsedMs: 0 };
    expect(autoscale(SETTINGS, memory, { samples, ready: 1, nowMs: 2_000 }).wanted).toBe(2);
    expect(autoscale(SETTINGS, memory, { samples, ready: 1, nowMs: 2_000 })).toEqual(autoscale(SETTINGS, memory, { samples, ready: 1, nowMs: 2_000 }));
  });
});
