import { setTimeout as sleep } from 'node:timers/promises';
import type { RouteChanges } from '#contract/routes.js';
import type { Log } from '#platform/log.js';
import { Backoff } from './backoff.js';

const POLL_WAIT_S = 25;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 3_000;
/** A look that somebody waits for. */
const LOOK_TIMEOUT_MS = 1_500;

export interface RoutePollerOptions {
  routes(after: string | undefined, waitS: number, signal: AbortSignal): Promise<RouteChanges>;
  take(changes: RouteChanges): void;
  /** The control plane was asked what is new since `refresh` was called, or cannot be. */
  answered(call: number): void;
  log: Log;
}

/** Keeps a route table up to date. One question is under way at a time, so that changes come in their order. */
export class RoutePoller {
  private isOpen = false;
  private after: string | undefined;
  private opened = Promise.withResolvers<void>();
  private calls: number[] = [];
  /** Ends the question that is under way, and nothing else. */
  private turn = new AbortController();
  private isFailing = false;
  /** Of the table that is kept up to date: what was asked for another one is not for it. */
  private table = 0;

  constructor(private readonly options: RoutePollerOptions) {}

  /** There is a table, of this revision, that wants to be kept up to date. */
  open(revision: string | undefined): void {
    this.table++;
    this.after = revision;
    this.isOpen = true;
    this.opened.resolve();
    this.turn.abort();
  }

  /** There is none any more. */
  close(): void {
    if (this.isOpen) this.opened = Promise.withResolvers();
    this.isOpen = false;
    this.calls = [];
    this.turn.abort();
  }

  /** Asks at once what is new. */
  refresh(call: number): void {
    if (this.isFailing) return this.options.answered(call);
    this.calls.push(call);
    this.turn.abort();
  }

  async run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(RETRY_MIN_MS, RETRY_MAX_MS);
    const ended = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    while (!signal.aborted) {
      await Promise.race([this.opened.promise, ended]);
      if (!signal.aborted) await this.ask(signal, backoff);
    }
  }

  private async ask(signal: AbortSignal, backoff: Backoff): Promise<void> {
    const { routes, take, answered, log } = this.options;
    const calls = this.calls.splice(0);
    const turn = new AbortController();
    this.turn = turn;
    const { table } = this;
    const late = calls.length > 0 ? [AbortSignal.timeout(LOOK_TIMEOUT_MS)] : [];
    try {
      // Who waits for a look is not cut off by the next who does.
      const changes = await routes(this.after, calls.length > 0 ? 0 : POLL_WAIT_S, AbortSignal.any([signal, ...(calls.length > 0 ? late : [turn.signal])]));
      if (table !== this.table || !this.isOpen) return;
      if (this.isFailing) log.info('the control plane answers for routes again');
      this.isFailing = false;
      backoff.reset();
      if (changes.revision !== this.after) take(changes);
      this.after = changes.revision;
    } catch (error) {
      if (signal.aborted || (turn.signal.aborted && calls.length === 0)) return;
      if (!this.isFailing) log.warn('no routes from the control plane; those that are known go on being used', { reason: (error as Error).message });
      this.isFailing = true;
      for (const call of this.calls.splice(0)) answered(call);
    } finally {
      for (const call of calls) answered(call);
    }
    if (this.isFailing) await sleep(backoff.nextMs(), undefined, { signal }).catch(() => {});
  }
}
