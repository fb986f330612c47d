import { describe, expect, it } from '@jest/globals';
import type { TrafficShare } from '#contract/assignment.js';
import { versionState } from './version-state.js';

const serve = [{ version: 1, percent: 100 }] as TrafficShare[];

describe(versionState.name, () => {
  it.each([
    ['ready when nothing is under way', { number: 2, rollingOut: false, failed: false }, 'ready'],
    ['pending while its rollout is under way', { number: 2, rollingOut: true, failed: false }, 'pending'],
    ['pending while nodes switch to it', { number: 1, rollingOut: true, failed: false }, 'pending'],
    ['serving when it is served', { number: 1, rollingOut: false, failed: false }, 'serving'],
    ['failed when its last rollout failed', { number: 2, rollingOut: false, failed: true }, 'failed'],
    ['serving when it is served in spite of a failed try', { number: 1, rollingOut: false, failed: true }, 'serving'],
  ] as const)('is %s', (_what, facts, state) => {
    expect(versionState(facts, serve)).toBe(state);
  });
});
