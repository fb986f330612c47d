import type { Agent, Dispatcher } from 'undici';
import type { ByteSink, Headers } from '../guest.js';
import type { HostMemory } from '../host-memory.js';
import type { BodyDestination } from '../http/body-writer.js';
import { errorCodeOf, HttpError, type ErrorCode } from '../http/error-code.js';
import type { Stoppable } from '../slot.js';
import { IncomingBytes } from './incoming-bytes.js';
import { StreamedBody, WholeBody } from './request-body.js';
import type { OutboundOutcome } from './outcome.js';
import type { TrailerDispatcher, TrailingRequest } from './trailer-dispatcher.js';

export interface NetworkRequest {
  method: string;
  origin: string;
  path: string;
  headers: [string, string][];
  connectMs: number;
  firstByteMs: number;
  betweenBytesMs: number;
  /** The account of the guest that asks. */
  memory: HostMemory;
}

const fromRaw = (raw: unknown): Headers => {
  if (!Array.isArray(raw)) return [];
  const text = (value: unknown) => (Buffer.isBuffer(value) ? value.toString('latin1') : String(value));
  const headers: [string, string][] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) headers.push([text(raw[i]), text(raw[i + 1])]);
  return headers;
};

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** One request over the network and its response. `done` is called once; `over` when nothing is left of it. */
export class NetworkExchange implements BodyDestination, Dispatcher.DispatchHandler, Stoppable {
  readonly bodiless = false;
  private controller: Dispatcher.DispatchController | null = null;
  private stopped: Error | null = null;
  private body: IncomingBytes | null = null;
  private requestBody: StreamedBody | null = null;
  private timer: NodeJS.Timeout | null = null;
  private finished = false;
  private whole: { body: Uint8Array | null } | null = null;
  private retried = false;

  constructor(
    private readonly agent: Agent | TrailerDispatcher,
    private readonly request: NetworkRequest,
    private readonly done: (outcome: OutboundOutcome) => void,
    private readonly over: () => void,
  ) {}

  start(length: number | null): ByteSink {
    if (length !== null) {
      return new WholeBody((body) => {
        this.whole = { body };
        this.dispatch(body);
      });
    }
    const body = (this.requestBody = new StreamedBody());
    this.dispatch(body.readable);
    return body;
  }

  abandon(reason: Error): void {
    this.fail(reason);
  }

  stop(reason: Error): void {
    this.fail(new HttpError({ tag: 'connection-terminated' }, { cause: reason }));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.stopped) controller.abort(this.stopped);
    else this.arm(this.request.firstByteMs, { tag: 'HTTP-response-timeout' });
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) return;
    const body = new IncomingBytes({
      pause: () => {
        this.disarm();
        controller.pause();
      },
      resume: () => {
        this.armBetweenBytes();
        controller.resume();
      },
      cancel: () => this.stop(new Error('the guest does not read the response any more')),
    }, this.request.memory);
    this.body = body;
    this.armBetweenBytes();
    this.done({ status, headers: fromRaw(controller.rawHeaders), body });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.timer?.refresh();
    this.body?.push(chunk);
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    this.body?.end(fromRaw(controller.rawTrailers));
    this.finish();
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.mayRetry(error)) {
      this.retried = true;
      this.dispatch(this.whole!.body);
      return;
    }
    this.fail(this.stopped ?? error);
  }

  /**
   * A kept-alive connection may be closed by the server at the moment of its next use. What is idempotent is sent once more (RFC 9110,
   * section 9.2.2).
   */
  private mayRetry(error: Error): boolean {
    if (this.finished || this.retried || this.body || !this.whole || !IDEMPOTENT.has(this.request.method)) return false;
    return this.controller !== null && errorCodeOf(error).tag === 'connection-terminated';
  }

  private dispatch(body: Uint8Array | StreamedBody['readable'] | null): void {
    if (this.finished) return;
    const { method, origin, path, headers } = this.request;
    this.arm(this.request.connectMs, { tag: 'connection-timeout' });
    try {
      this.agent.dispatch({ origin, path, method, headers: headers.flat(), body, headersTimeout: 0, bodyTimeout: 0, trailers: () => this.requestBody?.trailers } as TrailingRequest & Dispatcher.DispatchOptions, this);
    } catch (error) {
      this.fail(error as Error);
    }
  }

  private armBetweenBytes(): void {
    this.arm(this.request.betweenBytesMs, { tag: 'connection-read-timeout' });
  }

  private arm(ms: number, code: ErrorCode): void {
    this.disarm();
    if (!this.finished) this.timer = setTimeout(() => this.fail(new HttpError(code)), ms);
  }

  private disarm(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  private fail(error: Error): void {
    if (this.finished) return;
    this.stopped = error;
    this.finish();
    this.controller?.abort(error);
    this.requestBody?.abort(error);
    if (!this.body) {
      this.done(errorCodeOf(error));
      return;
    }
    const code = errorCodeOf(error);
    this.body.fail(code.tag === 'connection-terminated' ? new HttpError({ tag: 'HTTP-response-incomplete' }, { cause: error }) : new HttpError(code));
  }

  private finish(): void {
    this.disarm();
    this.finished = true;
    this.over();
  }
}
