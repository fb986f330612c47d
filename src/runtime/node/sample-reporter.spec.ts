import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppName, ChannelName, VersionNumber } from '#contract/ids.js';
import { NodeSamples } from '#contract/samples.js';
import { Log } from '#platform/log.js';
import { emptyCounts, type SampledChannel } from '#runtime/meter/version-samples.js';
import { SampleReporter } from './sample-reporter.js';

const [app, channel] = ['shop' as AppName, 'production' as ChannelName];
const counted = (started: number, requests = started, errors = 0): SampledChannel[] => {
  const counts = { ...emptyCounts(2 as VersionNumber, 'web'), started, requests, errors };
  counts.latency[160] = requests;
  return [{ app, channel, samples: [counts] }];
};
const reporter = (send: (report: NodeSamples) => Promise<void> = async () => undefined) => new SampleReporter('start-1', send, new Log({}, 'error'));

describe(SampleReporter.name, () => {
  it('adds up what the runners say, and writes it as the control plane reads it', () => {
    const samples = reporter();
    samples.add('a', counted(3, 3, 1));
    samples.add('b', counted(4));
    const report = samples.next()!;
    expect(NodeSamples.parse(report)).toMatchObject({ incarnation: 'start-1', seq: 1, channels: [{ app, channel, samples: [{ version: 2, component: 'web', started: 7, requests: 7, errors: 1, latency: [160, 7], cpu: [] }] }] });
    expect(samples.next()).toBeUndefined();
  });

  it('says of a channel without requests that there were none', () => {
    const samples = reporter();
    samples.add('a', [{ app, channel, samples: [] }]);
    expect(samples.next()).toMatchObject({ channels: [{ samples: [] }] });
  });

  it('counts requests that a runner took with it as one fault, and those of channels that are not compared any more not at all', () => {
    const samples = reporter();
    samples.add('a', counted(5, 2));
    samples.next();
    samples.lost('a');
    expect(samples.next()).toMatchObject({ channels: [{ samples: [{ started: 0, requests: 3, errors: 1 }] }] });
    samples.add('b', counted(5, 2));
    samples.add('b', []);
    samples.next();
    samples.lost('b');
    expect(samples.next()).toBeUndefined();
  });

  it('sends a report again, as it was, until it is taken; what came meanwhile is in the next', async () => {
    const sent: NodeSamples[] = [];
    const stopping = new AbortController();
    const samples = reporter(async (report) => {
      sent.push(structuredClone(report));
      if (sent.length === 1) {
        samples.add('a', counted(2));
        throw new Error('the control plane is away');
      }
      if (sent.length === 3) stopping.abort();
    });
    samples.add('a', counted(1));
    await Promise.race([samples.run(stopping.signal), sleep(20_000, undefined, { ref: false })]);
    expect(sent.map(({ seq, channels }) => [seq, channels[0]!.samples[0]!.started])).toEqual([[1, 1], [1, 1], [2, 2]]);
  }, 30_000);
});
