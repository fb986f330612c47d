import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { Gate, type Entrant } from '#runtime/component/gate.js';
import type { Deadlines } from '#runtime/component/deadlines.js';
import type { ClientCall } from './client-call.js';
import { toLaneHeaders, type HandedOver } from './lane-headers.js';
import { connectionOptions } from './request-headers.js';
import { writeHead } from './response-sink.js';
import { toClientHeaders } from './response-headers.js';

export interface HeavyProxyOptions {
  deadlines: Deadlines;
  /** Longest time from the hand-over to the head of the answer. */
  headTimeoutMs: number;
  onError(error: Error, handed: HandedOver): void;
}

export interface HandOverEvents {
  /** The exchange has ended, whatever became of it; called once. */
  over(): void;
  /** The heavy lane did not run it, or not to its end. */
  unserved(why: string): void;
}

/** Of one app, in one runner: the heavy lane works through them one after the other anyway. */
const CONCURRENCY = 8;
const MAX_QUEUED = 64;
const MAX_WAIT_MS = 10_000;
/** A mark made here is kept so long even when the supervisor's list does not have it yet. */
const OWN_MARK_MS = 5_000;

const NOT_PASSED_ON: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'te', 'expect', 'http2-settings']);

interface Mark {
  gate: Gate;
  /** Until then it stays without the supervisor's word. */
  ownUntil: number;
}

/** Hands requests of heavy apps to the runners of the heavy lane, streaming both ways; so many of one app at a time. */
export class HeavyProxy {
  private readonly marks = new Map<string, Mark>();
  private socketPath: string | null = null;
  private waitingForSocket: (() => void)[] = [];

  constructor(private readonly options: HeavyProxyOptions) {}

  isHeavy(key: string): boolean {
    return this.marks.has(key);
  }

  /** An app struck the bound in this very runner: its next requests must not come back to it. */
  mark(key: string): void {
    this.put(key, Date.now() + OWN_MARK_MS);
  }

  /** The supervisor's list, whole. `socketPath` null: the heavy lane is not up yet, requests wait. */
  set(keys: readonly string[], socketPath: string | null): void {
    const now = Date.now();
    const wanted = new Set(keys);
    for (const key of wanted) this.put(key, 0);
    for (const [key, mark] of this.marks) if (!wanted.has(key) && mark.ownUntil < now) this.marks.delete(key);
    this.socketPath = socketPath;
    if (socketPath === null) return;
    const { waitingForSocket } = this;
    this.waitingForSocket = [];
    for (const go of waitingForSocket) go();
  }

  /** Hands a request over; the heavy lane counts it, and `unserved` is called when it does not come to that. */
  forward(key: string, call: ClientCall, handed: HandedOver, { over, unserved }: HandOverEvents): void {
    const gate = this.marks.get(key)?.gate ?? this.put(key, 0).gate;
    let leave: (() => void) | null = () => gate.leave();
    let started = false;
    const end = () => {
      if (started) leave?.();
      leave = null;
      over();
    };
    const refuse = (why: string) => {
      answerBusy(call);
      unserved(why);
      end();
    };
    const entrant: Entrant = {
      enter: () => {
        started = true;
        this.whenUp(() => (call.response.closed ? end() : this.pass(call, handed, { over: end, unserved })), () => refuse('the heavy lane did not come up'));
      },
      turnAway: (why) => refuse(`the heavy lane has no room: ${why}`),
    };
    const leaveQueue = gate.arrive(entrant);
    if (!leaveQueue) return;
    call.response.once('close', () => {
      if (started || !leave) return;
      leaveQueue();
      end();
    });
  }

  private put(key: string, ownUntil: number): Mark {
    let mark = this.marks.get(key);
    if (!mark) this.marks.set(key, (mark = { gate: new Gate({ concurrency: CONCURRENCY, maxQueued: MAX_QUEUED, maxWaitMs: MAX_WAIT_MS }, this.options.deadlines), ownUntil }));
    mark.ownUntil = Math.max(mark.ownUntil, ownUntil);
    return mark;
  }

