import { describe, expect, it } from '@jest/globals';
import type { TrafficShare } from '#contract/assignment.js';
import { versionState } from './version-state.js';

const serve = [{ version: 1, percent: 100 }] as TrafficShare[];

describe(versionState.name, () => {
  it.each([
    ['ready when nothing is under way', { number: 2, rollingOut: false, awaitingApproval: false, failed: false, collected: false }, 'ready'],
    ['pending while its rollout is under way', { number: 2, rollingOut: true, awaitingApproval: false, failed: false, collected: false }, 'pending'],
    ['awaiting approval while its rollout waits for somebody', { number: 2, rollingOut: true, awaitingApproval: true, failed: true, collected: false }, 'awaiting-approval'],
    ['pending while nodes switch to it', { number: 1, rollingOut: true, awaitingApproval: false, failed: false, collected: false }, 'pending'],
    ['serving when it is served', { number: 1, rollingOut: false, awaitingApproval: false, failed: false, collected: false }, 'serving'],
    ['failed when its last rollout failed', { number: 2, rollingOut: false, awaitingApproval: false, failed: true, collected: false }, 'failed'],
    ['serving when it is served in spite of a failed try', { number: 1, rollingOut: false, awaitingApproval: false, failed: true, collected: false }, 'serving'],
    ['collected when its bytes are given up', { number: 2, rollingOut: false, awaitingApproval: false, failed: true, collected: true }, 'collected'],
  ] as const)('is %s', (_what, facts, state) => {
    expect(versionState(facts, serve)).toBe(state);
  });
});
