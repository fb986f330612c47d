import { randomUUID } from 'node:crypto';
import { Queue, Worker } from 'bullmq';
import type { ControlConfig } from '#platform/config.js';
import { type JobBackend, openJobBackend } from '#platform/jobs/job-backend.js';
import type { Log } from '#platform/log.js';

const QUEUE = 'whorl-retention';
const EVERY_MS = 60 * 60_000;
/** A job whose process has died is free again after this long; one that is under way renews it. */
const LOCK_MS = 30 * 60_000;
const FINISHED_KEPT = 10;
/** Of the advisory lock that the replica holds which schedules. */
const SCHEDULE_LOCK_KEY = 72707380;

/** What is done every hour, by name. */
export type RetentionJobs = Record<string, () => Promise<unknown>>;

/**
 * A queue with hourly jobs, each of which one replica takes. On Redis when there is one, else on PostgreSQL. Jobs are asked for, not waited
 * for: a worker that blocks on PostgreSQL (BullMQ 6.7.0) turns in a circle without a pause while the database is away, and starves the
 * whole process.
 */
export class RetentionQueue {
  private constructor(
    private readonly queue: Queue,
    private readonly worker: Worker,
    private readonly backend: JobBackend,
    private readonly jobs: RetentionJobs,
  ) {}

  static async open(config: ControlConfig, jobs: RetentionJobs, log: Log): Promise<RetentionQueue> {
    const complain = (error: Error): void => log.warn('the retention queue has trouble', { error });
    const backend = await openJobBackend(config, complain);
    const { connection, factory } = backend;
    const queue = new Queue(QUEUE, { connection }, factory);
    const worker = new Worker(QUEUE, null, { connection, autorun: false, lockDuration: LOCK_MS }, factory);
    queue.on('error', complain);
    worker.on('error', complain);
    const opened = new RetentionQueue(queue, worker, backend, jobs);
    try {
      await opened.schedule();
      return opened;
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  /** Does the next job that is due and that no other replica has; false when there is none. */
  async takeNext(): Promise<boolean> {
    const token = randomUUID();
    const job = await this.worker.getNextJob(token, { block: false });
    if (!job) {
      // A Redis that was started anew has nothing, and nobody else would ever ask for the jobs again.
      if ((await this.queue.getJobSchedulersCount()) < Object.keys(this.jobs).length) await this.schedule();
      return false;
    }
    const renewal = setInterval(() => void job.extendLock(token, LOCK_MS).catch(() => {}), LOCK_MS / 3);
    try {
      // One of a release that knew others.
      await this.jobs[job.name]?.();
      await job.moveToCompleted(null, token, false);
      return true;
    } catch (error) {
      await job.moveToFailed(error as Error, token, false);
      throw error;
    } finally {
      clearInterval(renewal);
    }
  }

  /** Has each job done every hour; what is scheduled stays as it is. */
  private async schedule(): Promise<void> {
    const client = await this.backend.pool?.connect();
    try {
      // One replica at a time: on PostgreSQL, of two that ask at once each would have the job done.
      await client?.query('SELECT pg_advisory_lock($1)', [SCHEDULE_LOCK_KEY]);
      for (const name of Object.keys(this.jobs)) {
        // To ask again would have it done at once.
        if ((await this.queue.getJobScheduler(name))?.every === EVERY_MS) continue;
        await this.queue.upsertJobScheduler(name, { every: EVERY_MS }, { name, opts: { removeOnComplete: FINISHED_KEPT, removeOnFail: FINISHED_KEPT } });
      }
      await client?.query('SELECT pg_advisory_unlock($1)', [SCHEDULE_LOCK_KEY]);
      client?.release();
    } catch (error) {
      // The lock ends with the connection.
      client?.release(true);
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.worker.close(), this.queue.close()]);
    await this.backend.close();
  }
}
