import { Err } from '#engine/run/host.js';
import { EOF, hostFuture, hostStream, type Pipe } from '#engine/run/pipe.js';
import { perSlot, plain, waiting, type Capability } from '../capability.js';
import type { GuestState } from '../guest.js';
import { connectionsOf, executeHandle, openConnection, openHandle, toWit, type GuestConnection, type WitValue } from './guest-connections.js';
import { rowBytes, type SqlResult, type SqlValue } from './sql.js';

interface RowResult {
  values: WitValue[];
}

const toRow = (row: readonly SqlValue[]): RowResult => ({ values: row.map(toWit) });

function toQueryResult(result: SqlResult | Err): { columns: string[]; rows: RowResult[] } | Err {
  return result instanceof Err ? result : { columns: result.columns, rows: result.rows.map(toRow) };
}

const then = <T, R>(value: T | Promise<T>, map: (value: T) => R): R | Promise<R> => (value instanceof Promise ? value.then(map) : map(value));

/** The first version has no resources: connections are numbers. */
const UNVERSIONED: Capability = {
  name: 'fermyon:spin/sqlite',
  version: null,
  functions: {
    open: perSlot((state) => (label: string) => openHandle(state, label)),
    execute: waiting((state) => (handle: number, sql: string, params: WitValue[]) => then(executeHandle(state, handle, sql, params), toQueryResult)),
    close: perSlot((state) => (handle: number) => connectionsOf(state).close(handle)),
  },
};

const CONNECTION: Capability['functions'] = {
  '[static]connection.open': perSlot((state) => (label: string) => openConnection(state, label)),
  '[method]connection.execute': waiting(() => (it: GuestConnection, sql: string, params: WitValue[]) => then(it.execute(sql, params), toQueryResult)),
  '[resource-drop]connection': perSlot((state) => (it: GuestConnection) => connectionsOf(state).drop(it)),
};

const COUNTERS: Capability['functions'] = {
  '[method]connection.last-insert-rowid': plain((it: GuestConnection) => it.lastInsertRowid),
  '[method]connection.changes': plain((it: GuestConnection) => it.changes),
};

const OK = { tag: 'ok', val: undefined };

/** All rows are here already: the guest takes them as it likes, and they are held on its account until then. */
function toStream({ memory }: GuestState, { columns, rows }: SqlResult): [string[], Pipe, Pipe] {
  const result = hostFuture();
  let next = 0;
  const sizes = rows.map(rowBytes);
  memory.take(sizes.reduce((sum, bytes) => sum + bytes, 0));
  const give = (until: number): void => {
    for (; next < until; next++) memory.give(sizes[next]!);
  };
  const stream = hostStream({
    pull: (_pipe, max) => {
      if (next === rows.length) {
        result.resolve(OK);
        return EOF;
      }
      const chunk = rows.slice(next, next + max).map(toRow);
      give(next + chunk.length);
      return chunk;
    },
    cancel: () => {
      give(rows.length);
      result.resolve(OK);
    },
  });
  return [columns, stream, result];
}

const ASYNC: Capability['functions'] = {
  '[static]connection.open-async': perSlot((state) => (label: string) => openConnection(state, label)),
  '[method]connection.execute-async': perSlot((state) => (it: GuestConnection, sql: string, params: WitValue[]) =>
    then(it.execute(sql, params), (result) => (result instanceof Err ? result : toStream(state, result)))),
  '[method]connection.last-insert-rowid-async': plain((it: GuestConnection) => it.lastInsertRowid),
  '[method]connection.changes-async': plain((it: GuestConnection) => it.changes),
};

/** SQLite in every version that Spin has. */
export const SQLITE: readonly Capability[] = [
  UNVERSIONED,
  { name: 'fermyon:spin/sqlite', version: '2.0.0', functions: CONNECTION },
  { name: 'spin:sqlite/sqlite', version: '3.0.0', functions: { ...CONNECTION, ...COUNTERS } },
  { name: 'spin:sqlite/sqlite', version: '3.1.0', functions: { ...CONNECTION, ...COUNTERS, ...ASYNC } },
];
