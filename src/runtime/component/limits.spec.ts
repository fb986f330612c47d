import { describe, expect, it } from '@jest/globals';
import { LIMIT_NAMES } from '#contract/bundle/component-limits.js';
import { NodeConfig } from '#platform/config.js';
import { toLimits, toPlatformLimits } from './limits.js';

const platform = toPlatformLimits(NodeConfig.parse({
  WHORL_API_URL: 'http://localhost:4000', WHORL_NODE_TOKEN: 'sixteen characters', WHORL_NODE_NAME: 'n', WHORL_NODE_DIR: '/tmp', WHORL_LIMIT_QUEUE_MS: '5000',
}));

describe('the limits of a component', () => {
  it('have a setting of the operator each, with a default', () => {
    for (const name of LIMIT_NAMES) expect({ name, value: platform[name] }).toEqual({ name, value: expect.any(Number) });
    expect(platform.queueMs).toBe(5_000);
  });

  it('are lowered by an app, and never raised', () => {
    const { runnerInvocations: _, ...limits } = platform;
    expect(toLimits({ cpuMs: 10, wallMs: platform.wallMs + 1 }, platform)).toEqual({ ...limits, cpuMs: 10 });
  });
});
