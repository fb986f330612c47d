import { randomUUID } from 'node:crypto';
import { type Job, Queue, Worker } from 'bullmq';
import type { ControlConfig } from '#platform/config.js';
import { type JobBackend, openJobBackend } from '#platform/jobs/job-backend.js';
import type { Log } from '#platform/log.js';

const QUEUE = 'whorl-webhooks';
/** A job whose process has died is free again after this long; a try takes ten seconds at most. */
const LOCK_MS = 30_000;
/** The delivery knows when it has had enough of them. */
const MANY_ATTEMPTS = 1_000_000;

/** A try failed, and the next one comes after a while. */
export class TryAgain extends Error {
  override name = 'TryAgain';
  constructor(readonly delayMs: number, message: string) {
    super(message);
  }
}

/** The jobs that send deliveries, each of which one replica takes; on Redis when there is one, else on PostgreSQL. */
export class WebhookQueue {
  private constructor(
    private readonly queue: Queue,
    private readonly worker: Worker,
    private readonly backend: JobBackend,
  ) {}

  static async open(config: ControlConfig, log: Log): Promise<WebhookQueue> {
    const complain = (error: Error): void => log.warn('the webhook queue has trouble', { error });
    const backend = await openJobBackend(config, complain);
    const { connection, factory } = backend;
    const queue = new Queue(QUEUE, { connection }, factory);
    const worker = new Worker(QUEUE, null, {
      connection, autorun: false, lockDuration: LOCK_MS,
      settings: { backoffStrategy: (_attempts, _type, error) => (error instanceof TryAgain ? error.delayMs : LOCK_MS) },
    }, factory);
    queue.on('error', complain);
    worker.on('error', complain);
    return new WebhookQueue(queue, worker, backend);
  }

  /** Once for each delivery and round, however often it is called. */
  async add({ id, round }: { id: string; round: number }): Promise<void> {
    await this.queue.add('deliver', { id }, { jobId: `${id}-${round}`, attempts: MANY_ATTEMPTS, backoff: { type: 'custom' }, removeOnComplete: true, removeOnFail: true });
  }

  /** The next job that is due and that no other replica has, begun; undefined when there is none. A rejection of `deliver` brings it back later. */
  async takeNext(deliver: (id: string) => Promise<void>): Promise<{ done: Promise<void> } | undefined> {
    const token = randomUUID();
    const job = (await this.worker.getNextJob(token, { block: false })) as Job<{ id: string }> | undefined;
    if (!job) return undefined;
    const done = deliver(job.data.id).then(
      async () => void (await job.moveToCompleted(null, token, false)),
      async (error: Error) => void (await job.moveToFailed(error, token, false)),
    );
    return { done };
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.worker.close(), this.queue.close()]);
    await this.backend.close();
  }
}
