import { BytePipe } from '../byte-pipe.js';
import type { ByteSink, ByteSource, Headers, HttpExchange } from '../guest.js';
import type { HostMemory } from '../host-memory.js';
import type { BodyDestination } from '../http/body-writer.js';
import { HttpError, type ErrorCode } from '../http/error-code.js';
import type { Stoppable } from '../slot.js';
import type { OutboundOutcome } from './outcome.js';

export interface LoopbackRequest {
  method: string;
  pathWithQuery: string;
  scheme: 'http' | 'https';
  authority: string;
  headers: Headers;
  /** The account of the guest that asks: both bodies are its. */
  memory: HostMemory;
}

/** An exchange between two guests of this process: one's outgoing request is the other's incoming one. */
class LoopbackExchange implements HttpExchange {
  readonly method: string;
  readonly pathWithQuery: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly headers: Headers;

  constructor(request: LoopbackRequest, readonly body: ByteSource, private readonly answer: (status: number, headers: Headers) => ByteSink) {
    this.method = request.method;
    this.pathWithQuery = request.pathWithQuery;
    this.scheme = request.scheme;
    this.authority = request.authority;
    this.headers = request.headers;
  }

  respond(status: number, headers: Headers): ByteSink {
    return this.answer(status, headers);
  }
}

/**
 * Sends a request to a component of the same app: `hand` gives the exchange to it (`invocation.chain`) and throws when there is none.
 * `done` is called once; `over` when nothing is left of the exchange.
 */
export class Loopback implements BodyDestination, Stoppable {
  readonly bodiless = false;
  private readonly requestBody: BytePipe;
  private readonly responseBody: BytePipe;
  private settled = false;

  constructor(
    private readonly request: LoopbackRequest,
    private readonly hand: (exchange: HttpExchange) => void,
    private readonly done: (outcome: OutboundOutcome) => void,
    private readonly over: () => void,
  ) {
    this.requestBody = new BytePipe(request.memory);
    this.responseBody = new BytePipe(request.memory);
    this.responseBody.onFinish = over;
  }

  start(length: number | null): ByteSink {
    const headers = length === null || length === 0 || this.request.headers.some(([name]) => name === 'content-length')
      ? this.request.headers
      : [...this.request.headers, ['content-length', String(length)] as const];
    const exchange = new LoopbackExchange({ ...this.request, headers }, this.requestBody, (status, fields) => this.answer(status, fields));
    // In a microtask of its own: the caller is on the stack, and the callee may answer at once.
    queueMicrotask(() => {
      if (this.settled) return;
      try {
        this.hand(exchange);
      } catch (error) {
        this.settle(error instanceof HttpError ? error.httpCode : { tag: 'destination-not-found' });
        this.over();
      }
    });
    return this.requestBody;
  }

  abandon(reason: Error): void {
    this.stop(reason);
  }

  stop(reason: Error): void {
    this.requestBody.abort(reason);
    this.requestBody.cancel();
    this.responseBody.cancel();
    this.responseBody.abort(new HttpError({ tag: 'connection-terminated' }, { cause: reason }));
    this.settle(reason instanceof HttpError ? reason.httpCode : { tag: 'connection-terminated' });
    this.over();
  }

  private answer(status: number, headers: Headers): ByteSink {
    this.settle({ status, headers, body: this.responseBody });
    return this.responseBody;
  }

  private settle(outcome: OutboundOutcome | ErrorCode): void {
    if (this.settled) return;
    this.settled = true;
    this.done(outcome);
  }
}
