import { Trap } from '#engine/run/host.js';
import type { GuestState } from '../guest.js';
import { toDialFailure } from '../outbound/dial-failure.js';
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
export function connectionError(error: unknown, { invocation }: GuestState): MysqlError {
  if (error instanceof Trap) throw error;
  if (error instanceof MysqlFailure) return error.error;
  if (isServerError(error)) return { tag: 'connection-failed', val: textOf(error) };
  // the library's code takes the place of what TLS said; behind the semicolon is advice for whoever runs the process
  if ((error as NodeJS.ErrnoException).code === 'HANDSHAKE_SSL_ERROR') {
    return { tag: 'connection-failed', val: `no secure connection could be made: ${(error as Error).message.split(';')[0]}` };
  }
  return { tag: 'connection-failed', val: toDialFailure(invocation, error).message };
}

/** What went wrong with a statement. A trap goes on as one. */
export function statementError(error: unknown): MysqlError {
  if (error instanceof Trap) throw error;
  if (error instanceof MysqlFailure) return error.error;
  if (error instanceof NotConvertible) return { tag: 'value-conversion-failed', val: error.message };
  if (error instanceof ResultTooLarge) return { tag: 'other', val: error.message };
  return { tag: 'query-failed', val: isServerError(error) ? textOf(error) : (error as Error).message };
}

interface ServerError extends Error {
  errno: number;
  sqlState: string;
}

function isServerError(error: unknown): error is ServerError {
  return error instanceof Error && 'errno' in error && typeof (error as Partial<ServerError>).sqlState === 'string';
}

function textOf({ errno, sqlState, message }: ServerError): string {
  return `ERROR ${sqlState} (${errno}): ${message}`;
}
