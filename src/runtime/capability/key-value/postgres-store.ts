import type { Pool, PoolClient, QueryResultRow } from 'pg';
import { add, fromCounter, toCounter } from './counter.js';
import { badCursor, fromCursor, toCursor } from './cursor.js';
import { MAX_PAGE_KEYS, MAX_RESULT_BYTES, OPERATION_MEMORY_MS, resultTooLarge, StoreError, type KeyPage, type KeyValueStore, type ListOptions } from './key-value-store.js';
import { openPostgres } from './postgres-tables.js';

/** What PostgreSQL puts into a page of an index is less than 2704 bytes. */
const MAX_KEY_BYTES = 2_048;
const SWEEP_EVERY = 256;
const SWEEP_ROWS = 512;

const ALIVE = '(expires_at IS NULL OR expires_at > clock_timestamp())';
/** The server's clock is the one that all nodes share. */
const expiry = (parameter: string): string => `clock_timestamp() + ${parameter}::float8 * interval '1 millisecond'`;
const UPSERT = `INSERT INTO whorl_key_value AS old (key, value, expires_at) VALUES ($1, $2, ${expiry('$3')}) ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`;

/** A table of PostgreSQL: keys are bytes, so that every text is one and they sort as in a file. */
export class PostgresStore implements KeyValueStore {
  readonly limits = { keyBytes: MAX_KEY_BYTES, valueBytes: MAX_RESULT_BYTES };
  readonly isLocal = false;
  private pool: Promise<Pool> | null = null;
  private writes = 0;

  constructor(private readonly url: string) {}

  async get(key: string): Promise<Uint8Array | undefined> {
    const [row] = await this.query<{ value: Buffer | null }>(
      `SELECT CASE WHEN octet_length(value) <= $2 THEN value END AS value FROM whorl_key_value WHERE key = $1 AND ${ALIVE}`, [toKey(key), MAX_RESULT_BYTES]);
    if (row?.value === null) throw resultTooLarge();
    return row?.value;
  }

  async exists(key: string): Promise<boolean> {
    return (await this.query(`SELECT FROM whorl_key_value WHERE key = $1 AND ${ALIVE}`, [toKey(key)])).length > 0;
  }

  async set(key: string, value: Uint8Array, ttlMs?: number): Promise<void> {
    await this.query(UPSERT, [toKey(key), value, ttlMs ?? null]);
    this.wrote();
  }

  async delete(key: string): Promise<void> {
    await this.query('DELETE FROM whorl_key_value WHERE key = $1', [toKey(key)]);
  }

  async list({ prefix = '', cursor, limit = MAX_PAGE_KEYS }: ListOptions): Promise<KeyPage> {
    const after = cursor === undefined ? undefined : fromCursor(cursor);
    if (after !== undefined && !after.startsWith(prefix)) throw badCursor();
    const begin = after === undefined ? 'key >= $1' : 'key > $1';
    const rows = await this.query<{ key: Buffer }>(`SELECT key FROM whorl_key_value WHERE ${begin} AND ${ALIVE} ORDER BY key LIMIT $2`, [toKey(after ?? prefix), limit + 1]);
    const keys = rows.map(({ key }) => key.toString());
    const end = keys.findIndex((key) => !key.startsWith(prefix));
    const within = end < 0 ? keys : keys.slice(0, end);
    return within.length > limit ? { keys: within.slice(0, limit), cursor: toCursor(within[limit - 1]!) } : { keys: within };
  }

