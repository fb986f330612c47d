import { Err } from '#engine/run/host.js';
import { perSlot, plain, waiting, type Capability } from '../capability.js';
import type { GuestState } from '../guest.js';
import { connectionError, statementError, type MysqlError } from './failure.js';
import { executeMysql, openMysql, queryMysql, streamMysql, type MysqlConnection } from './mysql.js';
import type { ParameterValue } from './session.js';

/** A host function of `attempt`, with its errors in the terms of the interface. */
const answering = <A extends unknown[], T>(attempt: (state: GuestState, ...args: A) => Promise<T>, toError: (error: unknown, state: GuestState) => MysqlError) => (state: GuestState) => async (...args: A): Promise<T | Err> => {
  try {
    return await attempt(state, ...args);
  } catch (error) {
    return new Err(toError(error, state));
  }
};

const open = answering((state, address: string) => openMysql(state, address), connectionError);
const query = answering((state, it: MysqlConnection, statement: string, params: ParameterValue[]) => queryMysql(state, it, statement, params), statementError);
const execute = answering((state, it: MysqlConnection, statement: string, params: ParameterValue[]) => executeMysql(state, it, statement, params), statementError);
const stream = answering((state, it: MysqlConnection, statement: string, params: ParameterValue[]) => streamMysql(state, it, statement, params), statementError);
const drop = plain((it: MysqlConnection) => it.drop());

/** `mysql-error` of the interface without a version has another name for `other`. */
const oldest = (error: MysqlError): Err => new Err(error.tag === 'other' ? { tag: 'other-error', val: error.val } : error);

/** A statement on a connection of its own, which then goes back. */
const once = <T>(run: (state: GuestState, it: MysqlConnection, statement: string, params: ParameterValue[]) => Promise<T>) =>
  waiting((state) => async (address: string, statement: string, params: ParameterValue[]) => {
    let it: MysqlConnection;
    try {
      it = await openMysql(state, address);
    } catch (error) {
      return oldest(connectionError(error, state));
    }
    try {
      return await run(state, it, statement, params);
    } catch (error) {
      return oldest(statementError(error));
    } finally {
      it.drop();
    }
  });

/** MySQL in Spin's three forms. */
export const MYSQL: readonly Capability[] = [
  { name: 'fermyon:spin/mysql', version: null, functions: { query: once(queryMysql), execute: once(executeMysql) } },
  {
    name: 'fermyon:spin/mysql',
    version: '2.0.0',
    functions: {
      '[static]connection.open': waiting(open),
      '[method]connection.query': waiting(query),
      '[method]connection.execute': waiting(execute),
      '[resource-drop]connection': drop,
    },
  },
  {
    name: 'spin:mysql/mysql',
    version: '3.0.0',
    functions: {
      '[static]connection.open': perSlot(open),
      '[method]connection.query': perSlot(stream),
      '[method]connection.execute': perSlot(execute),
      '[resource-drop]connection': drop,
    },
  },
];
