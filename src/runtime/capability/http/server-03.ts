import type { GuestState, HttpExchange } from '../guest.js';
import { BodyWriter } from './body-writer.js';
import type { ErrorCode } from './error-code.js';
import { declaredLength, Fields } from './fields.js';
import { Request03, WireBody, type Response03 } from './message-03.js';
import { HTTP, methodOf } from './method.js';
import { answeredError, respondFault, ResponseDestination, responseFault } from './response-destination.js';

/**
 * Argument of `wasi:http/handler@0.3.x#handle`: the `request` resource over an exchange.
 */
export function incomingRequest03(exchange: HttpExchange): Request03 {
  const request = new Request03(() => Fields.fromWire(exchange.headers), new WireBody(exchange.body), undefined, null);
  request.control.method = methodOf(exchange.method);
  request.control.pathWithQuery = exchange.pathWithQuery;
  request.control.scheme = exchange.scheme === 'https' ? { tag: 'HTTPS' } : HTTP;
  request.control.authority = exchange.authority;
  return request;
}

/**
 * Answers an exchange with what `handle` of a 0.3 guest returned, at once when the task returns: the guest goes on writing the body in
 * its other tasks. `done` is called when the answer is complete or broken off; an answer that is unfinished when the slot is reset is
 * broken off. The function it returns is to be called when nothing of the guest runs any more. The first bytes are kept back for the rest of this turn of the event loop, so that a small answer is one write.
 */
export function sendResponse03(
  state: GuestState,
  exchange: HttpExchange,
  result: { tag: 'ok'; val: Response03 } | { tag: 'err'; val: ErrorCode },
  done?: () => void,
): () => void {
  const fault = result.tag === 'err' ? answeredError(result.val) : responseFault(result.val.status, result.val.headers);
  if (fault !== null || result.tag === 'err') {
    state.invocation.note(`the component ${fault}`);
    respondFault(exchange);
    done?.();
    return () => undefined;
  }
  const { status, headers, body } = result.val;
  const writer = new BodyWriter('response', declaredLength(headers) ?? null, null);
  writer.onDone = done ?? null;
  writer.attach(new ResponseDestination(exchange, status, headers));
  body.sendTo(writer);
  if (writer.done) return () => undefined;
  const flush = setImmediate(() => writer.flush());
  state.defer(() => {
    clearImmediate(flush);
    if (writer.done) return;
    writer.abort(new Error('the component ended before its answer did'));
    body.drop();
  });
  return () => body.guestEnded();
}
