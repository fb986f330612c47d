import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Pipe } from '#engine/run/pipe.js';
import { hasMariadb, startMariadb, type MariadbServer } from '../fixtures/servers/mariadb.js';
import { TestGuest } from './guest-state.js';
import { InterfaceGuests, notCalled, okOf } from './interface-guest.js';

const suite = hasMariadb ? describe : describe.skip;

let server: MariadbServer;
let guest: TestGuest;
let guests: InterfaceGuests;
beforeAll(async () => {
  if (hasMariadb) server = (await startMariadb())!;
});
afterAll(() => server?.stop());
beforeEach(() => {
  guest = new TestGuest({ allowedOutboundHosts: [`mysql://localhost:${server.port}`] });
  guests = new InterfaceGuests(guest);
});
afterEach(() => guest.dispose());

const SOME = "SELECT 9007199254740993 AS l, 'x' AS t, x'01' AS y, 2.5e0 AS d, NULL AS z";
const COLUMNS = [['l', 'int64'], ['t', 'str'], ['y', 'binary'], ['d', 'floating64'], ['z', 'other']].map(([name, dataType]) => ({ name, dataType }));
const ROW = [{ tag: 'int64', val: 9007199254740993n }, { tag: 'str', val: 'x' }, { tag: 'binary', val: new Uint8Array([1]) }, { tag: 'floating64', val: 2.5 }, { tag: 'db-null' }];

/** The elements of a stream in a list that grows, and the value of its future. */
function collect(stream: Pipe, result: Pipe): { rows: unknown[]; ended: Promise<unknown> } {
  const rows: unknown[] = [];
  stream.attach({ write: (chunk) => { rows.push(...(chunk as unknown[])); return true; }, end: () => undefined });
  return { rows, ended: new Promise((resolve) => { result.attach({ value: resolve }); }) };
}

suite(`MySQL as components import it${hasMariadb ? '' : ' (left out: mariadbd is not installed)'}`, () => {
  it('fermyon:spin/mysql: an address with each call', async () => {
    const call = guests.of('fermyon:spin/mysql');
    const { columns, rows } = okOf(await call('query', server.url(), SOME, []));
    expect(columns).toEqual(COLUMNS);
    expect(rows).toEqual([ROW]);
    expect(await call('execute', server.url(), 'SELECT nope', [])).toMatchObject({ tag: 'err', val: { tag: 'query-failed' } });
    expect(await call('execute', server.url(), 'DO ?', [{ tag: 'uint64', val: 1n }])).toEqual({ tag: 'ok' });
  });

  it('fermyon:spin/mysql@2.0.0: a connection', async () => {
    const call = guests.of('fermyon:spin/mysql@2.0.0');
    const connection = okOf(await call('[static]connection.open', server.url()));
    expect(okOf(await call('[method]connection.query', connection, SOME, [])).rows).toEqual([ROW]);
    expect(await call('[method]connection.execute', connection, 'SELECT nope', [])).toMatchObject({ tag: 'err', val: { tag: 'query-failed' } });
    expect(await call('[static]connection.open', 'mysql://elsewhere/')).toEqual({ tag: 'err', val: { tag: 'connection-failed', val: 'address mysql://elsewhere/ is not permitted' } });
  });

  it('spin:mysql/mysql@3.0.0: rows come as a stream, one statement after the other', async () => {
    const call = guests.of('spin:mysql/mysql@3.0.0');
    const connection = okOf(await call('[static]connection.open', server.url()));
    const [columns, stream, result] = okOf(await call('[method]connection.query', connection, "SELECT seq, REPEAT('x', 100) AS x FROM seq_1_to_20000 WHERE seq >= ?", [{ tag: 'int32', val: 1 }]));
    expect(columns).toEqual([{ name: 'seq', dataType: 'uint64' }, { name: 'x', dataType: 'str' }]);
    let isNextDone = false;
    const next = call('[method]connection.execute', connection, 'DO 1', []).finally(() => { isNextDone = true; });
    await new Promise((resolve) => { setTimeout(resolve, 50); });
    expect(isNextDone).toBe(false);
    const { rows, ended } = collect(stream, result);
    expect(await ended).toMatchObject({ tag: 'ok' });
    expect(await next).toMatchObject({ tag: 'ok' });
    expect(rows).toHaveLength(20_000);
    expect(rows[19_999]).toEqual([{ tag: 'uint64', val: 20_000n }, { tag: 'str', val: 'x'.repeat(100) }]);
    expect(guest.memory.heldBytes).toBe(0);
    const [none, empty, done] = okOf(await call('[method]connection.query', connection, 'DO 1', []));
    expect(none).toEqual([]);
    const nothing = collect(empty, done);
    expect(await nothing.ended).toMatchObject({ tag: 'ok' });
    expect(nothing.rows).toEqual([]);
  });

  it('spin:mysql/mysql@3.0.0: a stream that breaks says why in its future', async () => {
    const call = guests.of('spin:mysql/mysql@3.0.0');
    const connection = okOf(await call('[static]connection.open', server.url()));
    expect(await call('[method]connection.query', connection, 'SELECT nope', [])).toMatchObject({ tag: 'err', val: { tag: 'query-failed' } });
    const [, stream, result] = okOf(await call('[method]connection.query', connection, 'SELECT 1.5', []));
    expect(await collect(stream, result).ended).toMatchObject({ tag: 'err', val: { tag: 'value-conversion-failed' } });
    expect(await call('[method]connection.execute', connection, 'DO 1', [])).toMatchObject({ tag: 'ok' });
  });

  it('spin:mysql/mysql@3.0.0: a stream that nobody reads is held up, and ends when its reader goes', async () => {
    const call = guests.of('spin:mysql/mysql@3.0.0');
    const connection = okOf(await call('[static]connection.open', server.url()));
    const [, stream] = okOf(await call('[method]connection.query', connection, "SELECT REPEAT('x', 10000) FROM seq_1_to_1000000", [])) as [unknown, Pipe];
    await new Promise((resolve) => { setTimeout(resolve, 200); });
    expect(guest.memory.heldBytes).toBeGreaterThan(0);
    expect(guest.memory.heldBytes).toBeLessThan(2 * 2 ** 20);
    stream.hostDrop();
    expect(await call('[method]connection.execute', connection, 'DO 1', [])).toMatchObject({ tag: 'ok' });
    expect(guest.memory.heldBytes).toBe(0);
  });

  it('was called in every function', () => {
    expect(notCalled()).toEqual([]);
  });
});
