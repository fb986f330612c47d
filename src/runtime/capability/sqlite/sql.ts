/** What goes into a database and comes out of it, whatever drives it. */
export type SqlValue = bigint | number | string | Uint8Array | null;

export interface SqlResult {
  columns: string[];
  rows: SqlValue[][];
  /** As `last_insert_rowid()` and `changes()` of the connection say after the statement. */
  lastInsertRowid: bigint;
  changes: bigint;
}

/** What a statement came to that did not work; `message` is for the one who wrote it, and names no place of this machine. */
export class SqlError extends Error {
  override name = 'SqlError';
  constructor(readonly kind: 'io' | 'full', message: string) {
    super(message);
  }
}

/** The statement was stopped since it took more than it may; the process that ran it is gone. */
export class SqlLimit extends Error {
  override name = 'SqlLimit';
}

/** Spin's cap on what a host buffers for one result. */
export const MAX_RESULT_BYTES = 128 * 1024 * 1024;
export const RESULT_TOO_LARGE = `query result exceeds limit of ${MAX_RESULT_BYTES} bytes`;

/** What a database may grow to where nothing else is said. */
export const DEFAULT_DATABASE_BYTES = 1024 * 1024 * 1024;

/** Statements are text of the guest's: more than this is data in the wrong place. */
export const MAX_STATEMENT_BYTES = 1024 * 1024;
