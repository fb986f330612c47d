import { mkdir, open, rm } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative } from 'node:path';
import type { SqliteBackend } from '#contract/runtime-grant.js';
import { MAX_BROWSED_BYTES, MAX_ROWS_BYTES, type StoreAnswer, type StoreOperation } from '#contract/store-request.js';
import { StoreError, type KeyValueStore } from '#runtime/capability/key-value/key-value-store.js';
import { openKeyValueStore } from '#runtime/capability/key-value/store.js';
import { openSqliteDatabase, sqlDatabase } from '#runtime/capability/sqlite/open.js';
import { SqlError, SqlLimit, type SqlResult, type SqlValue } from '#runtime/capability/sqlite/sql.js';
import { fromSqlJson, toSqlJson } from './sql-json.js';

type KeyOperation = Exclude<StoreOperation, { op: 'sql' | 'remove' }>;
type SqlOperation = Extract<StoreOperation, { op: 'sql' }>;

/** SQLite's own beside a database. */
const FILE_SUFFIXES = ['', '-wal', '-shm', '-journal'];

export interface Workplace {
  /** Folder for the data of the org on this node. */
  orgDir: string;
  timeoutMs: number;
  /** What a database may grow to. */
  sqliteBytes: number;
}

/** Does what the control plane asks. What goes wrong is an answer as well. */
export async function perform(operation: StoreOperation, place: Workplace): Promise<StoreAnswer> {
  try {
    switch (operation.op) {
      case 'sql': return await runSql(operation, place);
      case 'remove': return await removeFile(operation.file, place.orgDir);
      default: return await useKeys(operation, openKeyValueStore(operation.backend, place.orgDir));
    }
  } catch (error) {
    return toFailure(error);
  }
}

async function useKeys(operation: KeyOperation, store: KeyValueStore): Promise<StoreAnswer> {
  try {
    switch (operation.op) {
      case 'keys': {
        const { prefix, cursor, limit } = operation;
        const page = await store.list({ prefix, limit, ...(cursor !== undefined && { cursor }) });
        return { result: 'keys', keys: page.keys, cursor: page.cursor ?? null };
      }
      case 'get': {
        const value = await store.get(operation.key);
        if (value && value.length > MAX_BROWSED_BYTES) throw new StoreError(`the value has ${value.length} bytes; at most ${MAX_BROWSED_BYTES} are read through the API`);
        return { result: 'value', value: value ? Buffer.from(value).toString('base64') : null };
      }
      case 'set':
        await store.set(operation.key, Buffer.from(operation.value, 'base64'), operation.ttlMs);
        return { result: 'done' };
      case 'delete':
        await store.delete(operation.key);
        return { result: 'done' };
    }
  } finally {
    await store.close();
  }
}

async function runSql({ backend, sql, params, readOnly }: SqlOperation, { orgDir, timeoutMs, sqliteBytes }: Workplace): Promise<StoreAnswer> {
  const values = params.map(fromSqlJson);
  if (readOnly && backend.type === 'spin') await makeEmpty(pathWithin(orgDir, backend.file));
  const { columns, rows, changes, lastInsertRowid } = readOnly && backend.type === 'libsql'
    ? await readRemotely(backend, orgDir, sql, values)
    : await openSqliteDatabase(backend, orgDir, sqliteBytes).execute(sql, values, { readOnly, timeoutMs, maxResultBytes: MAX_ROWS_BYTES });
  return { result: 'rows', columns, rows: rows.map((row) => row.map(toSqlJson)), changes: Number(changes), lastInsertRowid: toSqlJson(lastInsertRowid) };
}

/** A server is told by a transaction of libSQL's that nothing may change; one that does not know it refuses. */
async function readRemotely(backend: SqliteBackend, orgDir: string, sql: string, values: SqlValue[]): Promise<SqlResult> {
  const connection = sqlDatabase(backend, { orgDir, owner: 'api' }).connect();
  try {
    await connection.execute('BEGIN READONLY', []);
    return await connection.execute(sql, values, { maxResultBytes: MAX_ROWS_BYTES });
  } finally {
    connection.close();
  }
}

/** A database that nothing was written to has no file, and what may only read makes none: an empty file is one without tables. */
async function makeEmpty(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await (await open(path, 'a')).close();
}

async function removeFile(file: string, orgDir: string): Promise<StoreAnswer> {
  const path = pathWithin(orgDir, file);
  for (const suffix of FILE_SUFFIXES) await rm(path + suffix, { force: true });
  return { result: 'done' };
}

function pathWithin(orgDir: string, file: string): string {
  const path = join(orgDir, file);
  const below = relative(orgDir, path);
  if (isAbsolute(file) || below === '' || below.startsWith('..')) throw new StoreError('the store lies outside of its folder');
  return path;
}

/** Only what was written for whoever asks is told: anything else may name places of this machine. */
function toFailure(error: unknown): StoreAnswer {
  const { message } = error as Error;
  if (error instanceof SqlLimit) return { result: 'failed', reason: error.limit === 'memory' ? 'statement' : 'late', message };
  if (error instanceof SqlError) return { result: 'failed', reason: 'statement', message };
  if (error instanceof StoreError) return { result: 'failed', reason: 'store', message };
  // ECONNREFUSED and its like.
  const { code } = error as NodeJS.ErrnoException;
  return { result: 'failed', reason: 'store', message: `the store cannot be reached${typeof code === 'string' && /^E[A-Z_]+$/.test(code) ? ` (${code})` : ''}` };
}
