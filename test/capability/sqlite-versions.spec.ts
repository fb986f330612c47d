import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { NO_RUNTIME_GRANT } from '#contract/runtime-grant.js';
import type { Chunk, Pipe } from '#engine/run/pipe.js';
import { closeOperatorConnections } from '#runtime/capability/operator-http.js';
import type { WitValue } from '#runtime/capability/sqlite/guest-connections.js';
import { openSqliteDatabase } from '#runtime/capability/sqlite/open.js';
import { closeShortReads } from '#runtime/capability/sqlite/short-reads.js';
import { closeSqlProcesses } from '#runtime/capability/sqlite/sql-processes.js';
import { Forwarder } from '../fixtures/forwarder.js';
import { startLibsqlServer, type LibsqlServer } from '../fixtures/servers/libsql.js';
import { TestGuest } from './guest-state.js';

let server: LibsqlServer;
let dir: string;
const guests: TestGuest[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'whorl-libsql-'));
  server = await startLibsqlServer(join(dir, 'server.sqlite'));
});
afterEach(() => guests.splice(0).forEach((guest) => guest.dispose()));
afterAll(async () => {
  closeShortReads();
  closeSqlProcesses();
  await closeOperatorConnections();
  await server.stop();
  rmSync(dir, { recursive: true });
});

type Backend = 'spin' | 'libsql';
function guestOn(backend: Backend, token = server.token): TestGuest {
  const sqliteDatabases = { default: { type: 'libsql' as const, url: server.url, token } };
  const guest = new TestGuest({ sqliteDatabases: ['default', 'other'], runtime: { ...NO_RUNTIME_GRANT, ...(backend === 'libsql' && { sqliteDatabases }) } });
  guests.push(guest);
  return guest;
}

const VALUES: WitValue[] = [
  { tag: 'integer', val: -9223372036854775808n }, { tag: 'real', val: 0.1 }, { tag: 'text', val: 'ключ' }, { tag: 'blob', val: Uint8Array.of(0, 255, 7, 9) }, { tag: 'null' },
];
const plain = (values: WitValue[]) => values.map((value) => (value.tag === 'blob' ? { tag: 'blob', val: [...value.val] } : value));
const nothing = { tag: 'ok', val: { columns: [], rows: [] } };

function collect<T>(pipe: Pipe): Promise<T[]> {
  return new Promise((resolve) => {
    const all: unknown[] = [];
    pipe.attach({ write: (chunk: Chunk) => { all.push(...chunk); return true; }, end: () => resolve(all as T[]) });
  });
}
const settled = (pipe: Pipe): Promise<unknown> => new Promise((resolve) => pipe.attach({ value: resolve }));

