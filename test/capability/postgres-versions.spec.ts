import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Pipe } from '#engine/run/pipe.js';
import { startPostgresServer, type PostgresServer } from '../fixtures/servers/postgres.js';
import { TestGuest } from './guest-state.js';
import { InterfaceGuests, notCalled, okOf } from './interface-guest.js';

let server: PostgresServer;
let guest: TestGuest;
let guests: InterfaceGuests;
beforeAll(async () => { server = await startPostgresServer(); });
afterAll(() => server.stop());
beforeEach(() => {
  guest = new TestGuest({ allowedOutboundHosts: [`postgres://localhost:${server.port}`] });
  guests = new InterfaceGuests(guest);
});
afterEach(() => guest.dispose());

const ALL_TYPES = "SELECT true b, 1::int2 s, 2::int4 i, 3::int8 l, 1.5::float4 f, 2.5::float8 d, 'x'::text t, '\\x01'::bytea y, date '2020-02-29' dt, 1.5::numeric n, NULL::text z";
const str = (val: string) => ({ tag: 'str', val });
const int32 = (val: number) => ({ tag: 'int32', val });

/** The elements of a stream in a list that grows, and the value of its future. */
function collect(stream: Pipe, result: Pipe): { rows: unknown[]; ended: Promise<unknown> } {
  const rows: unknown[] = [];
  stream.attach({ write: (chunk) => { rows.push(...(chunk as unknown[])); return true; }, end: () => undefined });
  return { rows, ended: new Promise((resolve) => { result.attach({ value: resolve }); }) };
}

