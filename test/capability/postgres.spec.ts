import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Err } from '#engine/run/host.js';
import type { GuestGrant } from '#runtime/capability/guest.js';
import { startPostgresServer, type PostgresServer } from '../fixtures/servers/postgres.js';
import { bytes, TestGuest } from './guest-state.js';

let server: PostgresServer;
beforeAll(async () => { server = await startPostgresServer(); });
afterAll(() => server.stop());

const guests: TestGuest[] = [];
afterEach(() => guests.splice(0).forEach((guest) => guest.dispose()));

function guestOf(grant: Partial<GuestGrant> = {}): TestGuest {
  const guest = new TestGuest({ allowedOutboundHosts: [`*://localhost:${server.port}`], ...grant });
  guests.push(guest);
  return guest;
}

const V4 = 'spin:postgres/postgres@4.0.0';

/** A connection of a new guest, by `spin:postgres@4`. */
async function connected(grant: Partial<GuestGrant> = {}) {
  const guest = guestOf(grant);
  const call = guest.calls(V4);
  const connection = await call('[static]connection.open', server.address());
  expect(connection).not.toBeInstanceOf(Err);
  return {
    guest,
    query: (statement: string, ...params: unknown[]) => call('[method]connection.query', connection, statement, params),
    execute: (statement: string, ...params: unknown[]) => call('[method]connection.execute', connection, statement, params),
    drop: () => call('[resource-drop]connection', connection),
  };
}

describe('spin:postgres', () => {
  it('gives every type that the interface has as it is', async () => {
    const { query } = await connected();
    const cases: [sql: string, type: string, val: unknown][] = [
      ['true', 'boolean', true],
      ['1::int2', 'int16', 1],
      ['-2::int4', 'int32', -2],
      ['9007199254740993::int8', 'int64', 9007199254740993n],
      ['7.8::float4', 'floating32', Math.fround(7.8)],
      ["'-Infinity'::float8", 'floating64', -Infinity],
      ["'grüße'::text", 'str', 'grüße'],
      ["'v'::varchar(10)", 'str', 'v'],
      ["'rchar'::char(10)", 'str', 'rchar     '],
      ["'\\x00ff80'::bytea", 'binary', new Uint8Array([0, 255, 128])],
      ["date '2525-12-25'", 'date', [2525, 12, 25]],
      ["date '0044-03-15 BC'", 'date', [-43, 3, 15]],
      ["time '04:05:06.789'", 'time', [4, 5, 6, 789_000_000]],
      ["timestamp '1989-11-24 01:02:03'", 'datetime', [1989, 11, 24, 1, 2, 3, 0]],
      ["timestamp '1969-12-31 23:59:59.999999'", 'datetime', [1969, 12, 31, 23, 59, 59, 999_999_000]],
      ["timestamptz '2000-01-01 02:00:00+02'", 'datetime', [2000, 1, 1, 0, 0, 0, 0]],
      ["interval 'P1Y2M3DT4H5M6.7S'", 'interval', { micros: 14_706_700_000n, days: 3, months: 14 }],
      ["uuid '12345678-1234-1234-1234-123456789abc'", 'uuid', '12345678-1234-1234-1234-123456789abc'],
      ["jsonb '{\"n\": 12345678901234567890}'", 'jsonb', bytes('{"n": 12345678901234567890}')],
      ['0.123456789::numeric', 'decimal', '0.123456789'],
      ['-120300.4500::numeric', 'decimal', '-120300.4500'],
      ['1e20::numeric', 'decimal', '100000000000000000000'],
      ["'NaN'::numeric", 'decimal', 'NaN'],
      ["'(1,40]'::int4range", 'range-int32', [[2, 'inclusive'], [41, 'exclusive']]],
      ["'[123456789012,234567890123)'::int8range", 'range-int64', [[123456789012n, 'inclusive'], [234567890123n, 'exclusive']]],
      ["'(,100)'::numrange", 'range-decimal', [undefined, ['100', 'exclusive']]],
      ["'empty'::int4range", 'range-int32', [undefined, undefined]],
      ["'{1,NULL,3}'::int4[]", 'array-int32', [1, undefined, 3]],
      ["'{}'::int8[]", 'array-int64', []],
      ["'{1.234,2.345}'::numeric[]", 'array-decimal', ['1.234', '2.345']],
      ["'{hello,NULL,\"a,\\\"b\"}'::text[]", 'array-str', ['hello', undefined, 'a,"b']],
    ];
    const { columns, rows } = await query(`SELECT ${cases.map(([sql], at) => `${sql} AS c${at}`).join(', ')}`);
    expect(columns).toEqual(cases.map(([, type], at) => ({ name: `c${at}`, dataType: { tag: type, val: undefined } })));
    expect(rows).toHaveLength(1);
    cases.forEach(([sql, type, val], at) => expect({ sql, value: rows[0][at] }).toEqual({ sql, value: { tag: type, val: type === 'binary' || type === 'jsonb' ? Uint8Array.from(val as Uint8Array) : val } }));
  });
});
