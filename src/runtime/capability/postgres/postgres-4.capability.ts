import { Err } from '#engine/run/host.js';
import { perSlot, plain, waiting, type Capability } from '../capability.js';
import type { GuestState } from '../guest.js';
import { connectionError, PgFailure, statementError, type PgError } from './failure.js';
import type { ParameterValue } from './parameter.js';
import { checkCaRoot, executePg, openPg, queryPg, streamPg, type PgConnection } from './postgres.js';

/** What `connection-builder` collects. */
class ConnectionBuilder {
  caRoot: string | null = null;

  constructor(readonly address: string) {}
}

type Attempt<A extends unknown[], T> = (state: GuestState, ...args: A) => Promise<T>;

/** A host function of `attempt`, with its errors in the terms of the interface. */
const answering = <A extends unknown[], T>(attempt: Attempt<A, T>, toError: (error: unknown, state: GuestState) => PgError) => (state: GuestState) => async (...args: A): Promise<T | Err> => {
  try {
    return await attempt(state, ...args);
  } catch (error) {
    return new Err(toError(error, state));
  }
};

const open = answering((state, address: string) => openPg(state, address), connectionError);
const build = answering((state, { address, caRoot }: ConnectionBuilder) => openPg(state, address, caRoot), connectionError);
const query = answering((state, connection: PgConnection, statement: string, params: ParameterValue[]) => queryPg(state, connection, statement, params), statementError);
const execute = answering((state, connection: PgConnection, statement: string, params: ParameterValue[]) => executePg(state, connection, statement, params), statementError);
const stream = answering((state, connection: PgConnection, statement: string, params: ParameterValue[]) => streamPg(state, connection, statement, params), statementError);

const CONNECTION: Capability['functions'] = {
  '[static]connection.open': waiting(open),
  '[method]connection.query': waiting(query),
  '[method]connection.execute': waiting(execute),
  '[resource-drop]connection': plain((connection: PgConnection) => connection.drop()),
};

const BUILDER: Capability['functions'] = {
  '[constructor]connection-builder': plain((address: string) => new ConnectionBuilder(address)),
  '[method]connection-builder.set-ca-root': plain((builder: ConnectionBuilder, certificate: string) => {
    try {
      checkCaRoot(certificate);
    } catch (error) {
      return new Err((error as PgFailure).error);
    }
    builder.caRoot = certificate;
    return undefined;
  }),
  '[method]connection-builder.build': waiting(build),
};

const ASYNC: Capability['functions'] = {
  '[method]connection-builder.build-async': perSlot(build),
  '[static]connection.open-async': perSlot(open),
  '[method]connection.query-async': perSlot(stream),
  '[method]connection.execute-async': perSlot(execute),
};

/** `spin:postgres/postgres` from 4.0.0 on: each release has all of the one before. */
export const POSTGRES_4: readonly Capability[] = [
  { name: 'spin:postgres/postgres', version: '4.0.0', functions: CONNECTION },
  { name: 'spin:postgres/postgres', version: '4.1.0', functions: { ...CONNECTION, ...BUILDER } },
  { name: 'spin:postgres/postgres', version: '4.2.0', functions: { ...CONNECTION, ...BUILDER, ...ASYNC } },
];
