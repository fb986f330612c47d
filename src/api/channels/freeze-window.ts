import { z } from 'zod';

/** In the order of ISO 8601: Monday is 1. */
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
/** Windows that follow each other without a gap are one; a chain of more than this never ends. */
const MAX_CHAIN = 1_000;
const MAX_WINDOWS = 50;

const Time = z.string().regex(/^(?:[01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$/, 'expected a time such as 16:00, or 24:00');
const Moment = z.string().regex(/^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2})?$/, 'expected a date, or a date with a time, such as 2026-12-20 or 2026-12-20T08:00').refine(isMoment, 'there is no such date or time');
const TimeZone = z.string().max(64).refine(isTimeZone, 'expected a time zone of the IANA database, such as Europe/Berlin').default('UTC');
const Reason = z.string().min(1).max(200).optional();

const WeeklyWindow = z.strictObject({
  days: z.array(z.enum(DAYS)).min(1).max(DAYS.length).describe('The days that it begins on.'),
  from: Time.refine((time) => time !== '24:00', 'expected a time before 24:00').describe('The first minute of it, by the clock of the time zone.'),
  to: Time.describe('The first minute after it. Not after `from`: it ends on the next day.'),
  timeZone: TimeZone,
  reason: Reason,
});

const DatedWindow = z
  .strictObject({
    from: Moment.describe('The first minute of it, by the clock of the time zone; a date alone is its first minute.'),
    to: Moment.describe('The first minute after it.'),
    timeZone: TimeZone,
    reason: Reason,
  })
  .refine(({ from, to }) => from < to, { path: ['to'], message: 'is not after from' });

/** A time in which nothing is rolled out: each week, or once. */
export const FreezeWindow = z.union([WeeklyWindow, DatedWindow]);
export type FreezeWindow = z.infer<typeof FreezeWindow>;
export const FreezeWindows = z.array(FreezeWindow).max(MAX_WINDOWS);

export interface Freeze {
  reason: string;
  untilMs: number;
}

/**
 * Whether nothing may be rolled out now, why, and until when: to the end of the last window of those that follow each other without a gap. A window
 * covers every instant that the clock of its zone shows a time within it, in hours that a clock shows twice both times. Pure.
 */
export function frozenAt(windows: readonly FreezeWindow[], nowMs: number): Freeze | null {
  const first = coveringAt(windows, nowMs);
  if (!first) return null;
  let { untilMs } = first;
  for (let i = 0, next = coveringAt(windows, untilMs); next && i < MAX_CHAIN; i++, next = coveringAt(windows, untilMs)) untilMs = next.untilMs;
  return { reason: first.reason, untilMs };
}

/** The window that ends last of those around the instant. */
function coveringAt(windows: readonly FreezeWindow[], nowMs: number): Freeze | null {
  let found: Freeze | null = null;
  for (const window of windows) {
    for (const { fromMs, toMs } of 'days' in window ? occurrencesAround(window, nowMs) : [spanOf(window)]) {
      if (nowMs < fromMs || nowMs >= toMs || (found && found.untilMs >= toMs)) continue;
      found = { reason: window.reason ?? 'a freeze window', untilMs: toMs };
    }
  }
  return found;
}

function spanOf({ from, to, timeZone }: z.infer<typeof DatedWindow>): { fromMs: number; toMs: number } {
  return { fromMs: startMs(Temporal.PlainDateTime.from(from), timeZone), toMs: endMs(Temporal.PlainDateTime.from(to), timeZone) };
}

/** Of those that begin today or yesterday, by the clock of the zone. */
function occurrencesAround({ days, from, to, timeZone }: z.infer<typeof WeeklyWindow>, nowMs: number): { fromMs: number; toMs: number }[] {
  const today = Temporal.Instant.fromEpochMilliseconds(nowMs).toZonedDateTimeISO(timeZone).toPlainDate();
  const endsNextDay = to <= from || to === '24:00';
  const end = to === '24:00' ? '00:00' : to;
  return [today, today.subtract({ days: 1 })].filter((date) => days.includes(DAYS[date.dayOfWeek - 1]!)).map((date) => ({
    fromMs: startMs(date.toPlainDateTime(from), timeZone),
    toMs: endMs((endsNextDay ? date.add({ days: 1 }) : date).toPlainDateTime(end), timeZone),
  }));
}

/** Of a time that the clock shows twice the first, of one that it leaves out the first after it. */
const startMs = (at: Temporal.PlainDateTime, timeZone: string): number => at.toZonedDateTime(timeZone, { disambiguation: 'compatible' }).epochMilliseconds;
/** Of a time that the clock shows twice the second. */
const endMs = (at: Temporal.PlainDateTime, timeZone: string): number => at.toZonedDateTime(timeZone, { disambiguation: 'later' }).epochMilliseconds;

function isTimeZone(name: string): boolean {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
    return true;
  } catch {
    return false;
  }
}

function isMoment(text: string): boolean {
  try {
    Temporal.PlainDateTime.from(text, { overflow: 'reject' });
    return true;
  } catch {
    return false;
  }
}
