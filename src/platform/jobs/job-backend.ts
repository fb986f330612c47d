import { type ConnectionOptions, createPostgresBackend, createRedisBackend, runMigrations } from 'bullmq';
import pg from 'pg';
import type { ControlConfig } from '#platform/config.js';

/** BullMQ's own schema in PostgreSQL. */
const SCHEMA = 'bullmq';
/** Of queue and worker together. */
const POOL_SIZE = 4;

/** Where jobs are kept: Redis when there is one, else PostgreSQL. */
export interface JobBackend {
  connection: ConnectionOptions;
  /** For queue and worker: two queues of one process may have different ones. */
  factory: typeof createRedisBackend;
  /** Where jobs are kept in PostgreSQL; null: in Redis. */
  pool: pg.Pool | null;
  close(): Promise<void>;
}

/** For one queue. `complain` is told of connections that break. Throws what connecting throws. */
export async function openJobBackend(config: ControlConfig, complain: (error: Error) => void): Promise<JobBackend> {
  if (config.WHORL_REDIS_URL !== undefined) return { connection: { url: config.WHORL_REDIS_URL } as unknown as ConnectionOptions, factory: createRedisBackend, pool: null, close: () => Promise.resolve() };
  const pool = await openPool(config.DATABASE_URL, complain);
  return { connection: pool as unknown as ConnectionOptions, factory: createPostgresBackend as unknown as typeof createRedisBackend, pool, close: () => pool.end() };
}

/** BullMQ would make its own pool, but leaves the clients that it checks out without a listener: a lost connection ends the process. */
async function openPool(url: string, complain: (error: Error) => void): Promise<pg.Pool> {
  const pool = new pg.Pool({ connectionString: url, max: POOL_SIZE, options: `-c search_path=${SCHEMA}` });
  pool.on('error', complain);
  pool.on('connect', (client) => client.on('error', complain));
  const client = await pool.connect().catch(async (error: unknown) => {
    await pool.end();
    throw error;
  });
  let failure: unknown;
  try {
    await runMigrations(client, SCHEMA);
    return pool;
  } catch (error) {
    failure = error;
  } finally {
    client.release(failure !== undefined);
  }
  await pool.end();
  throw failure;
}
