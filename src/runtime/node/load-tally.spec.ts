import { describe, expect, it } from '@jest/globals';
import type { AppName, ChannelName } from '#contract/ids.js';
import { LoadTally } from './load-tally.js';
import { BEAT_MS } from './runner-protocol.js';

const channel = 'production' as ChannelName;
const of = (app: string) => ({ app: app as AppName, channel });

describe('the tally of load', () => {
  it('has what was used, and requests at a time on average over all runners', () => {
    let nowMs = 0;
    const tally = new LoadTally(() => nowMs);
    nowMs = 4 * BEAT_MS;
    tally.used([{ ...of('a'), requests: 10, cpuMs: 5 }, { ...of('a'), requests: 2, cpuMs: 1 }]);
    for (const requests of [4, 2, 4, 2]) tally.seen([{ ...of('a'), requests }]);
    tally.seen([{ ...of('b'), requests: 1 }]);
    expect(tally.count().load).toEqual({
      spanMs: 4 * BEAT_MS,
      channels: [{ ...of('a'), inFlight: 3, requests: 12, cpuMs: 6 }, { ...of('b'), inFlight: 0.25, requests: 0, cpuMs: 0 }],
    });
  });

  it('counts on until it is taken, and then without what was', () => {
    let nowMs = 0;
    const tally = new LoadTally(() => nowMs);
    tally.used([{ ...of('a'), requests: 1, cpuMs: 1 }]);
    nowMs = 1_000;
    tally.count();
    tally.used([{ ...of('a'), requests: 2, cpuMs: 1 }]);
    nowMs = 2_000;
    const second = tally.count();
    expect(second.load).toMatchObject({ spanMs: 2_000, channels: [{ requests: 3 }] });
    tally.used([{ ...of('a'), requests: 4, cpuMs: 1 }]);
    second.taken();
    nowMs = 2_500;
    const third = tally.count();
    expect(third.load).toMatchObject({ spanMs: 500, channels: [{ requests: 4, cpuMs: 1 }] });
    third.taken();
    expect(tally.count().load.channels).toEqual([]);
  });
});
