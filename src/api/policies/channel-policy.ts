import { z } from 'zod';
import type { Capability } from '../diff/capability.schema.js';
import { describeCapability } from '../diff/capabilities.js';

/** Who must agree to what before a channel serves a version. */
export const ChannelPolicy = z.strictObject({
  approval: z.strictObject({
    newCapabilities: z.boolean().default(false).describe('A version that asks for more than what the channel serves waits until somebody agrees.'),
    byAnother: z.boolean().default(false).describe('Neither whoever pushed the version nor whoever began its rollout can agree.'),
  }).prefault({}),
});
export type ChannelPolicy = z.infer<typeof ChannelPolicy>;

export const NO_CHANNEL_POLICY: ChannelPolicy = ChannelPolicy.parse({});

/** What a rollout is about, as far as a policy looks at it. */
export interface ProposedRollout {
  cause: string;
  /** What the version asks for and nothing that the channel serves does. */
  newlyAsked: readonly Capability[];
  /** The channel has served the version before: somebody has agreed then, or nobody had to. */
  wasServed: boolean;
}

/**
 * What somebody must agree to before the rollout begins; null: nothing. A rollback to what was served before waits for nobody: it is for when
 * something is wrong. Pure.
 */
export function needsApproval({ approval }: ChannelPolicy, { cause, newlyAsked, wasServed }: ProposedRollout): Capability[] | null {
  if (!approval.newCapabilities || newlyAsked.length === 0) return null;
  return cause === 'rollback' && wasServed ? null : [...newlyAsked];
}

/** Why a token cannot agree; undefined: it can. Pure. */
export function cannotDecide({ approval }: ChannelPolicy, who: string, { pushedBy, causedBy }: { pushedBy: string; causedBy: string }): string | undefined {
  if (!approval.byAnother) return undefined;
  if (who === pushedBy) return `${who} has pushed the version`;
  return who === causedBy ? `${who} has begun the rollout` : undefined;
}

/** Whether everything that is asked for is among what was shown. */
export function areShown(asked: readonly Capability[], shown: readonly Capability[]): boolean {
  const known = new Set(shown.map((each) => describeCapability({ ...each, components: [] })));
  return asked.every((each) => known.has(describeCapability({ ...each, components: [] })));
}
