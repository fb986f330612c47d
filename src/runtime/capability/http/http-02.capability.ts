import { Trap } from '#engine/run/host.js';
import { perSlot, plain, type Capability } from '../capability.js';
import type { GuestState } from '../guest.js';
import type { IoError } from '../io/io-error.js';
import { sendOutbound } from '../outbound/outbound.js';
import { RC_2023_11_10 } from '../versions.js';
import { FIELDS_02, FIELDS_2023_11_10 } from './fields.capability.js';
import { Fields } from './fields.js';
import { FutureIncomingResponse, FutureTrailers, IncomingBody, IncomingRequest, IncomingResponse } from './incoming-02.js';
import { methodName, schemeName, type Method, type Scheme } from './method.js';
import { OutgoingBody, OutgoingRequest, OutgoingResponse, type ResponseOutparam } from './outgoing-02.js';
import { REQUEST_OPTIONS_02, REQUEST_OPTIONS_2023_11_10, type RequestOptions } from './request-options.js';
import { sendInformational, setResponse } from './server-02.js';

/** What a peer sends; the same in both candidates but for `future-trailers.get`. */
export const INCOMING: Capability['functions'] = {
  '[method]incoming-request.method': plain((request: IncomingRequest) => request.method()),
  '[method]incoming-request.path-with-query': plain((request: IncomingRequest) => request.pathWithQuery()),
  '[method]incoming-request.scheme': plain((request: IncomingRequest) => request.scheme()),
  '[method]incoming-request.authority': plain((request: IncomingRequest) => request.authority()),
  '[method]incoming-request.headers': plain((request: IncomingRequest) => request.headers()),
  '[method]incoming-request.consume': plain((request: IncomingRequest) => request.consume()),
  '[method]incoming-body.stream': plain((body: IncomingBody) => body.stream()),
  '[static]incoming-body.finish': plain((body: IncomingBody) => body.finish()),
  '[resource-drop]incoming-body': plain((body: IncomingBody) => body.drop()),
  '[resource-drop]future-trailers': plain((future: FutureTrailers) => future.drop()),
  '[method]future-trailers.subscribe': plain((future: FutureTrailers) => future),
  '[method]future-trailers.get': plain((future: FutureTrailers) => future.get()),
  '[method]incoming-response.status': plain((response: IncomingResponse) => response.status),
  '[method]incoming-response.headers': plain((response: IncomingResponse) => response.headers.share()),
  '[method]incoming-response.consume': plain((response: IncomingResponse) => response.consume()),
  '[resource-drop]incoming-response': plain((response: IncomingResponse) => response.drop()),
  '[method]future-incoming-response.subscribe': plain((future: FutureIncomingResponse) => future),
  '[method]future-incoming-response.get': plain((future: FutureIncomingResponse) => future.get()),
  '[resource-drop]future-incoming-response': plain((future: FutureIncomingResponse) => future.drop()),
};

