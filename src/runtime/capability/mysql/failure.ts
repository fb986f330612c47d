import { Trap } from '#engine/run/host.js';
import { ResultTooLarge } from '../rdbms/result-budget.js';
import { NotConvertible } from './value.js';

/** `error` of `spin:mysql@3.0.0`, and of the older interfaces but for the name of `other`. */
export interface MysqlError {
  tag: 'connection-failed' | 'bad-parameter' | 'query-failed' | 'value-conversion-failed' | 'other';
  val: string;
}

/** Carries an error of the interface's own. */
export class MysqlFailure extends Error {
  override name = 'MysqlFailure';
  constructor(readonly error: MysqlError) {
    super(error.tag);
  }
}

/** What went wrong while a connection was made. A trap goes on as one. */
export function connectionError(error: unknown): MysqlError {
  if (error instanceof Trap) throw error;
  return error instanceof MysqlFailure ? error.error : { tag: 'connection-failed', val: textOf(error as Error) };
}

/** What went wrong with a statement. A trap goes on as one. */
export function statementError(error: unknown): MysqlError {
  if (error instanceof Trap) throw error;
  if (error instanceof MysqlFailure) return error.error;
  if (error instanceof NotConvertible) return { tag: 'value-conversion-failed', val: error.message };
  if (error instanceof ResultTooLarge) return { tag: 'other', val: error.message };
  return { tag: 'query-failed', val: textOf(error as Error) };
}

/** The server's own errors with their number and state. */
function textOf(error: Error & { errno?: number; sqlState?: string; errors?: Error[] }): string {
  if (error.sqlState) return `ERROR ${error.sqlState} (${error.errno}): ${error.message}`;
  // a name that resolves to several addresses fails with an error for each, and no words of its own
  return error.message || error.errors?.[0]?.message || error.name;
}
