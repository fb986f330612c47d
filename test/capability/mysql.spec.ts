import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Err } from '#engine/run/host.js';
import type { GuestGrant } from '#runtime/capability/guest.js';
import { hasMariadb, startMariadb, type MariadbServer } from '../fixtures/servers/mariadb.js';
import { TestGuest } from './guest-state.js';

const suite = hasMariadb ? describe : describe.skip;
let server: MariadbServer;
beforeAll(async () => {
  if (hasMariadb) server = (await startMariadb())!;
});
afterAll(() => server?.stop());

const guests: TestGuest[] = [];
afterEach(() => guests.splice(0).forEach((guest) => guest.dispose()));

function guestOf(grant: Partial<GuestGrant> = {}): TestGuest {
  const guest = new TestGuest({ allowedOutboundHosts: [`mysql://localhost:${server.port}`], ...grant });
  guests.push(guest);
  return guest;
}

/** A connection of a new guest, by `fermyon:spin/mysql@2.0.0`. */
async function connected(grant: Partial<GuestGrant> = {}) {
  const guest = guestOf(grant);
  const call = guest.calls('fermyon:spin/mysql@2.0.0');
  const connection = await call('[static]connection.open', server.url());
  expect(connection).not.toBeInstanceOf(Err);
  return {
    guest,
    connection,
    query: (statement: string, ...params: unknown[]) => call('[method]connection.query', connection, statement, params),
    execute: (statement: string, ...params: unknown[]) => call('[method]connection.execute', connection, statement, params),
    drop: () => call('[resource-drop]connection', connection),
  };
}

suite(`spin:mysql${hasMariadb ? '' : ' (left out: mariadbd is not installed)'}`, () => {
  it('gives every type that the interface has as it is', async () => {
    const { query, execute } = await connected();
    expect(await execute(`CREATE TEMPORARY TABLE t (
      t tinyint, tu tinyint unsigned, b boolean, s smallint, su smallint unsigned, m mediumint, mu mediumint unsigned, i int, iu int unsigned, l bigint, lu bigint unsigned,
      f float, d double, v varchar(20), c char(4), x text, lt longtext, vb varbinary(4), bi binary(4), bl blob, n int)`)).toBeUndefined();
    await execute(`INSERT INTO t VALUES (-128, 255, true, -32768, 65535, -8388608, 16777215, -2147483648, 4294967295, -9223372036854775808, 18446744073709551615,
      7.8, 9.1, 'grüße', 'ab', 'text', 'long', x'00ff', x'01', x'0080', NULL)`);
    const { columns, rows } = await query('SELECT * FROM t');
    const expected: [name: string, type: string, val: unknown][] = [
      ['t', 'int8', -128], ['tu', 'uint8', 255], ['b', 'int8', 1], ['s', 'int16', -32768], ['su', 'uint16', 65535], ['m', 'int32', -8388608], ['mu', 'uint32', 16777215],
      ['i', 'int32', -2147483648], ['iu', 'uint32', 4294967295], ['l', 'int64', -9223372036854775808n], ['lu', 'uint64', 18446744073709551615n],
      ['f', 'floating32', Math.fround(7.8)], ['d', 'floating64', 9.1], ['v', 'str', 'grüße'], ['c', 'str', 'ab'], ['x', 'str', 'text'], ['lt', 'str', 'long'],
      ['vb', 'binary', new Uint8Array([0, 255])], ['bi', 'binary', new Uint8Array([1, 0, 0, 0])], ['bl', 'binary', new Uint8Array([0, 128])], ['n', 'int32', undefined],
    ];
    expect(columns).toEqual(expected.map(([name, dataType]) => ({ name, dataType })));
    expected.forEach(([name, tag, val], at) => expect({ name, value: rows[0][at] }).toEqual({ name, value: val === undefined ? { tag: 'db-null', val } : { tag, val } }));
  });

  it('takes parameters with the types that the guest gave them', async () => {
    const { query } = await connected();
    const { rows } = await query('SELECT ? + 0, ?, ?, ?, ?, ?, ?', { tag: 'int64', val: 9007199254740993n }, { tag: 'uint64', val: 18446744073709551615n }, { tag: 'str', val: 'ж' },
      { tag: 'binary', val: new Uint8Array([1, 2]) }, { tag: 'floating64', val: 0.1 }, { tag: 'boolean', val: true }, { tag: 'db-null' });
    expect(rows[0].map(({ val }: { val: unknown }) => val)).toEqual([9007199254740993n, 18446744073709551615n, 'ж', new Uint8Array([1, 2]), 0.1, expect.anything(), undefined]);
    expect((await query('SELECT 1 UNION SELECT 2 LIMIT ?', { tag: 'int32', val: 1 })).rows).toHaveLength(1);
  });
});