const outgoing: Capability['functions'] = {
  '[constructor]outgoing-request': perSlot((state) => (headers: Fields) => new OutgoingRequest(headers, state.memory)),
  '[resource-drop]outgoing-request': plain((request: OutgoingRequest) => request.drop()),
  '[method]outgoing-request.body': plain((request: OutgoingRequest) => request.body()),
  '[method]outgoing-request.method': plain((request: OutgoingRequest) => request.control.method),
  '[method]outgoing-request.set-method': plain((request: OutgoingRequest, method: Method) => request.control.setMethod(method)),
  '[method]outgoing-request.path-with-query': plain((request: OutgoingRequest) => request.control.pathWithQuery),
  '[method]outgoing-request.set-path-with-query': plain((request: OutgoingRequest, path: string | undefined) => request.control.setPathWithQuery(path)),
  '[method]outgoing-request.scheme': plain((request: OutgoingRequest) => request.control.scheme),
  '[method]outgoing-request.set-scheme': plain((request: OutgoingRequest, scheme: Scheme | undefined) => request.control.setScheme(scheme)),
  '[method]outgoing-request.authority': plain((request: OutgoingRequest) => request.control.authority),
  '[method]outgoing-request.set-authority': plain((request: OutgoingRequest, authority: string | undefined) => request.control.setAuthority(authority)),
  '[method]outgoing-request.headers': plain((request: OutgoingRequest) => request.headers.share()),
  '[constructor]outgoing-response': perSlot((state) => (headers: Fields) => new OutgoingResponse(headers, state.memory)),
  '[resource-drop]outgoing-response': plain((response: OutgoingResponse) => response.drop()),
  '[method]outgoing-response.status-code': plain((response: OutgoingResponse) => response.status),
  '[method]outgoing-response.set-status-code': plain((response: OutgoingResponse, status: number) => response.setStatus(status)),
  '[method]outgoing-response.headers': plain((response: OutgoingResponse) => response.headers.share()),
  '[method]outgoing-response.body': plain((response: OutgoingResponse) => response.body()),
  '[method]outgoing-body.write': plain((body: OutgoingBody) => body.write()),
  '[static]outgoing-body.finish': plain((body: OutgoingBody, trailers: Fields | undefined) => body.finish(trailers)),
  '[resource-drop]outgoing-body': plain((body: OutgoingBody) => body.drop()),
  '[static]response-outparam.set': perSlot((state) => (outparam: ResponseOutparam, result: Parameters<typeof setResponse>[2]) =>
    setResponse(state, outparam, result)),
};

/** `outgoing-handler.handle`: errors are the future's to tell. */
export function handle(state: GuestState, request: OutgoingRequest, options: RequestOptions | undefined): FutureIncomingResponse {
  const future = new FutureIncomingResponse();
  const scheme = request.control.scheme && schemeName(request.control.scheme);
  const work = sendOutbound(
    state,
    {
      method: methodName(request.control.method)!,
      scheme: scheme ?? null,
      authority: request.control.authority ?? null,
      pathWithQuery: request.control.pathWithQuery ?? '/',
      headers: request.headers,
      options: options ?? null,
      drop: () => request.drop(),
    },
    request.writer,
    (outcome) => future.settle(
      'tag' in outcome
        ? { tag: 'err', val: outcome }
        : { tag: 'ok', val: new IncomingResponse(outcome.status, Fields.fromWire(outcome.headers, state.memory), outcome.body, state.memory) },
    ),
  );
  future.cancel = () => work?.stop(new Error('the guest dropped the response'));
  return future;
}

/** The trailers of candidates, which say only once how a body ended: whoever asks again traps (as in Spin). */
export function trailersOnce(future: FutureTrailers): ReturnType<FutureTrailers['once']> {
  const outcome = future.once();
  if (outcome === null) throw new Trap('the trailers have been given already');
  return outcome;
}

const errorCode = { 'http-error-code': plain((error: IoError) => error.httpCode ?? undefined) };
/** Behind the feature `informational-outbound-responses` of the interface's text: no guest has it unless it was built for it. */
const informing = {
  '[method]response-outparam.send-informational': perSlot((state) => (outparam: ResponseOutparam, status: number, headers: Fields) =>
    sendInformational(state, outparam, status, headers)),
};
const sending = { handle: perSlot((state) => (request: OutgoingRequest, options: RequestOptions | undefined) => handle(state, request, options)) };

/** `wasi:http/types` and `wasi:http/outgoing-handler` of the 0.2 line and its second candidate. */
export const HTTP_02: readonly Capability[] = [
  { name: 'wasi:http/types', version: '0.2', functions: { ...errorCode, ...FIELDS_02, ...REQUEST_OPTIONS_02, ...INCOMING, ...outgoing, ...informing } },
  { name: 'wasi:http/outgoing-handler', version: '0.2', functions: sending },
  {
    name: 'wasi:http/types',
    version: RC_2023_11_10,
    functions: {
      ...errorCode, ...FIELDS_2023_11_10, ...REQUEST_OPTIONS_2023_11_10, ...INCOMING, ...outgoing,
      '[method]future-trailers.get': plain((future: FutureTrailers) => trailersOnce(future)),
    },
  },
  { name: 'wasi:http/outgoing-handler', version: RC_2023_11_10, functions: sending },
];
