import { plain, waiting, type Capability } from '../capability.js';
import type { GuestState } from '../guest.js';
import { answering, answeringOnce } from '../rdbms/answering.js';
import { OlderTypes } from '../rdbms/older-types.js';
import { connectionError, PgFailure, statementError, type PgError } from './failure.js';
import type { ParameterValue } from './parameter.js';
import { executePg, openPg, queryPg, type PgConnection, type RowSet } from './postgres.js';

interface OlderError {
  tag: string;
  val: string;
}

/** What the server said, as one text. */
function older({ tag, val }: PgError): OlderError {
  if (tag !== 'query-failed') return { tag, val };
  return { tag, val: val.tag === 'text' ? val.val : val.val.asText };
}

/** `pg-error` of the interface without a version has another name for `other`. */
const oldest = (error: PgError): OlderError => (error.tag === 'other' ? { tag: 'other-error', val: error.val } : older(error));

const rowSet = ({ columns, rows }: RowSet, types: OlderTypes) => ({
  columns: columns.map(({ name, dataType }) => ({ name, dataType: types.dataType(dataType.tag) })),
  rows: rows.map((row) => row.map((value) => types.value(value))),
});

function checkSigned(params: readonly ParameterValue[]): void {
  if (params.some(({ tag }) => tag.startsWith('uint'))) throw new PgFailure({ tag: 'value-conversion-failed', val: 'Postgres does not support unsigned integers' });
}

const query = (types: OlderTypes) => async (state: GuestState, it: PgConnection, statement: string, params: ParameterValue[]) => {
  checkSigned(params);
  return rowSet(await queryPg(state, it, statement, params), types);
};

async function execute(state: GuestState, it: PgConnection, statement: string, params: ParameterValue[]): Promise<bigint> {
  checkSigned(params);
  return executePg(state, it, statement, params);
}

const open = (state: GuestState, address: string): Promise<PgConnection> => openPg(state, address);

/** The errors of an interface. */
const errorsOf = (named: (error: PgError) => OlderError) => ({
  connection: (error: unknown, state: GuestState) => named(connectionError(error, state)),
  statement: (error: unknown) => named(statementError(error)),
});

/** `connection` of an interface whose types are `types`. */
function connection(types: OlderTypes): Capability['functions'] {
  const errors = errorsOf(older);
  return {
    '[static]connection.open': waiting(answering(open, errors.connection)),
    '[method]connection.query': waiting(answering(query(types), errors.statement)),
    '[method]connection.execute': waiting(answering(execute, errors.statement)),
    '[resource-drop]connection': plain((it: PgConnection) => it.drop()),
  };
}

const RDBMS = new OlderTypes();

const WITH_ADDRESS: Capability['functions'] = {
  query: waiting(answeringOnce(open, query(RDBMS), errorsOf(oldest))),
  execute: waiting(answeringOnce(open, execute, errorsOf(oldest))),
};

/** PostgreSQL for guests that were made before `spin:postgres@4`. */
export const POSTGRES_OLDER: readonly Capability[] = [
  { name: 'fermyon:spin/postgres', version: null, functions: WITH_ADDRESS },
  { name: 'fermyon:spin/postgres', version: '2.0.0', functions: connection(RDBMS) },
  { name: 'spin:postgres/postgres', version: '3.0.0', functions: connection(new OlderTypes(['date', 'time', 'datetime', 'timestamp'])) },
];
