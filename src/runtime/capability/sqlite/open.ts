import { isAbsolute, relative, resolve } from 'node:path';
import type { SqliteBackend } from '#contract/runtime-grant.js';
import type { SqlDatabase } from './database.js';
import { FileDatabase } from './file-database.js';
import { LibsqlDatabase } from './libsql-database.js';
import { DEFAULT_DATABASE_BYTES, SqlError, type SqlResult, type SqlValue } from './sql.js';

export interface OpenOptions {
  /** Folder for the data of the org on this node. */
  orgDir: string;
  /** Names the processes that may run statements: no two owners share one. */
  owner: string;
  readOnly?: boolean;
  /** What a file may grow to. */
  maxBytes?: number;
}

/** The database behind a backend. Throws a SqlError for a file that would lie outside of the org's folder. */
export function sqlDatabase(backend: SqliteBackend, { orgDir, owner, readOnly = false, maxBytes = DEFAULT_DATABASE_BYTES }: OpenOptions): SqlDatabase {
  if (backend.type === 'libsql') return new LibsqlDatabase({ ...backend, owner });
  const path = resolve(orgDir, backend.file);
  const place = relative(orgDir, path);
  if (place === '' || place.startsWith('..') || isAbsolute(place)) throw new SqlError('io', 'the database cannot be reached');
  return new FileDatabase({ path, owner, readOnly, maxBytes });
}

/** A database as the API uses it. */
export interface SqliteAccess {
  /**
   * Runs one statement in a connection of its own. `readOnly`: it may change nothing; on a libSQL server that is the matter of its token.
   * Fails with a SqlError, whose message is for the one who wrote the statement; with a SqlLimit when it took too long or too much.
   */
  execute(sql: string, params: readonly SqlValue[], options?: AccessOptions): Promise<SqlResult>;
}

export interface AccessOptions {
  readOnly?: boolean;
  timeoutMs?: number;
  maxResultBytes?: number;
}

const TIMEOUT_MS = 30_000;

/** The database behind a backend, for whoever is no guest. `maxBytes`: what a file may grow to. */
export function openSqliteDatabase(backend: SqliteBackend, orgDir: string, maxBytes = DEFAULT_DATABASE_BYTES): SqliteAccess {
  return {
    async execute(sql, params, { readOnly = false, timeoutMs = TIMEOUT_MS, maxResultBytes } = {}) {
      const owner = `api of ${orgDir}`;
      const connection = sqlDatabase(backend, { orgDir, owner, readOnly, maxBytes }).connect();
      const timer = setTimeout(() => connection.close(), timeoutMs);
      try {
        return await connection.execute(sql, params, maxResultBytes === undefined ? {} : { maxResultBytes });
      } finally {
        clearTimeout(timer);
        connection.close();
      }
    },
  };
}