  private whenUp(go: () => void, late: () => void): void {
    if (this.socketPath !== null) return go();
    const expiring = {
      deadlineAt: Date.now() + MAX_WAIT_MS,
      expire: () => {
        this.waitingForSocket = this.waitingForSocket.filter((each) => each !== proceed);
        late();
      },
    };
    const proceed = () => {
      this.options.deadlines.remove(expiring);
      go();
    };
    this.waitingForSocket.push(proceed);
    this.options.deadlines.add(expiring);
  }

  private pass(call: ClientCall, handed: HandedOver, { over, unserved }: HandOverEvents): void {
    const { request, response } = call;
    const upstream = httpRequest({
      socketPath: this.socketPath!,
      // A connection for each request: a kept one could be closed under the next request, and a Unix socket costs little.
      agent: false,
      method: request.method,
      path: request.url,
      headers: passedOn(request, handed),
      setHost: false,
    });
    let ended = false;
    const finish = () => {
      if (ended) return;
      ended = true;
      this.options.deadlines.remove(late);
      over();
    };
    const fail = (error: Error, isLate = false) => {
      if (ended) return;
      if (!isLate) this.options.onError(error, handed);
      upstream.destroy();
      unserved(error.message);
      if (response.headersSent) response.destroy();
      else answerBusy(call);
      finish();
    };
    const late = { deadlineAt: Date.now() + this.options.headTimeoutMs, expire: () => fail(new Error('the heavy lane did not answer in time'), true) };
    this.options.deadlines.add(late);
    upstream.on('error', (error) => fail(error));
    upstream.on('response', (answer) => {
      this.options.deadlines.remove(late);
      answer.on('error', (error) => fail(error));
      answer.on('aborted', () => fail(new Error('the heavy lane broke the answer off')));
      passBack(call, answer);
    });
    response.once('close', () => {
      if (!response.writableFinished) upstream.destroy();
      finish();
    });
    if (call.expectsContinue) response.writeContinue();
    passBody(request, upstream);
  }
}

function passedOn(request: IncomingMessage, handed: HandedOver): string[] {
  const { rawHeaders } = request;
  const named = connectionOptions(rawHeaders);
  const headers: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (NOT_PASSED_ON.has(name) || name.startsWith('whorl-') || named?.has(name)) continue;
    headers.push(rawHeaders[i]!, rawHeaders[i + 1]!);
  }
  if (request.headers['transfer-encoding'] !== undefined) headers.push('transfer-encoding', 'chunked');
  headers.push(...toLaneHeaders(handed));
  return headers;
}

function passBody(request: IncomingMessage, upstream: ClientRequest): void {
  if (request.headers['transfer-encoding'] === undefined && request.headers['content-length'] === undefined) {
    upstream.end();
    return;
  }
  request.on('end', () => {
    if (request.rawTrailers.length > 0) upstream.addTrailers(toPairs(request.rawTrailers));
  });
  request.on('error', () => upstream.destroy());
  request.on('close', () => {
    if (!request.complete) upstream.destroy();
  });
  request.pipe(upstream);
}

function passBack({ response, front }: ClientCall, answer: IncomingMessage): void {
  writeHead(response, answer.statusCode!, toClientHeaders(toPairs(answer.rawHeaders)), front.draining);
  answer.on('end', () => {
    if (answer.rawTrailers.length > 0) response.addTrailers(toPairs(answer.rawTrailers));
  });
  answer.pipe(response);
}

/** The request was not run, or not to its end. */
export function answerBusy({ response, front, expectsContinue }: ClientCall): void {
  if (response.headersSent || response.closed) return;
  writeHead(response, 503, ['retry-after', '1', 'content-length', '0'], front.draining || expectsContinue);
  response.end();
}

function toPairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i): [string, string] => [flat[2 * i]!, flat[2 * i + 1]!]);
}
