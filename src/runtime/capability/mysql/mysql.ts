import type { Pipe } from '#engine/run/pipe.js';
import { EFFECT_REFUSED, refusesEffect } from '../effect.js';
import type { GuestState } from '../guest.js';
import { noteDenied, policyOf } from '../outbound/outbound.js';
import { canonicalHost } from '../outbound/outbound-policy.js';
import { SessionRegistry } from '../rdbms/app-sessions.js';
import { Connection, type SessionAccess } from '../rdbms/connection.js';
import { MAX_RESULT_BYTES, ResultBudget, VALUE_BYTES } from '../rdbms/result-budget.js';
import { rightsKey } from '../rdbms/rights-key.js';
import { RowStream } from '../rdbms/row-stream.js';
import { parseMysqlAddress, type MysqlAddress } from './address.js';
import { MysqlFailure, statementError } from './failure.js';
import type { MysqlSession, ParameterValue } from './session.js';
import { dataTypeOf, valueOf, type DbValue, type MysqlField } from './value.js';

export type MysqlConnection = Connection<MysqlSession>;

export interface Column {
  name: string;
  dataType: string;
}

export interface RowSet {
  columns: Column[];
  rows: DbValue[][];
}

const registry = new SessionRegistry<MysqlSession>();

/** Opens a connection of a guest. Rejects with a MysqlFailure when the component may not connect there, or with what stood in the way. */
export async function openMysql(state: GuestState, text: string): Promise<MysqlConnection> {
  const address = parseMysqlAddress(text);
  const connection: MysqlConnection = new Connection((now) => accessOf(now, text, address));
  state.invocation.effect?.();
  return connection.open(state);
}

function accessOf(state: GuestState, text: string, address: MysqlAddress): SessionAccess<MysqlSession> {
  const { grant } = state;
  const { host, port } = address;
  if (refusesEffect(state)) throw new MysqlFailure({ tag: 'connection-failed', val: EFFECT_REFUSED });
  if (!policyOf(grant.allowedOutboundHosts).allows({ scheme: 'mysql', host: canonicalHost(host), port })) {
    noteDenied(state, `mysql://${host}${port === null ? '' : `:${port}`}`);
    throw new MysqlFailure({ tag: 'connection-failed', val: `address ${text} is not permitted` });
  }
  return {
    sessions: registry.of(grant),
    source: {
      grant,
      key: JSON.stringify([text, rightsKey(grant)]),
      open: async () => (await import('./session.js')).MysqlSession.open(address, grant, MAX_RESULT_BYTES),
    },
  };
}

/** Runs a statement and gives its rows, at most 128 MiB of them. Rejects with whatever `statementError` knows. */
export async function queryMysql(state: GuestState, connection: MysqlConnection, statement: string, params: readonly ParameterValue[]): Promise<RowSet> {
  const budget = new ResultBudget(state.memory);
  const rows: DbValue[][] = [];
  const reader = new RowReader((row, bytes) => {
    budget.add(bytes);
    rows.push(row);
  });
  state.invocation.effect?.();
  try {
    await connection.call(state, (session) => session.run(statement, params, reader));
    return { columns: reader.described, rows };
  } finally {
    budget.close();
  }
}

/** Runs a statement for its effect. */
export async function executeMysql(state: GuestState, connection: MysqlConnection, statement: string, params: readonly ParameterValue[]): Promise<void> {
  state.invocation.effect?.();
  await connection.call(state, (session) => session.run(statement, params));
}

/** Runs a statement and gives its columns as soon as they are known, its rows as a stream, and a future that says how it ended. */
export async function streamMysql(
  state: GuestState,
  connection: MysqlConnection,
  statement: string,
  params: readonly ParameterValue[],
): Promise<[columns: Column[], rows: Pipe, result: Pipe]> {
  const { memory, invocation } = state;
  invocation.effect?.();
  const { columns, stream } = await connection.stream(state, async (session) => {
    const rowStream = new RowStream(session, memory);
    const stop = () => rowStream.cancel();
    const described = Promise.withResolvers<Column[]>();
    const reader = new RowReader((row, bytes) => rowStream.push(row, bytes), described.resolve);
    invocation.ending.on(stop);
    const rest = session.run(statement, params, reader).then(
      () => {
        described.resolve([]);
        rowStream.end(null);
      },
      (error: unknown) => {
        described.reject(error as Error);
        rowStream.end(statementError(error));
      },
    ).finally(() => invocation.ending.off(stop));
    return { columns: await described.promise, stream: rowStream, rest };
  });
  return [columns, stream.rows, stream.result];
}

/** Reads rows as they come. */
class RowReader {
  described: Column[] = [];

  constructor(private readonly give: (row: DbValue[], bytes: number) => void, private readonly onColumns: (columns: Column[]) => void = () => undefined) {}

  columns(fields: readonly MysqlField[]): void {
    this.described = fields.map((field) => ({ name: field.name, dataType: dataTypeOf(field) }));
    this.onColumns(this.described);
  }

  row(values: readonly unknown[]): void {
    const bytes = values.reduce<number>((sum, value) => sum + VALUE_BYTES + (typeof value === 'string' || Buffer.isBuffer(value) ? value.length : 0), 0);
    this.give(values.map((value, at) => valueOf(value, this.described[at]!.dataType, this.described[at]!.name)), bytes);
  }
}
