import { z } from 'zod';
import { AppName, ChannelName, VersionNumber } from '#contract/ids.js';
import { AppParams } from '../apps/app.schema.js';
import { Capability } from '../diff/capability.schema.js';

/** Nodes prepare and switch within this when nothing is wrong. */
const DEFAULT_WAIT_S = 60;
export const MAX_WAIT_S = 300;

export const WaitQuery = z.object({
  wait: z.coerce.number().int().min(0).max(MAX_WAIT_S).default(DEFAULT_WAIT_S).describe('Seconds to wait for the nodes.'),
});

export const RollbackRequest = z.strictObject({
  to: VersionNumber.optional().describe('The version to serve again; without it the one served before.'),
});

export const RolloutRequest = z.strictObject({ version: VersionNumber.describe('The version to serve.') });

export const RolloutView = z.object({
  app: AppName,
  version: VersionNumber,
  generation: z.int().nullable().describe('Of the deployment that serves the version; null before there is one.'),
  state: z.enum(['serving', 'pending', 'awaiting-approval']),
  rollout: z.int().nullable().describe('Its number, for the routes of rollouts; null: there was nothing to do.'),
  asks: z.array(Capability).optional().describe('What somebody must agree to first.'),
  url: z.string(),
});
export type RolloutView = z.infer<typeof RolloutView>;

export const RolloutParams = AppParams.extend({ rollout: z.coerce.number().pipe(z.int().min(1)).describe('Number of the rollout.') });

export const Rejection = z.strictObject({ reason: z.string().min(1).max(1000).optional().describe('Shown with the rollout and the version.') });

export const RolloutSummary = z.object({
  rollout: z.int(),
  app: AppName,
  channel: ChannelName,
  version: VersionNumber,
  state: z
    .enum(['awaiting-approval', 'preparing', 'switching', 'done', 'failed', 'rejected', 'superseded'])
    .describe('awaiting-approval: somebody must agree to `asks`. superseded: a later one went ahead.'),
  cause: z.string().describe('push, rollout, rollback or whatever began it.'),
  causedBy: z.string().describe('Name of the token.'),
  generation: z.int().nullable().describe('Of the deployment that it made.'),
  asks: z.array(Capability).describe('What the version asked for and nothing that was served did, where the policy of the channel wants approval.'),
  decidedBy: z.string().nullable().describe('Name of the token that agreed or rejected.'),
  decidedAt: z.iso.datetime().nullable(),
  reason: z.object({ code: z.string(), message: z.string() }).optional().describe('Why it failed or was rejected.'),
  createdAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
});
export type RolloutSummary = z.infer<typeof RolloutSummary>;