  async getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    const rows = await this.query<{ key: Buffer; value: Buffer }>(`SELECT key, value FROM whorl_key_value WHERE key = ANY ($1) AND ${ALIVE}`, [keys.map(toKey)]);
    const found = new Map(rows.map(({ key, value }) => [key.toString(), value]));
    return keys.map((key) => found.get(key));
  }

  async setMany(entries: readonly (readonly [string, Uint8Array])[]): Promise<void> {
    // in one order, so that two batches at the same time never wait for each other
    const sorted = entries.map(([key, value]) => [toKey(key), value] as const).toSorted(([a], [b]) => Buffer.compare(a, b));
    await this.query(
      'INSERT INTO whorl_key_value (key, value) SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = NULL',
      [sorted.map(([key]) => key), sorted.map(([, value]) => value)]);
    this.wrote();
  }

  async deleteMany(keys: readonly string[]): Promise<void> {
    await this.query('DELETE FROM whorl_key_value WHERE key IN (SELECT key FROM whorl_key_value WHERE key = ANY ($1) ORDER BY key FOR UPDATE)', [keys.map(toKey)]);
  }

  async increment(key: string, delta: bigint, operation?: string): Promise<bigint> {
    const client = await this.connect();
    let isOver = false;
    try {
      await client.query('BEGIN');
      const sum = await incrementWithin(client, toKey(key), delta, operation);
      await client.query('COMMIT');
      isOver = true;
      return sum;
    } catch (error) {
      isOver = await client.query('ROLLBACK').then(() => true, () => false);
      throw toStoreError(error);
    } finally {
      client.release(!isOver);
      this.wrote();
    }
  }

  async swap(key: string, expected: Uint8Array | undefined, value: Uint8Array | undefined, ttlMs?: number): Promise<boolean> {
    const rows = value === undefined
      ? await this.query(`DELETE FROM whorl_key_value WHERE key = $1 AND value = $2 AND ${ALIVE} RETURNING 1`, [toKey(key), expected])
      : expected === undefined
        ? await this.query(`${UPSERT} WHERE NOT ${ALIVE.replaceAll('expires_at', 'old.expires_at')} RETURNING 1`, [toKey(key), value, ttlMs ?? null])
        : await this.query(`UPDATE whorl_key_value SET value = $3, expires_at = ${expiry('$4')} WHERE key = $1 AND value = $2 AND ${ALIVE} RETURNING 1`, [toKey(key), expected, value, ttlMs ?? null]);
    this.wrote();
    return rows.length === 1;
  }

  async close(): Promise<void> {
    const pool = await this.pool?.catch(() => null);
    this.pool = null;
    await pool?.end();
  }

  private open(): Promise<Pool> {
    return (this.pool ??= openPostgres(this.url).catch((error: unknown) => {
      this.pool = null;
      throw toStoreError(error);
    }));
  }

  private async connect(): Promise<PoolClient> {
    return (await this.open()).connect();
  }

  private async query<R extends QueryResultRow>(sql: string, values: unknown[]): Promise<R[]> {
    const pool = await this.open();
    try {
      return (await pool.query<R>(sql, values)).rows;
    } catch (error) {
      throw toStoreError(error);
    }
  }

  /** What fails here is tried again after more writes; the write that was done is done. */
  private wrote(): void {
    if (++this.writes % SWEEP_EVERY !== 0) return;
    const rows = (table: string, over: string) => `DELETE FROM ${table} WHERE ctid = ANY (ARRAY (SELECT ctid FROM ${table} WHERE ${over} LIMIT ${SWEEP_ROWS} FOR UPDATE SKIP LOCKED))`;
    const swept = this.query(rows('whorl_key_value', 'expires_at <= clock_timestamp()'), [])
      .then(() => this.query(rows('whorl_key_value_operation', `at <= clock_timestamp() - interval '${OPERATION_MEMORY_MS} milliseconds'`), []));
    swept.catch(() => undefined);
  }
}

const toKey = (key: string): Buffer => Buffer.from(key);

/**
 * The counter's row is made, or locked, first: others that add to it wait there, and whoever comes second for an operation finds what the
 * first one remembered. READ COMMITTED, so that each statement sees what was committed before it.
 */
async function incrementWithin(client: PoolClient, key: Buffer, delta: bigint, operation: string | undefined): Promise<bigint> {
  let found: { value: Buffer; alive: boolean } | undefined;
  let isNew = false;
  while (!found) {
    isNew = (await client.query('INSERT INTO whorl_key_value (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING', [key, toCounter(0n)])).rowCount === 1;
    // deleted in between: once more
    [found] = (await client.query<{ value: Buffer; alive: boolean }>(`SELECT value, ${ALIVE} AS alive FROM whorl_key_value WHERE key = $1 FOR UPDATE`, [key])).rows;
  }
  if (operation !== undefined) {
    const [done] = (await client.query<{ result: string }>(
      `SELECT result FROM whorl_key_value_operation WHERE key = $1 AND id = $2 AND at > clock_timestamp() - interval '${OPERATION_MEMORY_MS} milliseconds'`, [key, Buffer.from(operation)])).rows;
    if (done) {
      if (isNew) await client.query('DELETE FROM whorl_key_value WHERE key = $1', [key]);
      return BigInt(done.result);
    }
  }
  const sum = add(found.alive ? fromCounter(found.value) : 0n, delta);
  await client.query('UPDATE whorl_key_value SET value = $2, expires_at = CASE WHEN $3 THEN expires_at END WHERE key = $1', [key, toCounter(sum), found.alive]);
  if (operation !== undefined) {
    await client.query(
      'INSERT INTO whorl_key_value_operation (key, id, result) VALUES ($1, $2, $3) ON CONFLICT (key, id) DO UPDATE SET result = excluded.result, at = excluded.at',
      [key, Buffer.from(operation), sum]);
  }
  return sum;
}

/** Of what the server says only the code goes to the guest: messages may hold names, and values, of others. */
function toStoreError(error: unknown): unknown {
  const code = (error as { code?: unknown }).code;
  const isOfServer = error instanceof Error && 'severity' in error && typeof code === 'string';
  return isOfServer ? new StoreError(`the store answered with SQLSTATE ${code}`, { cause: error }) : error;
}
