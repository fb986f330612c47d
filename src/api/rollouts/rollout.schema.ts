import { z } from 'zod';
import { TrafficShare } from '#contract/assignment.js';
import { AppName, ChannelName, VersionNumber } from '#contract/ids.js';
import { AppParams, ChannelQuery } from '../apps/app.schema.js';
import { Forced, Held } from '../channels/gate.js';
import { Capability } from '../diff/capability.schema.js';
import { AnalysisPolicy } from './analysis/policy.js';
import { Verdict } from './analysis/verdict.js';
import { KeyHeader, RolloutSettings, StrategyText } from './settings.js';
import { ShadowView } from './shadow/shadow-record.js';
import { NodeSwitch, StepRecord } from './step-record.js';

/** Nodes prepare and switch within this when nothing is wrong. */
const DEFAULT_WAIT_S = 60;
export const MAX_WAIT_S = 300;

export const WaitQuery = z.object({
  wait: z.coerce.number().int().min(0).max(MAX_WAIT_S).default(DEFAULT_WAIT_S).describe('Seconds to wait for the nodes; 0, or the header `Prefer: respond-async`: answer at once, with the operation to look at.'),
});

/** Of a call that begins a rollout. */
export const StartQuery = WaitQuery.extend({
  ...ChannelQuery.shape,
  onFreeze: z.enum(['wait', 'refuse']).default('wait').describe('In a freeze window of the channel.'),
  force: z.enum(['true', 'false']).default('false').transform((text) => text === 'true').describe('Goes over a lock, a freeze window and a rule of the channel; it is written down with the rollout.'),
});

export const RollbackRequest = z.strictObject({
  to: VersionNumber.optional().describe('The version to serve again; without it the one served before.'),
  keepVariables: z.boolean().optional().describe('true: the variables stay as they are. Without it as the channel says, else they get back the values that the version was last served with.'),
});

export const RolloutRequest = z.strictObject({
  version: VersionNumber.describe('The version to serve.'),
  rollout: StrategyText.optional(),
  keyHeader: KeyHeader.optional(),
  analysis: RolloutSettings.shape.analysis,
  shadow: RolloutSettings.shape.shadow,
});

export const RestoredVariables = z.object({
  restored: z.array(z.string()).describe('Names of those that have the values of before again, secret ones too.'),
  left: z.array(z.string()).describe('Names of those that have other values by now, which hold in other channels too and stay.'),
});

export const RolloutView = z.object({
  app: AppName,
  version: VersionNumber,
  generation: z.int().nullable().describe('Of the deployment that serves the version; null before there is one.'),
  state: z.enum(['serving', 'pending', 'awaiting-approval']),
  rollout: z.int().nullable().describe('Its number, for the routes of rollouts; null: there was nothing to do.'),
  operation: z.int().nullable().describe('Its number, for the routes of operations; null: there was nothing to do.'),
  asks: z.array(Capability).optional().describe('What somebody must agree to first.'),
  variables: RestoredVariables.optional().describe('Of a way back: what became of the variables, where any had other values.'),
  switch: z.object({
    switchedMs: z.number().describe('Until every node had switched; at most.'),
    lastOldAnswerMs: z.number().nullable().describe('Until the last answer of what was served before, on any node; null: not known of each of them.'),
    nodes: z.array(NodeSwitch),
  }).optional().describe('How long the switch to the version took, since the rollout began; once it is served.'),
  held: Held.optional().describe('The lock or freeze window that it waits for.'),
  url: z.string(),
});
export type RolloutView = z.infer<typeof RolloutView>;

export const RolloutParams = AppParams.extend({ rollout: z.coerce.number().pipe(z.int().min(1)).describe('Number of the rollout.') });

export const Approval = z.strictObject({ step: z.int().min(0).optional().describe('The step to let go on, where a step waits; it must be the one that the rollout is at, so that nobody approves twice.') });

export const Abort = z.strictObject({ reason: z.string().min(1).max(1000).optional().describe('Shown with the rollout.') });

export const Rejection = z.strictObject({ reason: z.string().min(1).max(1000).optional().describe('Shown with the rollout and the version.') });

export const RolloutSummary = z.object({
  rollout: z.int(),
  app: AppName,
  channel: ChannelName,
  version: VersionNumber,
  state: z
    .enum(['progressing', 'paused', 'promoted', 'rolled_back', 'aborted'])
    .describe('paused: somebody must agree, to `asks` or to a step. rolled_back: what was served before is served, `reason` says why. aborted: somebody ended or rejected it, or a later one went ahead.'),
  phase: z
    .enum(['awaiting-approval', 'preparing', 'switching', 'holding'])
    .describe('Where it is, or was when it ended. awaiting-approval: no node has heard of it. preparing: nodes get the version. switching: nodes switch to a step. holding: every node serves the step.'),
  strategy: z.string(),
  step: z.int().nullable().describe('The index of its step; the number of steps: it gets all requests. null: it has not begun.'),
  pausedFor: z.string().nullable().describe('What it waits for; null: it is not paused.'),
  held: Held.nullable().describe('The lock or freeze window that it waits for before its next step.'),
  forced: Forced.nullable().describe('Who let it go on in spite of what.'),
  cause: z.string().describe('push, rollout, rollback, or rule: a rule of the channel.'),
  causedBy: z.string().describe('Name of the token.'),
  generation: z.int().nullable().describe('Of the last deployment that it made.'),
  variables: RestoredVariables.nullable().describe('What became of the variables on a way back; null: nothing.'),
  asks: z.array(Capability).describe('What the version asked for and nothing that was served did, where the policy of the channel wants approval.'),
  decidedBy: z.string().nullable().describe('Name of the token that agreed or rejected.'),
  decidedAt: z.iso.datetime().nullable(),
  reason: z.object({ code: z.string(), message: z.string() }).optional().describe('Why it has ended without having all requests.'),
  createdAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
});
export type RolloutSummary = z.infer<typeof RolloutSummary>;

/** A rollout with its steps. */
export const RolloutDetails = RolloutSummary.extend({
  keyHeader: z.string().nullable(),
  analysis: AnalysisPolicy.nullable().describe('The policy that it began with.'),
  serving: z.array(TrafficShare).describe('What the channel serves now.'),
  steps: z.array(StepRecord).describe('Those that it has come to, the last one under way.'),
  ahead: z.array(z.object({ step: z.int(), percent: z.number(), shadow: z.boolean().optional(), pause: z.string() })).describe('Those to come before it gets all requests.'),
  verdict: Verdict.nullable().describe('The last one, with the figures of both versions at the same time.'),
  shadow: ShadowView.nullable().describe('How answers to copies of requests compare with those that clients got; null: it makes none.'),
});
export type RolloutDetails = z.infer<typeof RolloutDetails>;
