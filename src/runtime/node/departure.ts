import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeFarewell, NodeReceipt } from '#contract/node-facts.js';
import type { Log } from '#platform/log.js';

/** With no answer within this, nobody takes over what this node has. */
const FIRST_ANSWER_MS = 1_000;
const ASK_EVERY_MS = 250;
/** Others serve what this node has: so long it answers all the same, while those who send requests learn of it. */
const LINGER_MS = 1_000;

export interface DepartureOptions {
  /** How long others may take. */
  maxMs: number;
  /** Has the node say how it is, now. */
  say(): void;
  /** Has clients go elsewhere, while everything is still answered. */
  announce(): void;
  log: Log;
}

/** How a node goes: it says so, and answers until others serve what it serves. */
export class Departure {
  farewell: NodeFarewell | null = null;
  private receipt: NodeReceipt | undefined;
  private came = Promise.withResolvers<void>();
  private sinceMs = Infinity;

  constructor(private readonly options: DepartureOptions) {}

  /** The control plane answered. @param sentAtMs when it was asked, ms since the epoch */
  heard(receipt: NodeReceipt, sentAtMs: number): void {
    // What was asked before says nothing of a node that leaves.
    if (sentAtMs < this.sinceMs) return;
    this.receipt = receipt;
    this.came.resolve();
    this.came = Promise.withResolvers();
  }

  /** Returns when the node may stop to answer. Without others, or without a control plane, that is at once. */
  async leave(): Promise<void> {
    const { options } = this;
    this.farewell = 'leaving';
    const untilMs = performance.now() + options.maxMs;
    // A message of the same millisecond may have been made before.
    this.sinceMs = Date.now() + 1;
    await this.ask(FIRST_ANSWER_MS);
    if (!this.receipt?.others) return;
    options.log.info('leaving: others are to serve what this node has');
    options.announce();
    while (!this.receipt.mayGo && performance.now() < untilMs) await this.ask(ASK_EVERY_MS);
    if (!this.receipt.mayGo) options.log.warn('others do not serve all that this node has', { afterMs: options.maxMs });
    await sleep(Math.min(LINGER_MS, options.maxMs));
  }

  /** Says how the node is until there is an answer, or the time is up. */
  private async ask(timeoutMs: number): Promise<void> {
    const untilMs = performance.now() + timeoutMs;
    const { receipt } = this;
    while (this.receipt === receipt && performance.now() < untilMs) {
      this.options.say();
      await Promise.race([this.came.promise, sleep(Math.min(ASK_EVERY_MS, timeoutMs), undefined, { ref: false })]);
    }
    // Not more often than that, however fast the answers come.
    const restMs = Math.min(ASK_EVERY_MS, untilMs - performance.now());
    if (receipt && restMs > 0) await sleep(restMs);
  }
}
