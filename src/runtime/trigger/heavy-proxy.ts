import { Gate, type Entrant } from '#runtime/component/gate.js';
import type { Deadlines } from '#runtime/component/deadlines.js';
import type { ClientCall } from './client-call.js';
import { toLaneHeaders, type HandedOver } from './lane-headers.js';
import { ClientInbound, toOutgoing } from './relay/client-inbound.js';
import { relay } from './relay/relay.js';
import { toSocket } from './relay/socket-outbound.js';
import { writeHead } from './response-sink.js';

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
    const { deadlines, headTimeoutMs, onError } = this.options;
    const { request } = call;
    relay({
      inbound: new ClientInbound(call),
      outgoing: toOutgoing(call, request.headers.host!, request.url!, toLaneHeaders(handed)),
      open: toSocket({ path: this.socketPath!, asksToProceed: false }),
      deadlines,
      headTimeoutMs,
      waitsToProceed: false,
      proceedsAtOnce: true,
      over: (outcome) => {
        if (outcome.kind === 'failed') {
          if (!outcome.isLate) onError(outcome.error, handed);
          unserved(outcome.error.message);
          answerBusy(call);
        }
        over();
      },
    });
  }
}

/** The request was not run, or not to its end. */
export function answerBusy({ response, front, expectsContinue }: ClientCall): void {
  if (response.headersSent || response.closed) return;
  writeHead(response, 503, ['retry-after', '1', 'content-length', '0'], front.draining || expectsContinue);
  response.end();
}
