import { Err } from '#engine/run/host.js';
import { plain, waiting, type Capability } from '../capability.js';
import type { GuestState } from '../guest.js';
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

/** `connection` of an interface whose types are `types`. */
function connection(types: OlderTypes): Capability['functions'] {
  return {
    '[static]connection.open': waiting((state) => async (address: string) => {
      try {
        return await openPg(state, address);
      } catch (error) {
        return new Err(older(connectionError(error, state)));
      }
    }),
    '[method]connection.query': waiting((state) => async (it: PgConnection, statement: string, params: ParameterValue[]) => {
      try {
        checkSigned(params);
        return rowSet(await queryPg(state, it, statement, params), types);
      } catch (error) {
        return new Err(older(statementError(error)));
      }
    }),
    '[method]connection.execute': waiting((state) => async (it: PgConnection, statement: string, params: ParameterValue[]) => {
      try {
        checkSigned(params);
        return await executePg(state, it, statement, params);
      } catch (error) {
        return new Err(older(statementError(error)));
      }
    }),
    '[resource-drop]connection': plain((it: PgConnection) => it.drop()),
  };
}

/** A statement on a connection of its own, which then goes back. */
async function once<T>(state: GuestState, address: string, run: (it: PgConnection) => Promise<T>): Promise<T | Err> {
  let it: PgConnection;
  try {
    it = await openPg(state, address);
  } catch (error) {
    return new Err(oldest(connectionError(error, state)));
  }
  try {
    return await run(it);
  } catch (error) {
    return new Err(oldest(statementError(error)));
  } finally {
    it.drop();
  }
}

const RDBMS = new OlderTypes();

const WITH_ADDRESS: Capability['functions'] = {
  query: waiting((state) => (address: string, statement: string, params: ParameterValue[]) =>
    once(state, address, async (it) => {
      checkSigned(params);
      return rowSet(await queryPg(state, it, statement, params), RDBMS);
    })),
  execute: waiting((state) => (address: string, statement: string, params: ParameterValue[]) =>
    once(state, address, async (it) => {
      checkSigned(params);
      return executePg(state, it, statement, params);
    })),
};

/** PostgreSQL for guests that were made before `spin:postgres@4`. */
export const POSTGRES_OLDER: readonly Capability[] = [
  { name: 'fermyon:spin/postgres', version: null, functions: WITH_ADDRESS },
  { name: 'fermyon:spin/postgres', version: '2.0.0', functions: connection(RDBMS) },
  { name: 'spin:postgres/postgres', version: '3.0.0', functions: connection(new OlderTypes(['date', 'time', 'datetime', 'timestamp'])) },
];
