import { X509Certificate } from 'node:crypto';
import type { FieldDef } from 'pg';
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
import { parsePgAddress, type PgAddress } from './address.js';
import { PgFailure, statementError } from './failure.js';
import { wireParameter, type ParameterValue } from './parameter.js';
import type { PgSession } from './session.js';
import { dataTypeOf, decodeRow, decoderOf, type DbDataType, type DbValue, type Decode } from './value.js';

export type PgConnection = Connection<PgSession>;

export interface Column {
  name: string;
  dataType: DbDataType;
}

export interface RowSet {
  columns: Column[];
  rows: DbValue[][];
}

const registry = new SessionRegistry<PgSession>();

/**
 * Opens a connection of a guest to `text`, an address in either form of libpq, with `caRoot` (PEM) as a root certificate besides the known ones.
 * Rejects with a PgFailure when the component may not connect there, or with what stood in the way.
 */
export async function openPg(state: GuestState, text: string, caRoot: string | null = null): Promise<PgConnection> {
  const address = parsePgAddress(text);
  const connection: PgConnection = new Connection((now) => accessOf(now, text, address, caRoot));
  state.invocation.effect?.();
  return connection.open(state);
}

/** Throws a PgFailure when `certificate` is no certificate in PEM. */
export function checkCaRoot(certificate: string): void {
  try {
    void new X509Certificate(certificate);
  } catch (cause) {
    throw new PgFailure({ tag: 'other', val: `invalid root certificate: ${(cause as Error).message}` });
  }
}

function accessOf(state: GuestState, text: string, address: PgAddress, caRoot: string | null): SessionAccess<PgSession> {
  const { grant } = state;
  // A statement that only reads cannot be told from one that does not.
  if (refusesEffect(state)) throw new PgFailure({ tag: 'connection-failed', val: EFFECT_REFUSED });
  const policy = policyOf(grant.allowedOutboundHosts);
  for (const { host, port } of address.hosts) {
    if (policy.allows({ scheme: 'postgres', host: canonicalHost(host), port })) continue;
    const destination = `postgres://${host}${port === null ? '' : `:${port}`}`;
    noteDenied(state, destination);
    throw new PgFailure({ tag: 'connection-failed', val: `address ${destination} is not permitted` });
  }
  const route = { grant, sslMode: address.sslMode, caRoot };
  return {
    sessions: registry.of(grant),
    source: {
      grant,
      key: JSON.stringify([text, caRoot, rightsKey(grant)]),
      open: async () => (await import('./session.js')).PgSession.open(address, route, MAX_RESULT_BYTES),
    },
  };
}

/** Runs a statement and gives its rows, at most 128 MiB of them. Rejects with whatever `statementError` knows. */
export async function queryPg(state: GuestState, connection: PgConnection, statement: string, params: readonly ParameterValue[]): Promise<RowSet> {
  const values = params.map(wireParameter);
  const budget = new ResultBudget(state.memory);
  const rows: DbValue[][] = [];
  const reader = new RowReader((row, bytes) => {
    budget.add(bytes);
    rows.push(row);
  });
  state.invocation.effect?.();
  try {
    return await connection.call(state, async (session) => {
      await session.run(statement, values, reader);
      return { columns: await namedColumns(session, reader.fields), rows };
    });
  } finally {
    budget.close();
  }
}

/** Runs a statement for its effect; gives how many rows it touched. */
export function executePg(state: GuestState, connection: PgConnection, statement: string, params: readonly ParameterValue[]): Promise<bigint> {
  const values = params.map(wireParameter);
  state.invocation.effect?.();
  return connection.call(state, (session) => session.run(statement, values));
}

/** Runs a statement and gives its columns at once, its rows as a stream, and a future that says how it ended. */
export async function streamPg(
  state: GuestState,
  connection: PgConnection,
  statement: string,
  params: readonly ParameterValue[],
): Promise<[columns: Column[], rows: Pipe, result: Pipe]> {
  const values = params.map(wireParameter);
  const { memory, invocation } = state;
  invocation.effect?.();
  const { columns, stream } = await connection.stream(state, async (session) => {
    const described = await namedColumns(session, await session.describe(statement));
    const rowStream = new RowStream(session, memory);
    const stop = () => rowStream.cancel();
    invocation.ending.on(stop);
    const run = session.run(statement, values, new RowReader((row, bytes) => rowStream.push(row, bytes)));
    const rest = run.then(() => rowStream.end(null), (error: unknown) => rowStream.end(statementError(error))).finally(() => invocation.ending.off(stop));
    return { columns: described, stream: rowStream, rest };
  });
  return [columns, stream.rows, stream.result];
}

/** Reads rows as they come. */
class RowReader {
  fields: readonly FieldDef[] = [];
  private decoders: Decode[] = [];

  constructor(private readonly give: (row: DbValue[], bytes: number) => void) {}

  columns(fields: readonly FieldDef[]): void {
    this.fields = fields;
    this.decoders = fields.map(({ dataTypeID }) => decoderOf(dataTypeID));
  }

  row(fields: readonly (Buffer | null)[]): void {
    const bytes = fields.reduce((sum, field) => sum + VALUE_BYTES + (field?.length ?? 0), 0);
    this.give(decodeRow(this.decoders, fields), bytes);
  }
}

/** The names of types that only the server knows are asked for. */
async function namedColumns(session: PgSession, fields: readonly FieldDef[]): Promise<Column[]> {
  const unknown = fields.map(({ dataTypeID }) => dataTypeID).filter((oid) => dataTypeOf(oid) === null);
  const names = unknown.length > 0 ? await session.namesOf([...new Set(unknown)]) : null;
  return fields.map(({ name, dataTypeID }) => ({ name, dataType: dataTypeOf(dataTypeID) ?? { tag: 'other', val: names?.get(dataTypeID) ?? '' } }));
}
