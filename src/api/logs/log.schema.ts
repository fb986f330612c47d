import { z } from 'zod';
import { ChannelName, VersionNumber } from '#contract/ids.js';

const DEFAULT_TAIL = 100;
const MAX_TAIL = 10_000;

export const LogsQuery = z.object({
  tail: z.coerce.number().int().min(0).max(MAX_TAIL).default(DEFAULT_TAIL).describe('The last lines, this many.'),
  channel: ChannelName.optional().describe('Those of a channel, or of the preview of a version (`v<number>`), alone.'),
  follow: z.enum(['true', 'false']).default('false').describe('`true` goes on as server-sent events.'),
});
export type LogsQuery = z.infer<typeof LogsQuery>;

export const LogLineView = z.object({
  id: z.string().describe('Grows from line to line.'),
  at: z.iso.datetime(),
  channel: ChannelName,
  version: VersionNumber,
  component: z.string(),
  requestId: z.string(),
  stream: z.enum(['stdout', 'stderr', 'platform']).describe('`platform`: what the platform says of an invocation.'),
  line: z.string(),
});
export type LogLineView = z.infer<typeof LogLineView>;

export const LogsView = z.object({ lines: z.array(LogLineView).describe('Oldest first.') });
export type LogsView = z.infer<typeof LogsView>;
