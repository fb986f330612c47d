import { z } from 'zod';
import { ChannelName, VersionNumber } from '#contract/ids.js';

/** A date and time of RFC 3339 with its offset, or seconds or milliseconds since the epoch. */
export const Instant = z
  .string()
  .refine((text) => readInstant(text) !== undefined, 'expected a date and time like 2026-01-31T12:00:00Z, or seconds or milliseconds since the epoch')
  .transform((text) => readInstant(text)!);

/** Epoch figures below this are seconds: as milliseconds they would be in January 1970, as seconds they reach to the year 5138. */
const SECONDS_BELOW = 100_000_000_000;
/** The last instant that a Date can hold. */
const MAX_MS = 8_640_000_000_000_000;

export const UsageQuery = z
  .object({
    from: Instant.optional().describe('From the minute that this falls in; without it from the beginning.'),
    channel: ChannelName.optional().describe('What a channel, or the preview of a version (`v<number>`), used; without it the whole app.'),
    to: Instant.optional().describe('Up to this; the minute that it falls in is included unless it is its first instant. Without it up to now.'),
  })
  .refine(({ from, to }) => !from || !to || from <= to, { path: ['to'], message: 'is before from' });
export type UsageQuery = z.infer<typeof UsageQuery>;

export const UsageSums = z.object({
  requests: z.int(),
  errors: z.int().describe('Requests that failed in the component or struck a limit, and answers of 500 and above.'),
  wallMs: z.number(),
  cpuMs: z.number(),
  bytesIn: z.int(),
  bytesOut: z.int(),
});
export type UsageSums = z.infer<typeof UsageSums>;

export const LimitCount = z.object({
  version: VersionNumber,
  component: z.string(),
  code: z.string().describe('The code of the error that says which limit it was.'),
  count: z.int(),
});
export type LimitCount = z.infer<typeof LimitCount>;

export const UsageView = UsageSums.extend({
  from: z.iso.datetime().describe('The first instant counted.'),
  to: z.iso.datetime().describe('The first instant not counted.'),
  byVersion: z.array(UsageSums.extend({ version: VersionNumber })),
  limits: z.array(LimitCount).describe('How often each limit struck.'),
  apart: z.object({ shadow: UsageSums }).describe('What no client asked for, and is in none of the other sums: copies of requests.'),
});
export type UsageView = z.infer<typeof UsageView>;

function readInstant(text: string): Date | undefined {
  if (/^\d{1,16}$/.test(text)) {
    const ms = Number(text) < SECONDS_BELOW ? Number(text) * 1000 : Number(text);
    return ms <= MAX_MS ? new Date(ms) : undefined;
  }
  const parsed = z.iso.datetime({ offset: true }).safeParse(text);
  return parsed.success ? new Date(parsed.data) : undefined;
}
