import { z } from 'zod';
import { TrafficShare } from '#contract/assignment.js';
import { AppName, ChannelName, VersionNumber } from '#contract/ids.js';
import { ChannelQuery } from '../apps/app.schema.js';
import { PageQuery } from '#platform/http/page.js';

export const HistoryQuery = PageQuery.extend({
  ...ChannelQuery.shape,
  at: z.iso.datetime({ offset: true }).transform((text) => new Date(text)).optional().describe('Only the deployment that was served at this time.'),
  requestId: z.string().min(1).max(64).optional().describe('Id of a request (`whorl-request-id` of its answer): what it says of where it was answered, with the deployment of that time.'),
});
export type HistoryQuery = z.infer<typeof HistoryQuery>;

export const HistoryEntry = z.object({
  channel: ChannelName,
  generation: z.int(),
  serving: z.array(TrafficShare),
  from: z.iso.datetime(),
  until: z.iso.datetime().nullable().describe('When the next one was asked for; null: it is the one of now.'),
  variablesRevision: z.int().nullable().describe('Of the values that it began with; null: nobody noted it.'),
  cause: z.string().describe('push, rollout, rollback or rule; revert: what was served before came back, by a verdict, a failure, or somebody who ended a rollout.'),
  causedBy: z.string().describe('Name of the token.'),
  rollout: z.int().nullable(),
  reason: z.object({ code: z.string(), message: z.string() }).nullable().describe('Why its rollout did not come to its end.'),
});
export type HistoryEntry = z.infer<typeof HistoryEntry>;

export const RequestTrace = z.object({
  id: z.string(),
  at: z.iso.datetime(),
  app: AppName,
  channel: ChannelName.nullable().describe('null: the app has, and had, none of that name.'),
  version: VersionNumber,
  component: z.string().nullable(),
  node: z.string().nullable().describe('null: no node of that name is known any more.'),
  wasServed: z.boolean().describe('Whether the channel gave the version a share of the requests then. An id is not signed: what was not served was made up, or came through a preview.'),
  failures: z.array(z.string()).describe('What the platform wrote to the log for the request: why it failed. Nothing is there of a request that did not fail, or whose lines are forgotten.'),
});
export type RequestTrace = z.infer<typeof RequestTrace>;

export const HistoryPage = z.object({ items: z.array(HistoryEntry), next: z.string().nullable(), request: RequestTrace.optional() });
export type HistoryPage = z.infer<typeof HistoryPage>;
