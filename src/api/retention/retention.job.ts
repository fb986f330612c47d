import { type ConnectionOptions, createPostgresBackend, Queue, type QueueOptions, setDefaultBackendFactory, Worker } from 'bullmq';
import type { ControlConfig } from '#platform/config.js';
import type { Log } from '#platform/log.js';

const QUEUE = 'whorl-retention';
const EVERY_MS = 60 * 60_000;
/** Connections of the queue and of its worker to PostgreSQL, each. */
const POOL_SIZE = 2;
const FINISHED_KEPT = 10;

export interface RetentionJobOptions {
  config: ControlConfig;
  log: Log;
  sweep: () => Promise<unknown>;
}

/** An hourly job: one replica takes it. On Redis when there is one, else on PostgreSQL. */
export class RetentionJob {
  private constructor(
    private readonly queue: Queue,
    private readonly worker: Worker,
  ) {}

  static async start({ config, log, sweep }: RetentionJobOptions): Promise<RetentionJob> {
    const options: QueueOptions = { connection: connectionOf(config) };
    const queue = new Queue(QUEUE, options);
    const worker = new Worker(QUEUE, async () => void (await sweep()), { ...options, concurrency: 1 });
    const complain = (error: Error): void => log.warn('the retention queue has trouble', { error });
    queue.on('error', complain);
    worker.on('error', complain);
    worker.on('failed', (_job, error) => log.warn('retention failed', { error }));
    await queue.upsertJobScheduler('sweep', { every: EVERY_MS }, { opts: { removeOnComplete: FINISHED_KEPT, removeOnFail: FINISHED_KEPT } });
    return new RetentionJob(queue, worker);
  }

  async close(): Promise<void> {
    await this.worker.close();
    await this.queue.close();
  }
}

function connectionOf(config: ControlConfig): ConnectionOptions {
  if (config.WHORL_REDIS_URL !== undefined) return { url: config.WHORL_REDIS_URL };
  setDefaultBackendFactory(createPostgresBackend);
  return { connectionString: config.DATABASE_URL, max: POOL_SIZE, migrate: true } as unknown as ConnectionOptions;
}
