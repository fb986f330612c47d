import { describe, expect, it } from '@jest/globals';
import type { ComponentLimits } from '#contract/bundle/component-limits.js';
import type { LockedComponent } from '#contract/bundle/locked-app.js';
import { limitsGiven, limitWarnings } from './limits-given.js';

const component = (id: string, limits: ComponentLimits) => ({ id, limits }) as LockedComponent;

describe(limitsGiven.name, () => {
  it('is the lower one of what is asked for and what the nodes give', () => {
    expect(limitsGiven({ cpuMs: 10, wallMs: 900 }, { cpuMs: 500, wallMs: 500, queueMs: 5 })).toEqual({ cpuMs: 10, wallMs: 500, queueMs: 5 });
  });

  it('is what is asked for while no node has said what it gives', () => {
    expect(limitsGiven({ cpuMs: 10 }, {})).toEqual({ cpuMs: 10 });
  });
});

describe(limitWarnings.name, () => {
  it('names key, value and maximum of what is not given, and nothing else', () => {
    const app = { components: [component('web', { cpuMs: 60_000, wallMs: 30_000, memoryBytes: 65_536 }), component('cron', {})] };
    expect(limitWarnings(app, { cpuMs: 30_000, wallMs: 30_000, memoryBytes: 1_000_000 })).toEqual([
      'spin.toml, component.web.tool.whorl.cpu_ms: 60000 is more than the nodes give, 30000 (WHORL_LIMIT_CPU_MS); the component gets 30000',
    ]);
    expect(limitWarnings(app, {})).toEqual([]);
  });
});
