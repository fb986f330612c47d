import { z } from 'zod';
import { TrafficShare } from '#contract/assignment.js';
import { previewedBy } from '#contract/hosts.js';
import { AppName, ChannelName, VersionNumber } from '#contract/ids.js';
import { AppView } from '../apps/app.schema.js';
import { ChannelLock } from './channel-lock.js';
import { RuleDecision } from './channel.repository.js';
import { ChannelRule } from './channel-rule.js';
import { FreezeWindows } from './freeze-window.js';

export const NewChannel = z.strictObject({
  name: ChannelName.refine((name) => previewedBy(name) === undefined && !/^v[0-9]+$/.test(name), 'names of the form v<number> are those of previews').describe('It answers at `<name>--<app>`.'),
  rule: ChannelRule.optional(),
  freeze: FreezeWindows.optional(),
});

export const ChannelPatch = z.strictObject({
  rule: ChannelRule.nullable().optional().describe('What leads to a version by itself; what it comes to now is rolled out. null: nothing.'),
  freeze: FreezeWindows.nullable().optional().describe('Windows in which rollouts wait; in the place of those before.'),
});
export type ChannelPatch = z.infer<typeof ChannelPatch>;

export const ChannelView = z.object({
  app: AppName,
  name: ChannelName,
  url: z.string(),
  live: z.array(TrafficShare).describe('What it serves now; empty: nothing.'),
  previousVersion: VersionNumber.nullable().describe('What a rollback leads to.'),
  generation: z.int().describe('Grows with each change of what is served.'),
  rollout: AppView.shape.rollout.describe('The rollout under way.'),
  rule: ChannelRule.nullable().describe('What leads to a version by itself.'),
  decision: RuleDecision.nullable().describe('What the rule came to last; of pushes to the registry see deploy-on-push.'),
  lock: ChannelLock.nullable().describe('null: it is open. One whose time is up is shown until it is deleted, and refuses nothing.'),
  freeze: FreezeWindows,
  frozen: z.object({ reason: z.string(), until: z.iso.datetime() }).nullable().describe('The freeze window that it is in now.'),
  createdAt: z.iso.datetime(),
});
export type ChannelView = z.infer<typeof ChannelView>;

export const ChannelsView = z.object({ items: z.array(ChannelView).describe('By name.') });
export type ChannelsView = z.infer<typeof ChannelsView>;

export const DeleteQuery = z.object({ plan: z.enum(['true', 'false']).default('false').describe('`true` says what would go, and deletes nothing.') });

export const DeletedChannel = z.object({
  app: AppName,
  name: ChannelName,
  deleted: z.boolean().describe('false: it was asked for the plan alone.'),
  url: z.string().describe('What answers nothing any more.'),
  live: z.array(TrafficShare).describe('What it served.'),
  rollout: AppView.shape.rollout.describe('What was under way, and ends as aborted.'),
  rule: ChannelRule.nullable(),
  variables: z.int().describe('Values of its own.'),
  runtimeConfig: z.boolean().describe('Whether it had a configuration of its own.'),
  storeLinks: z.int().describe('Links of its own; the stores stay.'),
  deployments: z.int().describe('Changes of what it served; they stay known.'),
});
export type DeletedChannel = z.infer<typeof DeletedChannel>;

