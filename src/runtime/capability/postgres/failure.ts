import type { DatabaseError } from 'pg';
import { Trap } from '#engine/run/host.js';
import type { GuestState } from '../guest.js';
import { toDialFailure } from '../outbound/dial-failure.js';
import { ResultTooLarge } from '../rdbms/result-budget.js';
import { BadParameter } from './parameter.js';

export interface DbError {
  asText: string;
  severity: string;
  code: string;
  message: string;
  detail: string | undefined;
  extras: [string, string][];
}

type QueryError = { tag: 'text'; val: string } | { tag: 'db-error'; val: DbError };

/** `error` of `spin:postgres@4`. */
export type PgError =
  | { tag: 'connection-failed' | 'bad-parameter' | 'value-conversion-failed' | 'other'; val: string }
  | { tag: 'query-failed'; val: QueryError };

/** Carries an error of the interface's own. */
export class PgFailure extends Error {
  override name = 'PgFailure';
  constructor(readonly error: PgError) {
    super(error.tag);
  }
}

/** What went wrong while a connection was made. A trap goes on as one. */
export function connectionError(error: unknown, { invocation }: GuestState): PgError {
  if (error instanceof Trap) throw error;
  if (error instanceof PgFailure) return error.error;
  return { tag: 'connection-failed', val: isDatabaseError(error) ? databaseText(error) : toDialFailure(invocation, error).message };
}

/** What went wrong with a statement. A trap goes on as one. */
export function statementError(error: unknown): PgError {
  if (error instanceof Trap) throw error;
  if (error instanceof PgFailure) return error.error;
  if (error instanceof BadParameter) return { tag: 'bad-parameter', val: error.message };
  if (error instanceof ResultTooLarge || !isDatabaseError(error)) return failedText((error as Error).message);
  return { tag: 'query-failed', val: { tag: 'db-error', val: dbError(error) } };
}

function failedText(val: string): PgError {
  return { tag: 'query-failed', val: { tag: 'text', val } };
}

/** Told by the fields of PostgreSQL's, not by the class: the client library is loaded only when it is used. */
function isDatabaseError(error: unknown): error is DatabaseError {
  return error instanceof Error && 'severity' in error && 'code' in error;
}

function databaseText({ severity, message, detail, hint }: DatabaseError): string {
  return `db error: ${severity}: ${message}${detail ? `\nDETAIL: ${detail}` : ''}${hint ? `\nHINT: ${hint}` : ''}`;
}

/** In Spin's order and by its names. */
const EXTRAS = [
  ['column', 'column'], ['constraint', 'constraint'], ['routine', 'routine'], ['hint', 'hint'], ['table', 'table'], ['datatype', 'dataType'],
  ['schema', 'schema'], ['file', 'file'], ['line', 'line'], ['where_', 'where'],
] as const;

function dbError(error: DatabaseError): DbError {
  return {
    asText: databaseText(error),
    severity: error.severity ?? 'ERROR',
    code: error.code ?? '',
    message: error.message,
    detail: error.detail,
    extras: EXTRAS.flatMap(([name, field]) => (error[field] === undefined ? [] : [[name, error[field]] as [string, string]])),
  };
}
