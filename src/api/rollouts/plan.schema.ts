import { z } from 'zod';
import { TrafficShare } from '#contract/assignment.js';
import { AppName, ChannelName, VersionNumber } from '#contract/ids.js';
import { Held } from '../channels/gate.js';
import { Capability } from '../diff/capability.schema.js';
import { VersionDiff } from '../diff/diff.schema.js';
import { RestoredVariables } from './rollout.schema.js';

/** What a call would change, of one that stores nothing. */
export const RolloutPlan = z.object({
  plan: z.literal(true),
  app: AppName,
  channel: ChannelName,
  version: VersionNumber.describe('The version that would be served; of a push the number that it would get.'),
  isNew: z.boolean().describe('It would be made.'),
  outcome: z
    .enum(['nothing', 'stored', 'rolled-out', 'awaiting-approval', 'held'])
    .describe('nothing: it is served, or its rollout is under way. stored: no rollout would begin. awaiting-approval: somebody must agree to `asks` first. held: it would wait for the channel, see `held`.'),
  serving: z.array(TrafficShare).describe('What the channel serves now.'),
  changes: VersionDiff.omit({ app: true }).nullable().describe('How the version differs from the one that is served; null: nothing else is served.'),
  strategy: z.string(),
  steps: z.array(z.object({ step: z.int(), percent: z.number(), pause: z.string() })).describe('Before it gets all requests.'),
  asks: z.array(Capability).describe('What somebody with the scope approve must agree to.'),
  held: Held.nullable(),
  nodes: z.array(z.string()).describe('The live nodes that would switch.'),
  variables: RestoredVariables.nullable().describe('Of a way back: what would become of the variables; null: they stay.'),
  staysAsItIs: z.array(z.object({ kind: z.string(), name: z.string(), why: z.string() })).describe('Of a way back: what does not go back with it.'),
  warnings: z.array(z.string()),
});
export type RolloutPlan = z.infer<typeof RolloutPlan>;

/** Of a call: `plan=true` says what it would change. */
export const PlanFlag = z.enum(['true', 'false']).default('false').transform((text) => text === 'true').describe('true: nothing is stored; the answer says what the call would change, or why it would be refused.');
