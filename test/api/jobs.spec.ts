import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type ConnectionOptions, createPostgresBackend, createRedisBackend, Queue } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { RetentionQueue } from '#api/retention/retention.queue.js';
import type { ControlConfig } from '#platform/config.js';
import { Log } from '#platform/log.js';
import { hasRedis, startRedis } from '../fixtures/servers/redis.js';
import type { TestServer } from '../fixtures/servers/server-process.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import { until } from './until.js';

/** The jobs of the control plane, on both backends that there are for them. */

const JOBS = ['sweep', 'sample', 'collect'];
const log = new Log({ process: 'control-plane' }, 'error', () => {});

let fixture: ControlPlaneFixture;
let redis: TestServer | null;
beforeAll(async () => {
  fixture = await ControlPlaneFixture.start();
  // The jobs are not to be shared with that control plane.
  await fixture.stopReplica(0);
  redis = await startRedis();
});
afterAll(async () => {
  await fixture?.stop();
  await redis?.stop();
});

const BACKENDS = [
  ['PostgreSQL', describe],
  [hasRedis ? 'Redis' : 'Redis (left out: redis-server is not installed)', hasRedis ? describe : describe.skip],
] as const;

for (const [backend, describeOn] of BACKENDS) {
  describeOn(`jobs on ${backend}`, () => {
    const settings = (): Record<string, string> => (backend === 'Redis' ? { WHORL_REDIS_URL: `redis://127.0.0.1:${redis!.port}` } : {});
    const open = (jobs: Record<string, () => Promise<unknown>>) => RetentionQueue.open({ DATABASE_URL: fixture.databaseUrl, ...settings() } as ControlConfig, jobs, log);
    /** As if nobody had ever had jobs here. */
    const empty = async () => {
      if (backend === 'PostgreSQL') {
        await fixture.sql('DROP SCHEMA IF EXISTS bullmq CASCADE');
        return;
      }
      const client = new Redis(redis!.port);
      await client.flushall();
      client.disconnect();
    };
    /** As an instance that kept nothing on its disk is after a restart. */
    const lose = async () => {
      if (backend === 'Redis') return empty();
      const tables = await fixture.sql(`SELECT tablename FROM pg_tables WHERE schemaname = 'bullmq' AND tablename NOT LIKE '%migration%'`);
      await fixture.sql(`TRUNCATE ${tables.map(({ tablename }) => `bullmq.${tablename}`).join(', ')} CASCADE`);
    };
    /** What is due in an hour is due now. */
    const passAnHour = async () => {
      const pool = backend === 'Redis' ? undefined : new pg.Pool({ connectionString: fixture.databaseUrl, options: '-c search_path=bullmq', max: 2 });
      const queue = new Queue('whorl-retention', { connection: (pool ?? { url: settings()['WHORL_REDIS_URL'] }) as unknown as ConnectionOptions }, (pool ? createPostgresBackend : createRedisBackend) as typeof createRedisBackend);
      for (const job of await queue.getDelayed()) await job.promote();
      await queue.close();
      await pool?.end();
    };
    /** Does what is due, at all of them at once; how often each was done. */
    const replicas = async (count: number, work: (name: string) => Promise<unknown> = async () => {}) => {
      const done: Record<string, number> = Object.fromEntries(JOBS.map((name) => [name, 0]));
      const jobs = Object.fromEntries(JOBS.map((name) => [name, async () => { await work(name); done[name]!++; }]));
      const queues = await Promise.all(Array.from({ length: count }, () => open(jobs)));
      return {
        queues, done,
        work: () => Promise.all(queues.map(async (queue) => { while (await queue.takeNext()); })),
        close: () => Promise.all(queues.map((queue) => queue.close())),
      };
    };
    const each = (times: number) => Object.fromEntries(JOBS.map((name) => [name, times]));
    beforeEach(empty);

    it('are each done once by one of several replicas, and again when an hour has passed', async () => {
      const some = await replicas(3);
      try {
        await some.work();
        expect(some.done).toEqual(each(1));
        await some.work();
        expect(some.done).toEqual(each(1));
        await passAnHour();
        await some.work();
        expect(some.done).toEqual(each(2));
      } finally {
        await some.close();
      }
    });

    it('are not done again by a replica that starts within the hour', async () => {
      const first = await replicas(1);
      await first.work();
      await first.close();
      const second = await replicas(1);
      await second.work();
      await second.close();
      expect([first.done, second.done]).toEqual([each(1), each(0)]);
    });

    it('are tried again in the next hour when they fail, and keep no other from its turn', async () => {
      let fails = true;
      const one = await replicas(1, async (name) => {
        if (fails && name === 'sweep') throw new Error('no');
      });
      try {
        for (let tries = 0; tries < 3; tries++) await one.work().catch((error: Error) => expect(error.message).toBe('no'));
        expect(one.done).toEqual({ ...each(1), sweep: 0 });
        fails = false;
        await passAnHour();
        await one.work();
        expect(one.done).toEqual({ ...each(2), sweep: 1 });
      } finally {
        await one.close();
      }
    });

    it('are done by others in the next hour when their replica has died in the middle of them', async () => {
      const end = Promise.withResolvers<void>();
      const dead = await replicas(1, () => end.promise);
      const dying = JOBS.map(() => dead.queues[0]!.takeNext().catch(() => {}));
      const other = await replicas(1);
      try {
        await until(async () => !(await other.queues[0]!.takeNext()));
        expect(other.done).toEqual(each(0));
        await passAnHour();
        await other.work();
        expect(other.done).toEqual(each(1));
      } finally {
        await other.close();
        // What it does now comes too late; nothing of it is heard.
        end.resolve();
        await Promise.all(dying);
        await dead.close();
      }
    });

    it('come back by themselves when the backend has lost everything', async () => {
      const one = await replicas(1);
      try {
        await one.work();
        await lose();
        await until(async () => {
          await one.work().catch(() => {});
          return JOBS.every((name) => one.done[name] === 2);
        }, 20_000);
        expect(one.done).toEqual(each(2));
      } finally {
        await one.close();
      }
    });

    it('are done by a control plane without anybody asking: what is due is forgotten, what is stored is noted', async () => {
      await fixture.sql('DELETE FROM storage_sample');
      const at = new Date(Date.now() - 100 * 24 * 60 * 60_000);
      const id = randomUUID();
      await fixture.sql(`INSERT INTO collection (id, requested_by, dry_run, state, started_at, ended_at) VALUES ($1, 'schedule', false, 'done', $2, $2)`, [id, at]);
      const replica = await fixture.startReplica(settings());
      await until(async () => (await fixture.sql('SELECT 1 FROM collection WHERE id = $1', [id])).length === 0, 20_000);
      await until(async () => (await fixture.sql('SELECT 1 FROM storage_sample')).length > 0, 20_000);
      await fixture.stopReplica(replica);
    });
  });
}
