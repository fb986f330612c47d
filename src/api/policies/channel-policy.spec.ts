import { describe, expect, it } from '@jest/globals';
import type { Capability } from '../diff/capability.schema.js';
import { areShown, cannotDecide, ChannelPolicy, needsApproval, NO_CHANNEL_POLICY } from './channel-policy.js';

const host = (name: string): Capability => ({ kind: 'outbound-host', name, components: ['web'] });
const policy = (approval: object) => ChannelPolicy.parse({ approval });
const asking = policy({ newCapabilities: true });

describe(needsApproval.name, () => {
  const proposed = { cause: 'push', newlyAsked: [host('https://a')], wasServed: false };

  it('asks for nothing without a policy, or when nothing is new', () => {
    expect(needsApproval(NO_CHANNEL_POLICY, proposed)).toBeNull();
    expect(needsApproval(asking, { ...proposed, newlyAsked: [] })).toBeNull();
  });

  it('asks for what is new, whether it is pushed or rolled out', () => {
    expect(needsApproval(asking, proposed)).toEqual([host('https://a')]);
    expect(needsApproval(asking, { ...proposed, cause: 'rollout', wasServed: true })).toEqual([host('https://a')]);
  });

  it('lets a rollback to what was served before go on, and no other one', () => {
    expect(needsApproval(asking, { ...proposed, cause: 'rollback', wasServed: true })).toBeNull();
    expect(needsApproval(asking, { ...proposed, cause: 'rollback', wasServed: false })).toEqual([host('https://a')]);
  });
});

describe(cannotDecide.name, () => {
  const rollout = { pushedBy: 'ci', causedBy: 'ann' };

  it('lets anybody decide unless the policy asks for another', () => expect(cannotDecide(asking, 'ci', rollout)).toBeUndefined());

  it('names whoever had a hand in it', () => {
    const byAnother = policy({ newCapabilities: true, byAnother: true });
    expect(cannotDecide(byAnother, 'ci', rollout)).toBe('ci has pushed the version');
    expect(cannotDecide(byAnother, 'ann', rollout)).toBe('ann has begun the rollout');
    expect(cannotDecide(byAnother, 'bob', rollout)).toBeUndefined();
  });
});

describe(areShown.name, () => {
  it('finds what was not shown, and does not look at which components ask', () => {
    expect(areShown([{ ...host('https://a'), components: ['other'] }], [host('https://a'), host('https://b')])).toBe(true);
    expect(areShown([host('https://c')], [host('https://a')])).toBe(false);
    expect(areShown([{ kind: 'inherited', name: 'files', dependency: 'web > a:b', components: ['web'] }], [{ kind: 'inherited', name: 'files', dependency: 'web > c:d', components: ['web'] }])).toBe(false);
  });
});
