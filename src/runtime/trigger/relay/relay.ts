import type { Readable } from 'node:stream';
import type { Deadlines } from '#runtime/component/deadlines.js';
import type { Fields, Inbound, Open, Outbound, Outgoing } from './exchange.js';

/** How an attempt to have a request answered ended. */
export type Outcome =
  /** The answer was sent, or as much of it as somebody wanted. */
  | { kind: 'done' }
  /** Who sent the request is gone. */
  | { kind: 'gone' }
  /** `accept` did not take the answer; nothing of it was sent, and nothing of the body read. */
  | { kind: 'declined' }
  /** `wasSent` false: it may be tried elsewhere. `wasRead`: some of its body is gone. Where the answer had begun, it was broken off. */
  | { kind: 'failed'; error: Error; wasSent: boolean; wasRead: boolean; isLate: boolean };

export interface RelayOptions {
  inbound: Inbound;
  outgoing: Outgoing;
  open: Open;
  deadlines: Deadlines;
  /** Longest time to the head of the answer. */
  headTimeoutMs: number;
  /** The body is sent when `100 Continue` comes, and not before. */
  waitsToProceed: boolean;
  /** Whether the client is told to go on as soon as the request is passed on, instead of when `100 Continue` comes. */
  proceedsAtOnce?: boolean;
  /** What to pass back of an answer's fields; null: nothing of the answer, which is no answer to the request. */
  accept?(status: number, fields: Fields): Fields | null;
  over(outcome: Outcome): void;
}

/**
 * Passes a request on and what is answered back, streaming both ways: bodies with their backpressure, trailers, interim answers (RFC 9110,
 * section 15.2), and that the client is gone. It answers nothing by itself.
 */
export function relay(options: RelayOptions): void {
  new Passage(options).start();
}

class Passage {
  private outbound!: Outbound;
  private isOver = false;
  private wasRead = false;
  private forget: () => void = () => undefined;
  /** The whole body is on its way. */
  private isSent: boolean;
  private readonly late: { deadlineAt: number; expire(): void };

  constructor(private readonly options: RelayOptions) {
    this.isSent = !options.outgoing.hasBody;
    this.late = { deadlineAt: Date.now() + options.headTimeoutMs, expire: () => this.fail(new Error(`no answer within ${options.headTimeoutMs} ms`), true, true) };
  }

  start(): void {
    const { inbound, outgoing, open, deadlines } = this.options;
    deadlines.add(this.late);
    this.outbound = open(outgoing, {
      ready: () => this.ready(),
      proceed: () => this.proceed(),
      inform: (status, fields) => this.isOver || inbound.inform(status, fields),
      head: (status, fields, body) => this.head(status, fields, body),
      failed: (error, wasSent) => this.fail(error, wasSent, false),
    });
    this.forget = inbound.onOver((isWhole) => this.closed(isWhole));
    if (!outgoing.hasBody) this.outbound.body.end();
  }

  /** Only now: what is read of a body cannot be sent to anybody else. */
  private ready(): void {
    const { inbound, outgoing, waitsToProceed, proceedsAtOnce } = this.options;
    if (this.isOver || !outgoing.hasBody || waitsToProceed) return;
    if (proceedsAtOnce) inbound.proceed();
    this.sendBody();
  }

  private proceed(): void {
    if (this.isOver || this.wasRead || this.isSent) return;
    this.options.inbound.proceed();
    this.sendBody();
  }

  private sendBody(): void {
    const { inbound } = this.options;
    const { body } = inbound;
    if (!body) return void this.outbound.body.end();
    this.wasRead = true;
    body.on('end', () => {
      this.isSent = true;
      if (inbound.bodyTrailers.length > 0 && !this.isOver) this.outbound.addTrailers([...inbound.bodyTrailers]);
    });
    const brokenOff = (): void => {
      if (!this.isSent) this.closed(false);
    };
    body.on('error', brokenOff);
    body.on('close', brokenOff);
    body.pipe(this.outbound.body);
  }

  private head(status: number, fields: Fields, body: Readable): void {
    if (this.isOver) return;
    const { inbound, accept, deadlines } = this.options;
    const passed = accept ? accept(status, fields) : fields;
    if (!passed) {
      this.end();
      this.outbound.cancel();
      return this.options.over(this.wasRead
        ? { kind: 'failed', error: new Error('the request was not taken'), wasSent: true, wasRead: true, isLate: false }
        : { kind: 'declined' });
    }
    deadlines.remove(this.late);
    const answer = inbound.begin(status, passed);
    body.on('end', () => {
      if (this.outbound.answerTrailers.length > 0 && !this.isOver) inbound.addTrailers([...this.outbound.answerTrailers]);
    });
    body.pipe(answer);
  }

  private fail(error: Error, wasSent: boolean, isLate: boolean): void {
    if (this.isOver) return;
    const { inbound } = this.options;
    this.end();
    this.outbound?.cancel();
    if (inbound.hasBegun) inbound.abort();
    this.options.over({ kind: 'failed', error, wasSent, wasRead: this.wasRead, isLate });
  }

  /** The answer is sent, or nobody waits for it. */
  private closed(isWhole: boolean): void {
    if (this.isOver) return;
    this.end();
    if (!isWhole || !this.isSent) this.outbound.cancel();
    this.options.over({ kind: isWhole ? 'done' : 'gone' });
  }

  private end(): void {
    this.isOver = true;
    this.forget();
    this.options.deadlines.remove(this.late);
    const { body } = this.options.inbound;
    if (!this.wasRead || !body) return;
    body.unpipe(this.outbound.body);
    // What is left of it is read and dropped, so that the connection can go on.
    body.resume();
  }
}