for (const backend of ['spin', 'libsql'] as const) {
  describe(`SQLite through a component, on ${backend}`, () => {
    it('fermyon:spin/sqlite: connections are numbers', async () => {
      const guest = await Forwarder.of('fermyon:spin/sqlite', guestOn(backend));
      expect(await guest.call('open', 'forbidden')).toEqual({ tag: 'err', val: { tag: 'access-denied' } });
      expect(await guest.call('open', 'other')).toEqual({ tag: 'err', val: { tag: 'no-such-database' } });
      const { val: handle } = await guest.call('open', 'default');
      expect(await guest.call('execute', handle, 'CREATE TABLE first (a, b, c, d, e)', [])).toEqual(nothing);
      expect(await guest.call('execute', handle, 'INSERT INTO first VALUES (?, ?, ?, ?, ?)', VALUES)).toEqual(nothing);
      const { val } = await guest.call('execute', handle, 'SELECT * FROM first', []);
      expect(val.columns).toEqual(['a', 'b', 'c', 'd', 'e']);
      expect(plain(val.rows[0].values)).toEqual(plain(VALUES));
      await guest.call('close', handle);
      expect(await guest.call('execute', handle, 'SELECT 1', [])).toEqual({ tag: 'err', val: { tag: 'invalid-connection' } });
      expect(await guest.call('execute', 77, 'SELECT 1', [])).toEqual({ tag: 'err', val: { tag: 'invalid-connection' } });
    });

    for (const iface of ['fermyon:spin/sqlite@2.0.0', 'spin:sqlite/sqlite@3.0.0', 'spin:sqlite/sqlite@3.1.0']) {
      it(`${iface}: connections are resources`, async () => {
        const guest = await Forwarder.of(iface, guestOn(backend));
        const table = `t${iface.replace(/\W/g, '_')}`;
        expect(await guest.call('[static]connection.open', 'forbidden')).toEqual({ tag: 'err', val: { tag: 'access-denied' } });
        const { val: connection } = await guest.call('[static]connection.open', 'default');
        const execute = (sql: string, params: WitValue[] = []) => guest.call('[method]connection.execute', connection, sql, params);
        expect(await execute(`CREATE TABLE ${table} (id INTEGER PRIMARY KEY, x)`)).toEqual(nothing);
        expect(await execute(`INSERT INTO ${table} (x) VALUES (?), (2)`, [{ tag: 'text', val: 'one' }])).toEqual(nothing);
        expect(await execute(`SELECT x FROM ${table} WHERE id = ?`, [{ tag: 'integer', val: 1n }])).toEqual({ tag: 'ok', val: { columns: ['x'], rows: [{ values: [{ tag: 'text', val: 'one' }] }] } });
        expect(await execute('bogus')).toMatchObject({ tag: 'err', val: { tag: 'io', val: expect.stringContaining('syntax error') } });
        if (iface.includes('@2')) return;
        expect(await guest.call('[method]connection.last-insert-rowid', connection)).toBe(2n);
        expect(await guest.call('[method]connection.changes', connection)).toBe(2n);
      });
    }

    it('spin:sqlite/sqlite@3.1.0: rows come as a stream', async () => {
      const guest = await Forwarder.of('spin:sqlite/sqlite@3.1.0', guestOn(backend));
      expect(await guest.call('[static]connection.open-async', 'forbidden')).toEqual({ tag: 'err', val: { tag: 'access-denied' } });
      const { val: connection } = await guest.call('[static]connection.open-async', 'default');
      const execute = (sql: string, params: WitValue[] = []) => guest.call('[method]connection.execute-async', connection, sql, params);
      expect(await execute('bogus')).toMatchObject({ tag: 'err', val: { tag: 'io' } });
      const none = await execute('CREATE TABLE streamed (x)');
      expect(none.val[0]).toEqual([]);
      expect(await collect(none.val[1])).toEqual([]);
      expect(await settled(none.val[2])).toEqual({ tag: 'ok', val: undefined });
      await execute('WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000) INSERT INTO streamed SELECT x FROM c');
      expect(await guest.call('[method]connection.changes-async', connection)).toBe(1000n);
      expect(await guest.call('[method]connection.last-insert-rowid-async', connection)).toBe(1000n);
      const { val: [columns, stream, result] } = await execute('SELECT x FROM streamed ORDER BY x');
      expect(columns).toEqual(['x']);
      const rows = await collect<{ values: WitValue[] }>(stream);
      expect(rows.map(({ values }) => (values[0] as { val: bigint }).val)).toEqual(Array.from({ length: 1000 }, (_, i) => BigInt(i + 1)));
      expect(await settled(result)).toEqual({ tag: 'ok', val: undefined });
    });
  });
}

describe('a libSQL server', () => {
  const connect = (guest: TestGuest) => {
    const connection = guest.calls('fermyon:spin/sqlite@2.0.0')('[static]connection.open', 'default');
    return (sql: string, params: WitValue[] = []) => guest.calls('fermyon:spin/sqlite@2.0.0')('[method]connection.execute', connection, sql, params);
  };

  it('keeps a transaction for its connection, and rolls back what is left open', async () => {
    const guest = guestOn('libsql');
    const one = connect(guest);
    await one('CREATE TABLE kept (x)');
    await one('BEGIN');
    await one('INSERT INTO kept VALUES (1)');
    expect(await connect(guest)('SELECT count(*) FROM kept')).toMatchObject({ rows: [{ values: [{ val: 0n }] }] });
    expect(await one('SELECT count(*) FROM kept')).toMatchObject({ rows: [{ values: [{ val: 1n }] }] });
    guest.next();
    for (let i = 0; i < 200 && server.streams() > 0; i++) await sleep(10);
    expect(server.streams()).toBe(0);
    expect(await connect(guest)('SELECT count(*) FROM kept')).toMatchObject({ rows: [{ values: [{ val: 0n }] }] });
  });

  it('says why it refuses', async () => {
    expect(await connect(guestOn('libsql', 'wrong'))('SELECT 1')).toMatchObject({ payload: { tag: 'io', val: 'the database server answered 401: Unauthorized: the token is not valid' } });
    const guest = guestOn('libsql');
    guest.grant.runtime.sqliteDatabases.default = { type: 'libsql', url: 'http://127.0.0.1:1', token: 'x' };
    expect(await connect(guest)('SELECT 1')).toMatchObject({ payload: { tag: 'io', val: 'the database server cannot be reached' } });
  });

  it('answers the API too', async () => {
    const database = openSqliteDatabase({ type: 'libsql', url: server.url, token: server.token }, dir);
    expect(await database.execute('SELECT ? AS x', [7n])).toMatchObject({ columns: ['x'], rows: [[7n]] });
    await expect(database.execute('SELECT zeroblob(10000)', [], { maxResultBytes: 100 })).rejects.toThrow('query result exceeds limit of 100 bytes');
  });
});
