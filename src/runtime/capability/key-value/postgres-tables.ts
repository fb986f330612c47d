import type { Pool } from 'pg';

const MAX_CONNECTIONS = 4;
const CONNECT_TIMEOUT_MS = 5_000;
const QUERY_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 30_000;

/** The same number in every process: two that make the tables at once would trip over each other. */
const TABLES_LOCK = 7_465_001;

const TABLES = `
  CREATE TABLE IF NOT EXISTS whorl_key_value (key bytea PRIMARY KEY, value bytea NOT NULL, expires_at timestamptz);
  CREATE INDEX IF NOT EXISTS whorl_key_value_expires_at ON whorl_key_value (expires_at) WHERE expires_at IS NOT NULL;
  CREATE TABLE IF NOT EXISTS whorl_key_value_operation (
    key bytea NOT NULL, id bytea NOT NULL, result bigint NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (key, id));
  CREATE INDEX IF NOT EXISTS whorl_key_value_operation_at ON whorl_key_value_operation (at);`;

/** Connections to a database that has the tables: in the first schema of its search path, made when they are not there. */
export async function openPostgres(url: string): Promise<Pool> {
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({
    connectionString: url,
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    statement_timeout: QUERY_TIMEOUT_MS,
    application_name: 'whorl key-value',
    allowExitOnIdle: true,
  });
  // a connection that breaks while nobody uses it is replaced
  pool.on('error', () => undefined);
  try {
    const { rows } = await pool.query<{ there: boolean }>("SELECT to_regclass('whorl_key_value_operation_at') IS NOT NULL AS there");
    // without the right to make tables one can still use those that are there
    if (!rows[0]!.there) await pool.query(`BEGIN; SELECT pg_advisory_xact_lock(${TABLES_LOCK}); ${TABLES} COMMIT`);
    return pool;
  } catch (error) {
    await pool.end();
    throw error;
  }
}
