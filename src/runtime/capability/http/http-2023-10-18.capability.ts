import { Trap } from '#engine/run/host.js';
import { perSlot, plain, type Capability } from '../capability.js';
import type { GuestState } from '../guest.js';
import { RC_2023_10_18 } from '../versions.js';
import type { ErrorCode } from './error-code.js';
import { errorText } from './error-text.js';
import { FIELDS_2023_10_18 } from './fields.capability.js';
import { Fields } from './fields.js';
import { handle, INCOMING, trailersOnce } from './http-02.capability.js';
import type { FutureIncomingResponse, FutureTrailers } from './incoming-02.js';
import type { Method, Scheme } from './method.js';
import { OutgoingRequest, OutgoingResponse, type OutgoingBody, type ResponseOutparam } from './outgoing-02.js';
import { fromRecord, type OptionsRecord } from './request-options.js';
import { setResponse } from './server-02.js';

/** `error` of this candidate. What went wrong is one of forty codes, which it has no cases for: all are unexpected ones (as in Spin). */
interface TextError {
  tag: 'invalid-url' | 'timeout-error' | 'protocol-error' | 'unexpected-error';
  val: string;
}
const toTextError = (code: ErrorCode): TextError => ({ tag: 'unexpected-error', val: errorText(code) });

/** Nothing in this version can refuse: what does traps. */
function must(what: string, refused: unknown): void {
  if (refused !== undefined) throw new Trap(`the guest made a message with ${what}, which is none`);
}

function newRequest(state: GuestState, method: Method, path: string | undefined, scheme: Scheme | undefined, target: { authority: string | undefined; headers: Fields }): OutgoingRequest {
  const request = new OutgoingRequest(target.headers.clone(state.memory), state.memory);
  must('a method', request.control.setMethod(method));
  must('a path with query', request.control.setPathWithQuery(path));
  must('a scheme', request.control.setScheme(scheme));
  must('an authority', request.control.setAuthority(target.authority));
  return request;
}

function newResponse(state: GuestState, status: number, headers: Fields): OutgoingResponse {
  const response = new OutgoingResponse(headers.clone(state.memory), state.memory);
  must('a status code', response.setStatus(status));
  return response;
}

function trailersOf(state: GuestState, future: FutureTrailers) {
  const outcome = trailersOnce(future);
  if (!outcome) return undefined;
  // none are told as an empty set
  return outcome.tag === 'ok' ? { tag: 'ok', val: outcome.val ?? new Fields(state.memory) } : { tag: 'err', val: toTextError(outcome.val) };
}

function responseOf(future: FutureIncomingResponse) {
  const given = future.get();
  if (given?.tag !== 'ok' || given.val.tag === 'ok') return given;
  return { tag: 'ok', val: { tag: 'err', val: toTextError(given.val.val) } };
}

type Answer = { tag: 'ok'; val: OutgoingResponse } | { tag: 'err'; val: TextError };

const TYPES: Capability['functions'] = {
  ...FIELDS_2023_10_18,
  ...INCOMING,
  '[constructor]outgoing-request': perSlot((state) => (method: Method, path: string | undefined, scheme: Scheme | undefined, authority: string | undefined, headers: Fields) =>
    newRequest(state, method, path, scheme, { authority, headers })),
  '[method]outgoing-request.write': plain((request: OutgoingRequest) => request.body()),
  '[resource-drop]outgoing-request': plain((request: OutgoingRequest) => request.drop()),
  '[constructor]outgoing-response': perSlot((state) => (status: number, headers: Fields) => newResponse(state, status, headers)),
  '[method]outgoing-response.write': plain((response: OutgoingResponse) => response.body()),
  '[resource-drop]outgoing-response': plain((response: OutgoingResponse) => response.drop()),
  '[method]outgoing-body.write': plain((body: OutgoingBody) => body.write()),
  '[static]outgoing-body.finish': plain((body: OutgoingBody, trailers: Fields | undefined) => void body.finish(trailers)),
  '[resource-drop]outgoing-body': plain((body: OutgoingBody) => body.drop()),
  '[static]response-outparam.set': perSlot((state) => (outparam: ResponseOutparam, result: Answer) =>
    setResponse(state, outparam, result.tag === 'ok' ? result : { tag: 'err', val: { tag: 'internal-error', val: `${result.val.tag}: ${result.val.val}` } })),
  '[method]future-trailers.get': perSlot((state) => (future: FutureTrailers) => trailersOf(state, future)),
  '[method]future-incoming-response.get': plain(responseOf),
};

/** `wasi:http` of the first candidate of 0.2: messages are made in one call, and errors are texts. */
export const HTTP_2023_10_18: readonly Capability[] = [
  { name: 'wasi:http/types', version: RC_2023_10_18, functions: TYPES },
  {
    name: 'wasi:http/outgoing-handler',
    version: RC_2023_10_18,
    functions: {
      handle: perSlot((state) => (request: OutgoingRequest, options: OptionsRecord | undefined) => handle(state, request, options && fromRecord(options))),
    },
  },
];
