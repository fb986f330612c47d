import { Err } from '#engine/run/host.js';
import { perSlot, plain, waiting, type Capability } from '../capability.js';
import { answering } from '../rdbms/answering.js';
import { connectionError, PgFailure, statementError } from './failure.js';
import { checkCaRoot, executePg, openPg, queryPg, streamPg, type PgConnection } from './postgres.js';

/** What `connection-builder` collects. */
class ConnectionBuilder {
  caRoot: string | null = null;

  constructor(readonly address: string) {}
}

const open = answering((state, address: string) => openPg(state, address), connectionError);
const build = answering((state, { address, caRoot }: ConnectionBuilder) => openPg(state, address, caRoot), connectionError);
const query = answering(queryPg, statementError);
const execute = answering(executePg, statementError);
const stream = answering(streamPg, statementError);

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
