import { describe, expect, it } from '@jest/globals';
import { FreezeWindow, frozenAt } from './freeze-window.js';

const weekly = (more: object) => FreezeWindow.parse({ days: ['fri'], from: '16:00', to: '24:00', timeZone: 'Europe/Berlin', reason: 'weekend is near', ...more });
const at = (text: string): number => Date.parse(text);
const untilOf = (windows: FreezeWindow[], text: string): string | undefined => {
  const freeze = frozenAt(windows, at(text));
  return freeze ? new Date(freeze.untilMs).toISOString() : undefined;
};

describe(frozenAt.name, () => {
  it('holds from the first minute up to the first one after it, by the clock of the zone', () => {
    const window = [weekly({})];
    expect(untilOf(window, '2026-11-27T14:59:59.999Z')).toBeUndefined();
    expect(untilOf(window, '2026-11-27T15:00:00Z')).toBe('2026-11-27T23:00:00.000Z');
    expect(untilOf(window, '2026-11-27T22:59:59.999Z')).toBe('2026-11-27T23:00:00.000Z');
    expect(untilOf(window, '2026-11-27T23:00:00Z')).toBeUndefined();
    // In summer the same clock is an hour ahead.
    expect(untilOf(window, '2026-07-03T14:00:00Z')).toBe('2026-07-03T22:00:00.000Z');
    expect(frozenAt(window, at('2026-11-27T20:00:00Z'))!.reason).toBe('weekend is near');
  });

  it('goes over midnight where it ends before it begins', () => {
    const nights = [weekly({ days: ['mon'], from: '22:00', to: '06:00' })];
    expect(untilOf(nights, '2026-11-23T21:30:00Z')).toBe('2026-11-24T05:00:00.000Z');
    expect(untilOf(nights, '2026-11-24T04:00:00Z')).toBe('2026-11-24T05:00:00.000Z');
    expect(untilOf(nights, '2026-11-23T04:00:00Z')).toBeUndefined();
  });

  it('says the end of the last of windows that follow each other', () => {
    const weekend = [weekly({}), weekly({ days: ['sat', 'sun'], from: '00:00', to: '24:00' })];
    expect(untilOf(weekend, '2026-11-27T16:00:00Z')).toBe('2026-11-29T23:00:00.000Z');
  });

  it('ends its look where every day is frozen', () => {
    const always = [weekly({ days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], from: '00:00', to: '24:00' })];
    expect(frozenAt(always, at('2026-11-27T16:00:00Z'))!.untilMs).toBeGreaterThan(at('2027-11-27T16:00:00Z'));
  });

  it('holds in both hours that the clock shows twice in autumn', () => {
    const window = [weekly({ days: ['sun'], from: '02:00', to: '03:00' })];
    expect(untilOf(window, '2026-10-24T23:59:59Z')).toBeUndefined();
    expect(untilOf(window, '2026-10-25T00:00:00Z')).toBe('2026-10-25T02:00:00.000Z');
    expect(untilOf(window, '2026-10-25T01:59:59Z')).toBe('2026-10-25T02:00:00.000Z');
    const ends = [weekly({ days: ['sun'], from: '01:00', to: '02:30' })];
    expect(untilOf(ends, '2026-10-25T00:45:00Z')).toBe('2026-10-25T01:30:00.000Z');
    const begins = [weekly({ days: ['sun'], from: '02:30', to: '04:00' })];
    expect(untilOf(begins, '2026-10-25T00:29:00Z')).toBeUndefined();
    expect(untilOf(begins, '2026-10-25T00:30:00Z')).toBe('2026-10-25T03:00:00.000Z');
  });

  it('leaves out the hour that the clock leaves out in spring', () => {
    const inside = [weekly({ days: ['sun'], from: '02:00', to: '03:00' })];
    expect(untilOf(inside, '2026-03-29T00:59:59Z')).toBeUndefined();
    expect(untilOf(inside, '2026-03-29T01:00:00Z')).toBeUndefined();
    const over = [weekly({ days: ['sun'], from: '01:30', to: '04:00' })];
    expect(untilOf(over, '2026-03-29T00:30:00Z')).toBe('2026-03-29T02:00:00.000Z');
    // 02:30 is not shown: it ends no earlier than the clock would have shown it.
    expect(untilOf([weekly({ days: ['sun'], from: '01:00', to: '02:30' })], '2026-03-29T00:59:00Z')).toBe('2026-03-29T01:30:00.000Z');
  });

  it('knows windows of one time, with dates alone', () => {
    const holidays = [FreezeWindow.parse({ from: '2026-12-20', to: '2027-01-02T08:00', timeZone: 'America/New_York' })];
    expect(untilOf(holidays, '2026-12-20T04:59:00Z')).toBeUndefined();
    expect(untilOf(holidays, '2026-12-20T05:00:00Z')).toBe('2027-01-02T13:00:00.000Z');
  });

  it.each([
    [{ from: '2026-02-30', to: '2026-03-01' }],
    [{ from: '2026-03-02', to: '2026-03-01' }],
    [{ days: ['fri'], from: '24:00', to: '24:00' }],
    [{ days: [], from: '10:00', to: '11:00' }],
    [{ days: ['fri'], from: '10:00', to: '11:00', timeZone: 'Berlin' }],
    [{ days: ['fri'], from: '9:00', to: '11:00' }],
  ])('refuses %j', (window) => expect(FreezeWindow.safeParse(window).success).toBe(false));
});
