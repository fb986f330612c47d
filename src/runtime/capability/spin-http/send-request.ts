import { Err } from '#engine/run/host.js';
import { EOF, type GuestState, type Headers } from '../guest.js';
import { BodyWriter } from '../http/body-writer.js';
import type { ErrorCode } from '../http/error-code.js';
import { Fields } from '../http/fields.js';
import { noteDenied, policyOf, sendOutbound } from '../outbound/outbound.js';
import type { OutboundOutcome, OutboundResponse } from '../outbound/outcome.js';
import { routeOf } from '../outbound/route.js';
import { settle } from '../wait.js';
import { toRequestTarget, type RequestTarget } from './request-target.js';

/** `request` of fermyon:spin/http-types. */
export interface SpinRequest {
  method: string;
  uri: string;
  headers: readonly (readonly [string, string])[];
  /** Not used by anybody (Spin warns of it). */
  params: readonly (readonly [string, string])[];
  body: Uint8Array | undefined;
}

interface SpinResponse {
  status: number;
  headers: [string, string][];
  body: Uint8Array;
}

type HttpError = 'destination-not-allowed' | 'invalid-url' | 'runtime-error' | 'too-many-requests';
const failed = (error: HttpError) => new Err(error);

/** Most of a response that is held for a guest, as in Spin. */
const MAX_RESPONSE_BYTES = 128 * 1024 * 1024;
const READ_BYTES = 64 * 1024;

const ERRORS: Readonly<Partial<Record<ErrorCode['tag'], HttpError>>> = {
  'HTTP-request-denied': 'destination-not-allowed',
  'HTTP-request-URI-invalid': 'invalid-url',
  'connection-limit-reached': 'too-many-requests',
};

/**
 * `send-request`: settles with the whole response or an `http-error`, at the latest when the invocation ends. Redirects are answers like any
 * other.
 */
export function sendRequest(state: GuestState, request: SpinRequest): Err<HttpError> | Promise<SpinResponse | Err<HttpError>> {
  const target = toRequestTarget(request.uri);
  if (!target) return failed('destination-not-allowed');
  const headers = toFields(state, request, target);
  if (!headers) return failed('runtime-error');
  const outbound = {
    method: request.method.toUpperCase(), scheme: target.scheme, authority: target.authority, pathWithQuery: target.pathWithQuery,
    headers, options: null, drop: () => headers.drop(),
  };
  if (target.authority !== null && !/^https?$/.test(target.scheme ?? '')) {
    // no request can be made of it, but whether it were allowed is said first
    const route = routeOf(outbound, policyOf(state.grant.allowedOutboundHosts), state.grant.components);
    headers.drop();
    if (route.to !== 'nowhere' || route.code.tag !== 'HTTP-request-denied') return failed('invalid-url');
    if (route.destination !== null) noteDenied(state, route.destination);
    return failed('destination-not-allowed');
  }
  let writer: BodyWriter | null = null;
  if (request.body && request.body.length > 0) {
    writer = new BodyWriter('request', null, state.memory);
    writer.write(request.body);
    writer.end();
    state.memory.check();
  }
  return settle(state, new Promise((resolve, reject) => {
    sendOutbound(state, outbound, writer, (outcome) => void answer(state, outcome).then(resolve, reject));
  }));
}

/** null: a field has a name or a value that no field has. Fields of the connection's own are left out. */
function toFields(state: GuestState, { headers }: SpinRequest, { authorization }: RequestTarget): Fields | null {
  const fields = new Fields(state.memory);
  const all = authorization === null || headers.some(([name]) => name.toLowerCase() === 'authorization') ? headers : [...headers, ['authorization', authorization] as const];
  for (const [name, value] of all) {
    const refused = fields.append(name, Buffer.from(value));
    if (!refused || refused.payload.tag === 'forbidden') continue;
    fields.drop();
    return null;
  }
  return fields;
}

async function answer(state: GuestState, outcome: OutboundOutcome): Promise<SpinResponse | Err<HttpError>> {
  if ('tag' in outcome) return failed(ERRORS[outcome.tag] ?? 'runtime-error');
  const headers = outcome.headers.filter(([, value]) => /^[\t\x20-\x7e]*$/.test(value)).map(([name, value]): [string, string] => [name, value]);
  const body = await collect(state, outcome, MAX_RESPONSE_BYTES - sizeOf(headers));
  return body ? { status: outcome.status, headers, body } : failed('runtime-error');
}

const sizeOf = (headers: Headers): number => headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0);

/** The whole body; null: it broke, or is larger than what may be held. Throws a LimitTrap when it is more than the invocation may hold. */
async function collect({ memory }: GuestState, { body }: OutboundResponse, maxBytes: number): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const chunk = readNow(body);
      if (chunk === EOF) return Buffer.concat(chunks, bytes);
      if (chunk === 'broken') return null;
      if (chunk === null) {
        await new Promise<void>((resolve) => { body.onReadable = resolve; });
        continue;
      }
      bytes += chunk.length;
      chunks.push(chunk);
      memory.add(chunk.length);
      if (bytes > maxBytes) return null;
      memory.check();
    }
  } finally {
    body.onReadable = null;
    body.cancel();
    memory.give(bytes);
  }
}

function readNow(body: OutboundResponse['body']): Uint8Array | null | typeof EOF | 'broken' {
  try {
    return body.read(READ_BYTES);
  } catch {
    return 'broken';
  }
}
