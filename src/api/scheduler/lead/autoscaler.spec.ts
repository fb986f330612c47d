import { describe, expect, it } from '@jest/globals';
import { Autoscaler, type ChannelMeasure, type Scalable } from './autoscaler.js';
import { BASE_DEMAND, cpuStep } from './demand.js';

const channel = (change: Partial<Scalable> = {}): Scalable => ({ min: 0, max: null, active: 1, ...change });
const measured = (change: Partial<ChannelMeasure> = {}) => new Map([['c', { concurrency: 1, milliCores: 10, ...change }]]);

/** Steps two seconds apart for so long; answers what was said last. */
function after(scaler: Autoscaler, seconds: number, { measures, known = channel(), fromMs = 0 }: { measures: ReadonlyMap<string, ChannelMeasure> | undefined; known?: Scalable; fromMs?: number }) {
  let said = new Map<string, { wanted: number }>();
  for (let ms = 0; ms <= seconds * 1000; ms += 2_000) said = scaler.step({ nowMs: fromMs + ms, nodes: 5, measures, find: (id) => (id === 'c' ? known : undefined) });
  return said.get('c');
}

describe(Autoscaler.name, () => {
  it('says nothing of channels that nobody uses', () => {
    expect(after(new Autoscaler(), 10, { measures: new Map() })).toBeUndefined();
  });

  it('asks for one replica at the first request, and for as many as the requests need, as far as there are nodes', () => {
    const scaler = new Autoscaler();
    expect(after(scaler, 0, { measures: measured() })).toMatchObject({ wanted: 1 });
    expect(after(scaler, 10, { measures: measured({ concurrency: 200 }), fromMs: 2_000 })).toMatchObject({ wanted: 3 });
    expect(after(scaler, 10, { measures: measured({ concurrency: 2_000 }), fromMs: 14_000 })).toMatchObject({ wanted: 5 });
    expect(scaler.reasonOf('c')).toContain('requests at a time');
  });

  it('puts it on disk only when it was not asked for long enough, and forgets it', () => {
    const scaler = new Autoscaler();
    after(scaler, 0, { measures: measured() });
    expect(after(scaler, 80, { measures: new Map(), fromMs: 2_000 })).toMatchObject({ wanted: 1 });
    const said = scaler.step({ nowMs: 95_000, nodes: 5, measures: new Map(), find: () => channel() });
    expect([said.get('c')?.wanted, scaler.reasonOf('c')]).toEqual([0, undefined]);
  });

  it('leaves everything as it is while nobody measures', () => {
    const scaler = new Autoscaler();
    scaler.resume('c', 3, 0);
    expect(after(scaler, 300, { measures: undefined, known: channel({ active: 3 }) })).toMatchObject({ wanted: 3 });
  });

  it('goes on from what a leader before it left', () => {
    const scaler = new Autoscaler();
    scaler.resume('c', 3, 0);
    expect(after(scaler, 10, { measures: measured({ concurrency: 200 }), known: channel({ active: 3 }) })).toMatchObject({ wanted: 3 });
  });

  it('forgets what is gone', () => {
    const scaler = new Autoscaler();
    after(scaler, 0, { measures: measured() });
    expect(scaler.step({ nowMs: 2_000, nodes: 5, measures: new Map(), find: () => undefined }).size).toBe(0);
    expect(scaler.reasonOf('c')).toBeUndefined();
  });
});

describe(cpuStep.name, () => {
  it.each([[10, 50, 50], [60, 50, 100], [700, 100, 800], [500, 800, 800], [200, 800, 400], [0, 800, BASE_DEMAND.milliCores]])('of %i mCPU beside a step of %i is %i', (measuredMilliCores, before, step) => {
    expect(cpuStep(measuredMilliCores, before)).toBe(step);
  });
});
