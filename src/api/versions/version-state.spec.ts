import { describe, expect, it } from '@jest/globals';
import { versionState } from './version-state.js';

describe(versionState.name, () => {
  it.each([
    ['ready when nothing is under way', { channels: [], rollingOut: false, awaitingApproval: false, failed: false, collected: false }, 'ready'],
    ['pending while its rollout is under way', { channels: [], rollingOut: true, awaitingApproval: false, failed: false, collected: false }, 'pending'],
    ['awaiting approval while its rollout waits for somebody', { channels: [], rollingOut: true, awaitingApproval: true, failed: true, collected: false }, 'awaiting-approval'],
    ['pending while nodes switch to it', { channels: ['production'], rollingOut: true, awaitingApproval: false, failed: false, collected: false }, 'pending'],
    ['serving when it is served', { channels: ['production'], rollingOut: false, awaitingApproval: false, failed: false, collected: false }, 'serving'],
    ['failed when its last rollout failed', { channels: [], rollingOut: false, awaitingApproval: false, failed: true, collected: false }, 'failed'],
    ['serving when it is served in spite of a failed try', { channels: ['production'], rollingOut: false, awaitingApproval: false, failed: true, collected: false }, 'serving'],
    ['collected when its bytes are given up', { channels: [], rollingOut: false, awaitingApproval: false, failed: true, collected: true }, 'collected'],
  ] as const)('is %s', (_what, facts, state) => {
    expect(versionState(facts)).toBe(state);
  });
});
