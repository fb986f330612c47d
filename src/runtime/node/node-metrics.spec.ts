import { describe, expect, it } from '@jest/globals';
import type { AppName, ChannelName, VersionNumber } from '#contract/ids.js';
import { emptySum, type UsageSum } from '#runtime/meter/usage-tally.js';
import { NodeMetrics } from './node-metrics.js';

const usage = (app: string, more: Partial<UsageSum> = {}): UsageSum =>
  ({ ...emptySum({ org: 'default', app: app as AppName, channel: 'production' as ChannelName, version: 1 as VersionNumber, component: 'main' }), ...more });
const load = { running: 3, queued: 2, loaded: 5, residentBytes: 1_000, cpuSeconds: 1 };
const make = (maxSources?: number) => new NodeMetrics({ lanes: () => [{ lane: 'shared', loads: [load, load, undefined] }, { lane: 'heavy', loads: [] }], apps: () => 7 }, maxSources);
const lines = async (metrics: NodeMetrics, name: string) => (await metrics.text()).split('\n').filter((line) => line.startsWith(name));
const LABELS = 'org="default",app="shop",channel="production",version="1",component="main"';

describe(NodeMetrics.name, () => {
  it('adds up what runners report, and says the same at each look', async () => {
    const metrics = make();
    metrics.add([usage('shop', { requests: 2, errors: 1, cpuMs: 500, limits: { COMPONENT_CPU_LIMIT: 1 } })]);
    metrics.add([usage('shop', { requests: 3, limits: { COMPONENT_CPU_LIMIT: 1, COMPONENT_BUSY: 4 } })]);
    for (let look = 0; look < 2; look++) {
      expect(await lines(metrics, 'whorl_invocations_total')).toEqual([`whorl_invocations_total{${LABELS}} 5`]);
      expect(await lines(metrics, 'whorl_invocation_errors_total')).toEqual([`whorl_invocation_errors_total{${LABELS}} 1`]);
      expect(await lines(metrics, 'whorl_invocation_cpu_seconds_total')).toEqual([`whorl_invocation_cpu_seconds_total{${LABELS}} 0.5`]);
      expect(await lines(metrics, 'whorl_limit_strikes_total')).toEqual([
        `whorl_limit_strikes_total{${LABELS},code="COMPONENT_CPU_LIMIT"} 2`, `whorl_limit_strikes_total{${LABELS},code="COMPONENT_BUSY"} 4`,
      ]);
    }
  });

  it('has what runners say of themselves by lane, those that said nothing yet included in their number', async () => {
    const metrics = make();
    metrics.died('shared');
    expect(await lines(metrics, 'whorl_runners{')).toEqual(['whorl_runners{lane="shared"} 3', 'whorl_runners{lane="heavy"} 0']);
    expect(await lines(metrics, 'whorl_queued_invocations')).toEqual(['whorl_queued_invocations{lane="shared"} 4', 'whorl_queued_invocations{lane="heavy"} 0']);
    expect(await lines(metrics, 'whorl_runner_deaths_total')).toEqual(['whorl_runner_deaths_total{lane="shared"} 1', 'whorl_runner_deaths_total{lane="heavy"} 0']);
    expect(await lines(metrics, 'whorl_apps')).toEqual(['whorl_apps 7']);
  });

  it('has no more series than it may: who had no traffic for longest gives way', async () => {
    const metrics = make(2);
    metrics.add([usage('a', { requests: 1 }), usage('b', { requests: 1 })]);
    metrics.add([usage('a', { requests: 1 }), usage('c', { requests: 1 })]);
    expect((await lines(metrics, 'whorl_invocations_total')).map((line) => /app="(.)".* (\d)/.exec(line)?.slice(1))).toEqual([['a', '2'], ['c', '1']]);
    expect(await lines(metrics, 'whorl_metrics_sources_dropped')).toEqual(['whorl_metrics_sources_dropped 1']);
  });
});
