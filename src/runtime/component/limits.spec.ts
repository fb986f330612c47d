import { describe, expect, it } from '@jest/globals';
import { LIMIT_NAMES } from '#contract/bundle/component-limits.js';
import { NodeConfig } from '#platform/config.js';
import { toLimits, toPlatformLimits, toReuse } from './limits.js';

const platform = toPlatformLimits(NodeConfig.parse({
  WHORL_API_URL: 'http://localhost:4000', WHORL_NODE_TOKEN: 'sixteen characters', WHORL_NODE_NAME: 'n', WHORL_NODE_DIR: '/tmp', WHORL_LIMIT_QUEUE_MS: '5000',
}));

describe('the limits of a component', () => {
  it('have a setting of the operator each, with a default', () => {
    for (const name of LIMIT_NAMES) expect({ name, value: platform[name] }).toEqual({ name, value: expect.any(Number) });
    expect(platform.queueMs).toBe(5_000);
  });

  it('are lowered by an app, and never raised', () => {
    const { runnerInvocations: _, reuse: __, ...limits } = platform;
    expect(toLimits({ cpuMs: 10, wallMs: platform.wallMs + 1 }, platform)).toEqual({ ...limits, cpuMs: 10 });
  });
});

describe('the reuse of instances', () => {
  const reuse = { requests: 128, concurrent: 16, idleMs: 1_000 };

  it.each([
    ['is as the operator sets it, for an app that just asks for it', {}, reuse],
    ['is lowered by an app, and never raised', { requests: 5, idleMs: 5_000 }, { ...reuse, requests: 5 }],
    ['is none for an app that does not ask', undefined, null],
    ['is none for an app that asks for one request', { requests: 1 }, null],
  ])('%s', (_, asked, given) => {
    expect(toReuse(asked, platform)).toEqual(given);
  });

  it('is none where the operator allows one request', () => {
    expect(toReuse({ requests: 9 }, { ...platform, reuse: { ...reuse, requests: 1 } })).toBeNull();
  });
});
