import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WhorlError } from '#contract/errors.js';
import type { StoreAnswer, StoreRequest } from '#contract/store-request.js';
import type { Log } from '#platform/log.js';
import { Backoff } from './backoff.js';
import type { StoreProcess } from './store-process.js';
import { Turnstile } from './turnstile.js';

const WAIT_S = 25;
const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 30_000;
const AT_A_TIME = 8;

export interface StoreRequestsOptions {
  /** Waits so many seconds for something to do. */
  next(waitS: number, signal: AbortSignal): Promise<StoreRequest[]>;
  answer(id: string, answer: StoreAnswer): Promise<void>;
  process: Pick<StoreProcess, 'run' | 'stop'>;
  /** Folder for the data of all apps; an org has a folder in it. */
  stateDir: string;
  /** What a database may grow to. */
  sqliteBytes: number;
  log: Log;
}

/** Does what the control plane asks about stores: it comes for it, since nothing connects to a node. */
export class StoreRequests {
  private readonly turnstile = new Turnstile(AT_A_TIME);
  private readonly underWay = new Set<Promise<void>>();

  constructor(private readonly options: StoreRequestsOptions) {}

  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.options;
    const backoff = new Backoff(RETRY_MIN_MS, RETRY_MAX_MS);
    while (!signal.aborted) {
      try {
        for (const request of await this.options.next(WAIT_S, signal)) this.take(request);
        backoff.reset();
      } catch (error) {
        if (signal.aborted) break;
        // Whether it can be reached at all is told by those who ask for assignments.
        log.debug('no requests for stores from the control plane', { reason: (error as Error).message });
        await sleep(backoff.nextMs(), undefined, { signal }).catch(() => {});
      }
    }
    this.options.process.stop();
    await Promise.all(this.underWay);
  }

  private take(request: StoreRequest): void {
    const done = this.turnstile.run(() => this.perform(request)).finally(() => this.underWay.delete(done));
    this.underWay.add(done);
  }

  /** Never rejects: who waits for an answer in vain is told so by the control plane. */
  private async perform({ id, org, timeoutMs, operation }: StoreRequest): Promise<void> {
    const { log, process: stores, stateDir, sqliteBytes } = this.options;
    try {
      const answer = await stores.run({ id, orgDir: join(stateDir, org), timeoutMs, sqliteBytes, operation });
      if (answer.result === 'failed') log.info('a request for a store failed', { operation: operation.op, reason: answer.reason });
      await this.options.answer(id, answer);
    } catch (error) {
      log.warn('the answer to a request for a store is lost', { operation: operation.op, code: error instanceof WhorlError ? error.code : undefined });
    }
  }
}
