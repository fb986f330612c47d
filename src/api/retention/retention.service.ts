import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { IdempotencyRepository } from '#platform/http/idempotency.repository.js';
import type { ControlConfig } from '#platform/config.js';
import { Log } from '#platform/log.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { LogsService } from '../logs/logs.service.js';
import type { RetentionJob } from './retention.job.js';

const DAY_MS = 24 * 60 * 60_000;
/** A client that repeats a request does so within minutes; a day leaves room for an outage. */
const IDEMPOTENCY_KEY_MS = DAY_MS;

/** Forgets what is kept for a time only: log lines and idempotency keys. */
@Injectable()
export class RetentionService implements OnApplicationBootstrap, OnApplicationShutdown {
  private job: Promise<RetentionJob | undefined> | undefined;

  constructor(
    private readonly logs: LogsService,
    private readonly keys: IdempotencyRepository,
    private readonly log: Log,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  /** The queue is set up behind the start: nothing waits for it. */
  onApplicationBootstrap(): void {
    this.job = this.schedule().catch((error: unknown) => {
      this.log.warn('retention is not scheduled', { error });
      return undefined;
    });
  }

  async onApplicationShutdown(): Promise<void> {
    await (await this.job)?.close();
  }

  /** Forgets what is due. Answers how much. */
  async sweep(nowMs: number): Promise<{ lines: number; keys: number }> {
    const lines = await this.logs.removeBefore(new Date(nowMs - this.config.WHORL_LOG_RETENTION_DAYS * DAY_MS));
    const keys = await this.keys.removeBefore(new Date(nowMs - IDEMPOTENCY_KEY_MS));
    if (lines + keys > 0) this.log.info('forgot what was due', { lines, keys });
    return { lines, keys };
  }

  private async schedule(): Promise<RetentionJob> {
    // BullMQ is the slowest module to load: it must not hold up the first answer.
    const { RetentionJob } = await import('./retention.job.js');
    return RetentionJob.start({ config: this.config, log: this.log, sweep: () => this.sweep(Date.now()) });
  }
}
