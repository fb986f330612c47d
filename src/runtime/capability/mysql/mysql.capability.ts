import { perSlot, plain, waiting, type Capability } from '../capability.js';
import type { GuestState } from '../guest.js';
import { answering, answeringOnce } from '../rdbms/answering.js';
import { connectionError, statementError, type MysqlError } from './failure.js';
import { executeMysql, openMysql, queryMysql, streamMysql, type MysqlConnection } from './mysql.js';

const open = answering(openMysql, connectionError);
const query = answering(queryMysql, statementError);
const execute = answering(executeMysql, statementError);
const drop = plain((it: MysqlConnection) => it.drop());

/** `mysql-error` of the interface without a version has another name for `other`. */
const oldest = ({ tag, val }: MysqlError): unknown => ({ tag: tag === 'other' ? 'other-error' : tag, val });
const OLDEST = {
  connection: (error: unknown, state: GuestState) => oldest(connectionError(error, state)),
  statement: (error: unknown) => oldest(statementError(error)),
};

/** MySQL in Spin's three forms. */
export const MYSQL: readonly Capability[] = [
  { name: 'fermyon:spin/mysql', version: null, functions: { query: waiting(answeringOnce(openMysql, queryMysql, OLDEST)), execute: waiting(answeringOnce(openMysql, executeMysql, OLDEST)) } },
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
      '[method]connection.query': perSlot(answering(streamMysql, statementError)),
      '[method]connection.execute': perSlot(execute),
      '[resource-drop]connection': drop,
    },
  },
];
