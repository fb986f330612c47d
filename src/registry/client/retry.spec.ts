import { describe, expect, it } from '@jest/globals';
import { isPassingError, isPassingStatus, retryDelayMs } from './retry.js';

const nowMs = Date.parse('2026-11-23T12:00:00Z');

describe(retryDelayMs.name, () => {
  it.each([
    [1, 250, 500],
    [2, 500, 1000],
    [4, 2000, 4000],
  ])('waits longer each time, a random part of it: attempt %i', (attempt, least, most) => {
    expect(retryDelayMs({ attempt, nowMs, random: 0 })).toBe(least);
    expect(retryDelayMs({ attempt, nowMs, random: 1 })).toBe(most);
  });

  it.each([
    ['7', 7000],
    ['Mon, 23 Nov 2026 12:00:09 GMT', 9000],
  ])('waits as long as the registry asks for: %s', (retryAfter, delayMs) => {
    expect(retryDelayMs({ attempt: 1, retryAfter, nowMs, random: 0 })).toBe(delayMs);
  });

  it.each(['soon', 'Mon, 23 Nov 2026 11:00:00 GMT', '0'])('waits by itself when what is asked for means nothing: %s', (retryAfter) => {
    expect(retryDelayMs({ attempt: 1, retryAfter, nowMs, random: 0 })).toBe(250);
  });

  it('gives up on a registry that asks for more than a minute, and after five requests', () => {
    expect(retryDelayMs({ attempt: 1, retryAfter: '61', nowMs, random: 0 })).toBeUndefined();
    expect(retryDelayMs({ attempt: 5, nowMs, random: 0 })).toBeUndefined();
  });
});

describe('what may pass', () => {
  it.each([429, 502, 503, 504])('%i', (status) => expect(isPassingStatus(status)).toBe(true));
  it.each([200, 401, 404, 500, 501])('not %i', (status) => expect(isPassingStatus(status)).toBe(false));

  it('finds the cause in what wraps it', () => {
    const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    expect(isPassingError(new Error('outer', { cause: reset }))).toBe(true);
    expect(isPassingError(new AggregateError([reset], 'none answered'))).toBe(true);
    expect(isPassingError(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }))).toBe(false);
    expect(isPassingError(new Error('other'))).toBe(false);
  });
});
