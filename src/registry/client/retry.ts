import { setTimeout as sleep } from 'node:timers/promises';

/** Requests for one answer, the first included. */
export const MAX_ATTEMPTS = 5;
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 10_000;
/** A registry that wants us to wait longer has said no. */
const MAX_RETRY_AFTER_MS = 60_000;

/** Statuses that may be others a little later (RFC 9110 §15, RFC 6585 §4). */
const PASSING_STATUSES = new Set([429, 502, 503, 504]);
/** Errors of sockets, names and undici that may not come again. A certificate that is wrong stays wrong, and so does a name that does not exist. */
const PASSING_ERRORS = new Set([
  'ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN',
  'UND_ERR_SOCKET', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'HPE_INVALID_EOF_STATE', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
]);

export const isPassingStatus = (status: number): boolean => PASSING_STATUSES.has(status);

/** Whether a request that failed with this may succeed when it is sent again. */
export function isPassingError(error: unknown): boolean {
  for (let at = error as { code?: unknown; cause?: unknown; errors?: unknown[] } | undefined; at; at = at.cause as typeof at) {
    if (PASSING_ERRORS.has(String(at.code))) return true;
    // Several addresses of one name, and none of them answered.
    if (at.errors?.some((each) => isPassingError(each))) return true;
  }
  return false;
}

export interface RetryMoment {
  /** 1 after the first request. */
  attempt: number;
  /** The answer's Retry-After: seconds or an HTTP date (RFC 9110 §10.2.3). */
  retryAfter?: string | undefined;
  nowMs: number;
  /** From 0 to 1. */
  random: number;
}

/**
 * How long to wait before the next request: twice as long each time, a random part of it (so that many clients do not come back at once),
 * never less than the registry asks for. Undefined: do not ask again.
 */
export function retryDelayMs({ attempt, retryAfter, nowMs, random }: RetryMoment): number | undefined {
  if (attempt >= MAX_ATTEMPTS) return undefined;
  const asked = retryAfter === undefined ? 0 : readRetryAfter(retryAfter, nowMs);
  if (asked > MAX_RETRY_AFTER_MS) return undefined;
  const ceiling = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt);
  return Math.max(asked, Math.round(ceiling / 2 + (random * ceiling) / 2));
}

function readRetryAfter(text: string, nowMs: number): number {
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? 0 : Math.max(0, date - nowMs);
}

/** Waits before a request is sent again. Rejects with the signal's reason. */
export type Wait = (delayMs: number, signal: AbortSignal) => Promise<void>;

export const waitFor: Wait = async (delayMs, signal) => {
  await sleep(delayMs, undefined, { signal }).catch(() => signal.throwIfAborted());
};