describe('PostgreSQL as components import it', () => {
  const older = ['boolean', 'int16', 'int32', 'int64', 'floating32', 'floating64', 'str', 'binary'];
  const values = (more: unknown[]) => [
    { tag: 'boolean', val: true }, { tag: 'int16', val: 1 }, { tag: 'int32', val: 2 }, { tag: 'int64', val: 3n }, { tag: 'floating32', val: 1.5 }, { tag: 'floating64', val: 2.5 },
    str('x'), { tag: 'binary', val: new Uint8Array([1]) }, ...more,
  ];

  it('fermyon:spin/postgres: an address with each call', async () => {
    const call = guests.of('fermyon:spin/postgres');
    const { columns, rows } = okOf(await call('query', server.url(), ALL_TYPES, []));
    expect(columns.map(({ dataType }: { dataType: string }) => dataType)).toEqual([...older, 'other', 'other', 'str']);
    expect(rows).toEqual([values([{ tag: 'unsupported' }, { tag: 'unsupported' }, { tag: 'db-null' }])]);
    expect(await call('execute', server.url(), 'CREATE TABLE v1 (id int)', [])).toEqual({ tag: 'ok', val: 0n });
    expect(await call('execute', server.url(), 'INSERT INTO v1 VALUES ($1), ($1 + 1)', [int32(1)])).toEqual({ tag: 'ok', val: 2n });
    expect(await call('query', server.url(), 'SELECT $1', [{ tag: 'uint8', val: 1 }])).toEqual({ tag: 'err', val: { tag: 'value-conversion-failed', val: 'Postgres does not support unsigned integers' } });
    expect(await call('query', server.url(), 'SELECT nope', [])).toEqual({ tag: 'err', val: { tag: 'query-failed', val: 'db error: ERROR: column "nope" does not exist' } });
  });

  it.each([
    ['fermyon:spin/postgres@2.0.0', ['other', 'other', 'str'], [{ tag: 'unsupported' }, { tag: 'unsupported' }, { tag: 'db-null' }]],
    ['spin:postgres/postgres@3.0.0', ['date', 'other', 'str'], [{ tag: 'date', val: [2020, 2, 29] }, { tag: 'unsupported' }, { tag: 'db-null' }]],
  ])('%s: a connection, types of its time, errors as texts', async (iface, types, more) => {
    const call = guests.of(iface);
    expect(await call('[static]connection.open', 'host=elsewhere port=1 user=x')).toEqual({ tag: 'err', val: { tag: 'connection-failed', val: 'address postgres://elsewhere:1 is not permitted' } });
    const connection = okOf(await call('[static]connection.open', server.address()));
    const { columns, rows } = okOf(await call('[method]connection.query', connection, ALL_TYPES, []));
    expect(columns.map(({ dataType }: { dataType: string }) => dataType)).toEqual([...older, ...types]);
    expect(rows).toEqual([values(more)]);
    expect(await call('[method]connection.execute', connection, 'SELECT nope', [])).toEqual({ tag: 'err', val: { tag: 'query-failed', val: 'db error: ERROR: column "nope" does not exist' } });
    expect(await call('[method]connection.execute', connection, 'SELECT generate_series(1, 3)', [])).toEqual({ tag: 'ok', val: 3n });
  });

  it('spin:postgres/postgres@4.0.0: the rows of Spin\'s conformance case', async () => {
    const call = guests.of('spin:postgres/postgres@4.0.0');
    const connection = okOf(await call('[static]connection.open', server.address()));
    const query = async (statement: string, ...params: unknown[]) => okOf(await call('[method]connection.query', connection, statement, params)).rows;
    const execute = async (statement: string, ...params: unknown[]) => okOf(await call('[method]connection.execute', connection, statement, params));
    const [[pid]] = await query('SELECT pg_backend_pid()');
    await execute('CREATE TEMPORARY TABLE numbers (s smallint, i int, l bigint, r real, d double precision, n numeric(10, 9))');
    expect(await execute('INSERT INTO numbers VALUES ($1, $2, $3, $4, $5, $6)', { tag: 'int16', val: 1 }, int32(3), { tag: 'int64', val: 5n }, { tag: 'floating32', val: 7.8 }, { tag: 'floating64', val: 9.1 }, { tag: 'decimal', val: '0.123456789' })).toBe(1n);
    expect(await query('SELECT * FROM numbers')).toEqual([[{ tag: 'int16', val: 1 }, int32(3), { tag: 'int64', val: 5n }, { tag: 'floating32', val: Math.fround(7.8) }, { tag: 'floating64', val: 9.1 }, { tag: 'decimal', val: '0.123456789' }]]);
    await execute('CREATE TEMPORARY TABLE lists (i4 int4[], i8 int8[], n numeric[], t text[])');
    const many = Array.from({ length: 1000 }, (_, i) => BigInt(i));
    const lists = [{ tag: 'array-int32', val: [1, undefined, 3] }, { tag: 'array-int64', val: many }, { tag: 'array-decimal', val: ['1.234', undefined] }, { tag: 'array-str', val: ['hello', undefined, 'mum'] }];
    await execute('INSERT INTO lists VALUES ($1, $2, $3, $4)', ...lists);
    expect(await query('SELECT * FROM lists WHERE array_position(i4, $1) = 3', int32(3))).toEqual([lists]);
    const others = [
      str('rchar     '), { tag: 'date', val: [2525, 12, 25] }, { tag: 'time', val: [4, 5, 6, 789_000_000] }, { tag: 'datetime', val: [1989, 11, 24, 1, 2, 3, 0] },
      { tag: 'interval', val: { micros: 245n * 60_000_000n + 6_700_000n, days: 3, months: 14 } }, { tag: 'uuid', val: '12345678-1234-1234-1234-123456789abc' }, { tag: 'db-null' },
      { tag: 'range-int32', val: [[2, 'inclusive'], [41, 'exclusive']] }, { tag: 'range-int64', val: [[123456789012n, 'inclusive'], [234567890123n, 'exclusive']] }, { tag: 'range-decimal', val: [undefined, ['100', 'exclusive']] },
    ];
    expect(await query("SELECT 'rchar'::char(10), $1::date, $2::time, $3::timestamp, $4::interval, $5::uuid, $6::varchar, '(1,40]'::int4range, $7::int8range, $8::numrange", ...others.slice(1, 7), ...others.slice(8))).toEqual([others]);
    expect(await query('SELECT $1::jsonb->\'n\' = \'123\', $1::jsonb', { tag: 'jsonb', val: Buffer.from('{"s":"hello","n":123,"b":true,"x":null}') })).toMatchObject([[{ val: true }, { tag: 'jsonb' }]]);
    expect(await query('SELECT pg_backend_pid()')).toEqual([[pid]]);
    expect(await call('[method]connection.query', connection, 'SELECT nope', [])).toMatchObject({ tag: 'err', val: { tag: 'query-failed', val: { tag: 'db-error', val: { code: '42703', extras: expect.arrayContaining([['routine', 'errorMissingColumn']]) } } } });
  });

  it.each(['4.1.0', '4.2.0'])('spin:postgres/postgres@%s: a builder of connections', async (version) => {
    const call = guests.of(`spin:postgres/postgres@${version}`);
    const builder = await call('[constructor]connection-builder', server.url());
    expect(await call('[method]connection-builder.set-ca-root', builder, 'no certificate')).toMatchObject({ tag: 'err', val: { tag: 'other', val: expect.stringMatching(/^invalid root certificate: /) } });
    const connection = okOf(await call('[method]connection-builder.build', builder));
    expect(okOf(await call('[method]connection.query', connection, 'SELECT 1', [])).rows).toEqual([[int32(1)]]);
    expect(okOf(await call('[method]connection.execute', connection, 'SELECT 1', []))).toBe(1n);
    okOf(await call('[static]connection.open', server.url()));
    const elsewhere = await call('[constructor]connection-builder', 'postgres://x@elsewhere/');
    expect(await call('[method]connection-builder.build', elsewhere)).toMatchObject({ tag: 'err', val: { val: 'address postgres://elsewhere:5432 is not permitted' } });
  });

  it('spin:postgres/postgres@4.2.0: rows come as a stream, one statement after the other', async () => {
    const call = guests.of('spin:postgres/postgres@4.2.0');
    const builder = await call('[constructor]connection-builder', server.url());
    const connection = okOf(await call('[method]connection-builder.build-async', builder));
    expect(okOf(await call('[method]connection.execute-async', okOf(await call('[static]connection.open-async', server.url())), 'CREATE TABLE streamed AS SELECT generate_series(1, 20000) AS id, repeat(\'x\', 100) AS x', []))).toBe(20_000n);
    const [columns, stream, result] = okOf(await call('[method]connection.query-async', connection, 'SELECT id, x FROM streamed ORDER BY id', []));
    expect(columns).toEqual([{ name: 'id', dataType: { tag: 'int32' } }, { name: 'x', dataType: { tag: 'str' } }]);
    // the connection is at its first statement until somebody reads
    let isNextDone = false;
    const next = call('[method]connection.execute-async', connection, 'SELECT 1', []).finally(() => { isNextDone = true; });
    await new Promise((resolve) => { setTimeout(resolve, 50); });
    expect(isNextDone).toBe(false);
    const { rows, ended } = collect(stream, result);
    expect(await ended).toMatchObject({ tag: 'ok' });
    expect(okOf(await next)).toBe(1n);
    expect(rows).toHaveLength(20_000);
    expect(rows[19_999]).toEqual([int32(20_000), str('x'.repeat(100))]);
    expect(guest.memory.heldBytes).toBe(0);
  });

  it('spin:postgres/postgres@4.2.0: a stream that breaks says why in its future', async () => {
    const call = guests.of('spin:postgres/postgres@4.2.0');
    const connection = okOf(await call('[static]connection.open-async', server.url()));
    expect(await call('[method]connection.query-async', connection, 'SELECT nope', [])).toMatchObject({ tag: 'err', val: { tag: 'query-failed', val: { tag: 'db-error' } } });
    const [, stream, result] = okOf(await call('[method]connection.query-async', connection, 'SELECT 10 / (5 - i) FROM generate_series(1, 9) i', []));
    const { rows, ended } = collect(stream, result);
    expect(await ended).toMatchObject({ tag: 'err', val: { tag: 'query-failed', val: { tag: 'db-error', val: { code: '22012' } } } });
    expect(rows).toHaveLength(4);
    expect(okOf(await call('[method]connection.execute-async', connection, 'SELECT 1', []))).toBe(1n);
  });

  it('spin:postgres/postgres@4.2.0: a stream that nobody reads is held up, and ends when its reader goes', async () => {
    const call = guests.of('spin:postgres/postgres@4.2.0');
    const connection = okOf(await call('[static]connection.open-async', server.url()));
    const [, stream] = okOf(await call('[method]connection.query-async', connection, "SELECT repeat('x', 10000) FROM generate_series(1, 100000)", [])) as [unknown, Pipe];
    await new Promise((resolve) => { setTimeout(resolve, 200); });
    expect(guest.memory.heldBytes).toBeGreaterThan(0);
    expect(guest.memory.heldBytes).toBeLessThan(2 * 2 ** 20);
    stream.hostDrop();
    expect(okOf(await call('[method]connection.execute-async', connection, 'SELECT 1', []))).toBe(1n);
    expect(guest.memory.heldBytes).toBe(0);
  });

  it('was called in every function', () => {
    expect(notCalled()).toEqual([]);
  });
});
