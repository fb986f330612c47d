import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { ControlConfig } from '#platform/config.js';
import { IdempotencyRepository } from '#platform/http/idempotency.repository.js';
import { Log } from '#platform/log.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { CollectionsService } from '../collection/collections.service.js';
import { LogsService } from '../logs/logs.service.js';
import { OperationsService } from '../operations/operations.service.js';
import { UploadsService } from '../uploads/uploads.service.js';
import { StorageUsageService } from '../usage/storage-usage.service.js';
import { WebhooksService } from '../rollouts/webhooks/webhooks.service.js';
import type { RetentionQueue } from './retention.queue.js';

const DAY_MS = 24 * 60 * 60_000;
/** A client that repeats a request does so within minutes; a day leaves room for an outage. */
const IDEMPOTENCY_KEY_MS = DAY_MS;
/** What happened in the store is told for so long. */
const COLLECTIONS_MS = 90 * DAY_MS;
const SAMPLES_MS = 400 * DAY_MS;
const DELIVERIES_MS = 30 * DAY_MS;
/** Of operations that have ended; what became of rollouts stays. */
const OPERATIONS_MS = 90 * DAY_MS;
/** How often a due job is looked for. */
const LOOK_MS = 30_000;

/** Does what is due every hour: forgets what is kept for a time only, notes what organisations have in the store, and has the rest collected. */
@Injectable()
export class RetentionService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  // oxlint-disable-next-line max-params -- what is injected, one feature each
  constructor(
    private readonly logs: LogsService,
    private readonly keys: IdempotencyRepository,
    private readonly uploads: UploadsService,
    private readonly collections: CollectionsService,
    private readonly storage: StorageUsageService,
    private readonly webhooks: WebhooksService,
    private readonly operations: OperationsService,
    private readonly log: Log,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  /** Nothing of the start waits for it. */
  onApplicationBootstrap(): void {
    this.running = this.run(this.stopping.signal);
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Forgets what is due. Answers how much. */
  async sweep(nowMs: number): Promise<{ lines: number; keys: number }> {
    const lines = await this.logs.removeBefore(new Date(nowMs - this.config.WHORL_LOG_RETENTION_DAYS * DAY_MS));
    const keys = await this.keys.removeBefore(new Date(nowMs - IDEMPOTENCY_KEY_MS));
    await this.uploads.removeExpired();
    await this.collections.removeBefore(new Date(nowMs - COLLECTIONS_MS));
    await this.storage.removeBefore(new Date(nowMs - SAMPLES_MS));
    await this.webhooks.removeBefore(new Date(nowMs - DELIVERIES_MS));
    await this.operations.removeBefore(new Date(nowMs - OPERATIONS_MS));
    if (lines + keys > 0) this.log.info('forgot what was due', { lines, keys });
    return { lines, keys };
  }

  private async run(signal: AbortSignal): Promise<void> {
    // BullMQ is the slowest module to load: it must not hold up the first answer.
    const { RetentionQueue } = await import('./retention.queue.js');
    const jobs = { sweep: () => this.sweep(Date.now()), sample: () => this.storage.sample(), collect: () => this.collections.collectDue() };
    let queue: RetentionQueue | undefined;
    while (!signal.aborted) {
      try {
        queue ??= await RetentionQueue.open(this.config, jobs, this.log);
        while (!signal.aborted && (await queue.takeNext()));
      } catch (error) {
        this.log.warn('retention failed', { error });
      }
      await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => {});
    }
    await queue?.close();
  }
}
