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
  constructor(readonly limit: 'cpu' | 'wall' | 'memory', message: string) {
    super(message);
  }
}

/** Spin's cap on what a host buffers for one result. */
export const MAX_RESULT_BYTES = 128 * 1024 * 1024;

/** What a database may grow to where nothing else is said. */
export const DEFAULT_DATABASE_BYTES = 1024 * 1024 * 1024;

/** What a value is taken to need beside its text or bytes. */
const VALUE_BYTES = 32;

export function rowBytes(row: readonly SqlValue[]): number {
  let bytes = 0;
  for (const value of row) bytes += VALUE_BYTES + (typeof value === 'string' ? Buffer.byteLength(value) : value instanceof Uint8Array ? value.length : 0);
  return bytes;
}
