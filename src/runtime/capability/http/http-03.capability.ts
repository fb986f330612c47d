import { Err } from '#engine/run/host.js';
import type { Pipe } from '#engine/run/pipe.js';
import { perSlot, plain, type Capability } from '../capability.js';
import type { GuestState } from '../guest.js';
import { sendOutbound } from '../outbound/outbound.js';
import type { Stoppable } from '../slot.js';
import { atVersions, SINCE_2026_03_15 } from '../versions.js';
import { BodyWriter } from './body-writer.js';
import { FIELDS_03 } from './fields.capability.js';
import { declaredLength, Fields } from './fields.js';
import { GuestBody, Request03, Response03, WireBody } from './message-03.js';
import { methodName, schemeName, type Method, type Scheme } from './method.js';
import { REQUEST_OPTIONS_03, type RequestOptions } from './request-options.js';

const BAD_LENGTH = new Err({ tag: 'HTTP-protocol-error' });

/** `client.send`: settles with a response or an `Err`, at the latest when the invocation ends; `abort` stops it. */
function send(state: GuestState, request: Request03): (Promise<Response03 | Err> & { abort?: () => void }) | Err {
  const { body } = request;
  const { memory } = state;
  memory.check();
  const declared = body.present ? declaredLength(request.headers) : null;
  if (declared === undefined) return BAD_LENGTH;
  const writer = body.present ? new BodyWriter('request', declared, memory) : null;
  let work: Stoppable | null = null;
  const promise: Promise<Response03 | Err> & { abort?: () => void } = new Promise((resolve) => {
    work = sendOutbound(
      state,
      {
        method: methodName(request.control.method)!,
        scheme: (request.control.scheme && schemeName(request.control.scheme)) ?? null,
        authority: request.control.authority ?? null,
        pathWithQuery: request.control.pathWithQuery ?? '/',
        headers: request.headers,
        options: request.options ?? null,
        drop: () => request.drop(),
      },
      writer,
      (outcome) => resolve(
        'tag' in outcome ? new Err(outcome) : new Response03(Fields.fromWire(outcome.headers, memory), new WireBody(outcome.body), outcome.status),
      ),
    );
  });
  promise.abort = () => work?.stop(new Error('the guest cancelled the request'));
  body.sendTo(writer ?? new BodyWriter('request', null, memory));
  if (writer && !writer.done) setImmediate(() => writer.flush());
  return promise;
}

const request: Capability['functions'] = {
  '[static]request.new': perSlot((state) => (headers: Fields, contents: Pipe | undefined, trailers: Pipe, options: RequestOptions | undefined) => {
    if (options) options.immutable = true;
    const body = new GuestBody(contents, trailers);
    return [new Request03(headers.freeze(), body, options, state.memory), body.sent];
  }),
  '[method]request.get-method': plain((it: Request03) => it.control.method),
  '[method]request.set-method': plain((it: Request03, method: Method) => it.control.setMethod(method)),
  '[method]request.get-path-with-query': plain((it: Request03) => it.control.pathWithQuery),
  '[method]request.set-path-with-query': plain((it: Request03, path: string | undefined) => it.control.setPathWithQuery(path)),
  '[method]request.get-scheme': plain((it: Request03) => it.control.scheme),
  '[method]request.set-scheme': plain((it: Request03, scheme: Scheme | undefined) => it.control.setScheme(scheme)),
  '[method]request.get-authority': plain((it: Request03) => it.control.authority),
  '[method]request.set-authority': plain((it: Request03, authority: string | undefined) => it.control.setAuthority(authority)),
  '[method]request.get-options': plain((it: Request03) => it.options),
  '[method]request.get-headers': plain((it: Request03) => it.headers.share()),
  '[static]request.consume-body': plain((it: Request03, result: Pipe) => {
    it.drop();
    return it.body.consume(result);
  }),
  '[resource-drop]request': plain((it: Request03) => {
    it.drop();
    it.body.drop();
  }),
};

const response: Capability['functions'] = {
  '[static]response.new': plain((headers: Fields, contents: Pipe | undefined, trailers: Pipe) => {
    const body = new GuestBody(contents, trailers);
    return [new Response03(headers.freeze(), body), body.sent];
  }),
  '[method]response.get-status-code': plain((it: Response03) => it.status),
  '[method]response.set-status-code': plain((it: Response03, status: number) => it.setStatus(status)),
  '[method]response.get-headers': plain((it: Response03) => it.headers.share()),
  '[static]response.consume-body': plain((it: Response03, result: Pipe) => {
    it.headers.drop();
    return it.body.consume(result);
  }),
  '[resource-drop]response': plain((it: Response03) => {
    it.headers.drop();
    it.body.drop();
  }),
};

/** `wasi:http/types` and `wasi:http/client` of the 0.3 line and its candidate. */
export const HTTP_03: readonly Capability[] = [
  ...atVersions(SINCE_2026_03_15, 'wasi:http/types', { ...FIELDS_03, ...REQUEST_OPTIONS_03, ...request, ...response }),
  ...atVersions(SINCE_2026_03_15, 'wasi:http/client', { send: perSlot((state) => (it: Request03) => send(state, it)) }),
];
