import { Err } from '#engine/run/host.js';
import type { GuestState, HttpExchange } from '../guest.js';
import { slotOf } from '../slot.js';
import { BodyWriter } from './body-writer.js';
import type { ErrorCode } from './error-code.js';
import { declaredLength, type Fields } from './fields.js';
import { IncomingRequest } from './incoming-02.js';
import { ResponseOutparam, type OutgoingResponse } from './outgoing-02.js';
import { answeredError, respondFault, ResponseDestination, responseFault } from './response-destination.js';

/**
 * First argument of `wasi:http/incoming-handler@0.2.x#handle`: the `incoming-request` resource over an exchange.
 */
export function incomingRequest02(exchange: HttpExchange): IncomingRequest {
  return new IncomingRequest(exchange);
}

/**
 * Second argument of `wasi:http/incoming-handler@0.2.x#handle`: the `response-outparam` resource. When the guest is done and the slot is
 * released, an exchange that has no answer yet is the owner's to answer with 500; `answered` tells whether the guest called `set` at all.
 */
export function responseOutparam02(exchange: HttpExchange): ResponseOutparam {
  return new ResponseOutparam(exchange);
}

/**
 * `response-outparam.send-informational`: an interim answer (RFC 9110, section 15.2), which leaves at once. Not 101: a guest has no
 * connection that could change its protocol.
 */
export function sendInformational(state: GuestState, { exchange }: ResponseOutparam, status: number, headers: Fields): Err<ErrorCode> | undefined {
  if (status < 100 || status > 199 || status === 101) return new Err({ tag: 'internal-error', val: `${status} is no informational status that an app may answer` });
  if (headers.has('content-length')) return new Err({ tag: 'internal-error', val: 'an informational answer has no content-length (RFC 9110, section 8.6)' });
  state.invocation.effect?.();
  exchange.inform?.(status, headers.toHeaders());
  return undefined;
}

/**
 * `response-outparam.set`. The head and first bytes are kept back until the body is finished, the guest waits, or 64 KiB are there. A
 * body that is unfinished when the slot is reset is broken off, so that the client sees an incomplete message.
 */
export function setResponse(
  state: GuestState,
  outparam: ResponseOutparam,
  result: { tag: 'ok'; val: OutgoingResponse } | { tag: 'err'; val: ErrorCode },
): void {
  const { exchange } = outparam;
  outparam.answered = true;
  const fault = result.tag === 'err' ? answeredError(result.val) : responseFault(result.val.status, result.val.headers);
  if (fault !== null || result.tag === 'err') {
    state.invocation.note(`the component ${fault}`);
    respondFault(exchange);
    return;
  }
  const destination = new ResponseDestination(exchange, result.val.status, result.val.headers);
  const { writer } = result.val;
  if (writer === null) {
    const empty = new BodyWriter('response', declaredLength(result.val.headers) ?? null, null);
    empty.attach(destination);
    empty.end();
    return;
  }
  writer.attach(destination);
  if (writer.done) return;
  slotOf(state).hold(writer);
  state.defer(() => {
    if (!writer.done) writer.abort(new Error('the component ended before its answer did'));
  });
}
