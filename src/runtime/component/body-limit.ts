import { HttpError } from '#runtime/capability/http/error-code.js';
import type { HttpExchange } from '#runtime/capability/guest.js';
import type { Failure } from './failure.js';
import type { Limits } from './limits.js';

export type BodyLimits = Pick<Limits, 'requestBytes' | 'responseBytes'>;

/** What is wrong with a request whose body is declared longer than its component takes; null: nothing that is known by now. */
export function declaredFailure(exchange: HttpExchange, { requestBytes }: BodyLimits): Failure | null {
  if (exchange.body.isEmpty) return null;
  const declared = exchange.headers.find(([name]) => name.length === 14 && name.toLowerCase() === 'content-length');
  return declared && Number(declared[1]) > requestBytes ? requestTooLarge(requestBytes) : null;
}

/** What a guest gets when it reads past the limit: `wasi:http`'s own code for it. */
export const pastRequestLimit = (limits: BodyLimits): HttpError => new HttpError({ tag: 'HTTP-request-body-size', val: BigInt(limits.requestBytes) });

export const requestTooLarge = (bytes: number): Failure => ({ code: 'COMPONENT_REQUEST_TOO_LARGE', message: `the request has more than ${bytes} bytes` });

export const responseTooLarge = (bytes: number): Failure => ({ code: 'COMPONENT_RESPONSE_TOO_LARGE', message: `the response was broken off after ${bytes} bytes` });
