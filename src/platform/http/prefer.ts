import type { Response } from 'express';
import type { ApiRequest } from './api-request.js';

/** What a client prefers of how it is answered (RFC 7240). */
export interface Preferences {
  /** Answer at once with 202, and go on. */
  respondAsync: boolean;
  /** Seconds that it would wait for the whole. */
  waitS: number | undefined;
}

/** Reads `Prefer`, also when it is sent several times; what it does not know is passed over (RFC 7240 §2). */
export function readPrefer(request: Pick<ApiRequest, 'get'>): Preferences {
  const said = (request.get('prefer') ?? '').split(',').map((part) => part.split(';')[0]!.trim().toLowerCase());
  const wait = said.map((part) => /^wait\s*=\s*"?(\d{1,6})"?$/.exec(part)?.[1]).find((text) => text !== undefined);
  return { respondAsync: said.includes('respond-async'), waitS: wait === undefined ? undefined : Number(wait) };
}

/**
 * Seconds that a call is waited for: with `respond-async` none, or as many as `wait=` of the same header says; else what its query says. An
 * answer says with Preference-Applied that it was heard.
 */
export function waitOf(request: Pick<ApiRequest, 'get'>, response: Pick<Response, 'setHeader'>, queryS: number): number {
  const { respondAsync, waitS } = readPrefer(request);
  if (!respondAsync) return queryS;
  response.setHeader('Preference-Applied', 'respond-async');
  return Math.min(waitS ?? 0, queryS);
}
