import { z } from 'zod';
import { TrafficShare } from '#contract/assignment.js';
import { AppName, ChannelName, VersionNumber } from '#contract/ids.js';

export const AppParams = z.object({ app: AppName.describe('Name of the app.') });

/** Of a call that is about one channel. */
export const ChannelQuery = z.object({ channel: ChannelName.optional().describe('Name of the channel; without it `production`.') });

export const AppView = z.object({
  name: AppName,
  url: z.string(),
  /** What the app serves now; empty before the first version serves. */
  live: z.array(TrafficShare),
  createdAt: z.iso.datetime(),
  /** Grows with each change of what is served. */
  generation: z.int(),
  /** The newest version pushed; null when there is none. */
  latestVersion: VersionNumber.nullable(),
  /** Grows with each change of the variables. */
  variablesRevision: z.int(),
  /** The rollout under way. */
  rollout: z.object({ version: VersionNumber, state: z.enum(['progressing', 'paused']), phase: z.enum(['awaiting-approval', 'preparing', 'switching', 'holding']) }).nullable(),
});
export type AppView = z.infer<typeof AppView>;
