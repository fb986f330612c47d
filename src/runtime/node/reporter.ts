import type { NodeReportInput } from '#contract/assignment.js';
import { WhorlError } from '#contract/errors.js';
import type { NodeHeartbeat, NodeReceipt } from '#contract/node-facts.js';
import { HEARTBEAT_MS } from '#contract/node-routes.js';
import type { Log } from '#platform/log.js';
import type { CountedLoad } from './load-tally.js';

const TIMEOUT_MS = 5_000;

/** What a node says of itself, but for its place in the order and the load. */
export type Said = Omit<NodeReportInput, 'startCount' | 'sequence' | 'load'>;

export interface ReporterOptions {
  said(): Said;
  countLoad(): CountedLoad;
  /** Which start of the node this is, and what makes it a later one. */
  start: { readonly value: number; raiseAbove(known: number): Promise<void> };
  /** undefined: the control plane is of a release that answers nothing. */
  report(report: NodeReportInput, signal: AbortSignal): Promise<NodeReceipt | undefined>;
  heartbeat(heartbeat: NodeHeartbeat, signal: AbortSignal): Promise<NodeReceipt>;
  /** @param sentAtMs when it was asked, ms since the epoch */
  onReceipt(receipt: NodeReceipt, sentAtMs: number): void;
  /** This node is none of the fleet any more. */
  onRemoved(): void;
  log: Log;
}

/**
 * Says what the node holds: everything at once after each change, else that nothing has changed. One message is under way at a time;
 * changes meanwhile go into the next.
 */
export class Reporter {
  private changed = Promise.withResolvers<void>();
  private failing = false;
  private sequence = 0;
  /** The last report that was taken of this start. */
  private taken: { text: string; sequence: number } | undefined;
  private knowsHeartbeats = false;
  private isKnown = false;
  private wasSuperseded = false;

  constructor(private readonly options: ReporterOptions) {}

  /** Something in the report may have changed. */
  change(): void {
    this.changed.resolve();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.changed = Promise.withResolvers();
      if (!(await this.trySend(signal))) {
        // A change must not turn into a storm of tries.
        this.changed = Promise.withResolvers();
      }
      await this.nextTurn(signal);
    }
  }

  /** Says it now, beside `run` or after it. Throws when the control plane does not take it. */
  async send(signal: AbortSignal): Promise<NodeReceipt | undefined> {
    const { options } = this;
    const said = options.said();
    const text = JSON.stringify(said);
    const { load, taken } = options.countLoad();
    const order = { startCount: options.start.value, sequence: ++this.sequence };
    const sentAtMs = Date.now();
    let receipt: NodeReceipt | undefined;
    if (this.knowsHeartbeats && this.taken?.text === text) {
      receipt = await options.heartbeat({ ...order, reported: this.taken.sequence, load }, signal).catch((error: unknown) => {
        // One of an older release may have taken its place.
        this.knowsHeartbeats = false;
        throw error;
      });
    } else {
      receipt = await options.report({ ...said, ...order, load }, signal);
      this.knowsHeartbeats = receipt !== undefined;
      this.taken = { text, sequence: order.sequence };
    }
    taken();
    if (receipt) await this.take(receipt, sentAtMs);
    return receipt;
  }

  private async trySend(signal: AbortSignal): Promise<boolean> {
    try {
      await this.send(AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]));
      this.failing = false;
      return true;
    } catch (error) {
      if (!this.failing && !signal.aborted) this.options.log.warn('the control plane does not take the report', { reason: (error as Error).message });
      this.failing = true;
      if (error instanceof WhorlError && error.code === 'NODE_REMOVED') this.options.onRemoved();
      return false;
    }
  }

  private async take(receipt: NodeReceipt, sentAtMs: number): Promise<void> {
    const { options } = this;
    options.onReceipt(receipt, sentAtMs);
    if (receipt.taken === 'taken') this.isKnown = true;
    else if (!this.isKnown) {
      // The count on disk is behind what is known of this name: the disk was lost, or is a copy.
      await options.start.raiseAbove(receipt.startCount);
      options.log.warn('an earlier start of this node is known by a higher count: going on from there', { startCount: options.start.value });
      this.askAgain();
    } else if (receipt.taken === 'superseded' && !this.wasSuperseded) {
      this.wasSuperseded = true;
      options.log.error('another node of this name has started since: this one is not listened to', { startCount: options.start.value, known: receipt.startCount });
    }
    if (receipt.wants === 'report') this.askAgain();
  }

  private askAgain(): void {
    this.taken = undefined;
    this.changed.resolve();
  }

  private async nextTurn(signal: AbortSignal): Promise<void> {
    const beat = Promise.withResolvers<void>();
    const timer = setTimeout(beat.resolve, HEARTBEAT_MS);
    signal.addEventListener('abort', () => beat.resolve(), { once: true });
    await Promise.race([this.changed.promise, beat.promise]);
    clearTimeout(timer);
  }
}
