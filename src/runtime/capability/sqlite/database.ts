import type { SqlResult, SqlValue } from './sql.js';

export interface ExecuteOptions {
  /** A result that is larger is an error that says so. */
  maxResultBytes?: number;
  /** Hears of CPU that the statement has used outside of this process, in ms, as it goes on; says how much more it may use. */
  charge?: (cpuMs: number) => number;
}

/**
 * A connection as one guest, or one request of the API, holds it: a session of its own. Statements of one connection run one after the
 * other. `close` rolls back a transaction that is open and stops a statement that runs.
 */
export interface SqlConnection {
  /** The result, at once where the driver can tell that it takes no time. Fails with a SqlError, or a SqlLimit when it was stopped. */
  execute(sql: string, params: readonly SqlValue[], options?: ExecuteOptions): SqlResult | Promise<SqlResult>;
  close(): void;
}

export interface SqlDatabase {
  /** Costs nothing: the database is reached by the first statement. */
  connect(): SqlConnection;
}
