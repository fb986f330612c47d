import { z } from 'zod';
import { AppName, VersionNumber } from '#contract/ids.js';

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
  state: z.enum(['serving', 'pending']),
  url: z.string(),
});
export type RolloutView = z.infer<typeof RolloutView>;
