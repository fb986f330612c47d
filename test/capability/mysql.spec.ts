import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { expandTemplate } from '#contract/bundle/template.js';
import { LimitTrap, Trap } from '#engine/run/host.js';
import { NO_RUNTIME_GRANT } from '#contract/runtime-grant.js';
import type { GuestGrant } from '#runtime/capability/guest.js';
import { HostMemory } from '#runtime/capability/host-memory.js';
import { hasMariadb, startMariadb, type MariadbServer } from '../fixtures/servers/mariadb.js';
import { ok, TestGuest } from './guest-state.js';

const suite = hasMariadb ? describe : describe.skip;
const title = (text: string) => `${text}${hasMariadb ? '' : ' (left out: mariadbd is not installed)'}`;

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

const V2 = 'fermyon:spin/mysql@2.0.0';

/** A connection of a guest, by `fermyon:spin/mysql@2.0.0`. */
async function connected(grant: Partial<GuestGrant> = {}, guest = guestOf(grant), url = server.url()) {
  const call = guest.calls(V2);
  const connection = ok(await call('[static]connection.open', url));
  const query = (statement: string, ...params: unknown[]) => call('[method]connection.query', connection, statement, params);
  return {
    guest,
    query,
    value: async (statement: string, ...params: unknown[]) => ok(await query(statement, ...params)).rows[0][0].val,
    execute: (statement: string, ...params: unknown[]) => call('[method]connection.execute', connection, statement, params),
    drop: () => call('[resource-drop]connection', connection),
  };
}

/** Waits for what happens at the server, or in the background, a moment later. */
async function until(check: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await check())) {
    if (Date.now() > end) throw new Error('it did not happen');
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
}

suite(title('values of spin:mysql'), () => {
  it('are given as they are, for every type that the interface has', async () => {
    const { query, execute } = await connected();
    expect(await execute(`CREATE TEMPORARY TABLE t (
      t tinyint, tu tinyint unsigned, b boolean, s smallint, su smallint unsigned, m mediumint, mu mediumint unsigned, i int, iu int unsigned, l bigint, lu bigint unsigned,
      f float, d double, v varchar(20), c char(4), x text, lt longtext, vb varbinary(4), bi binary(4), bl blob, e enum('a', 'b'), n int)`)).toBeUndefined();
    ok(await execute(`INSERT INTO t VALUES (-128, 255, true, -32768, 65535, -8388608, 16777215, -2147483648, 4294967295, -9223372036854775808, 18446744073709551615,
      7.8, 9.1, 'grüße \u{1F600}', 'ab', 'text', 'long', x'00ff', x'01', x'0080', 'b', NULL)`));
    const { columns, rows } = await query('SELECT * FROM t');
    const expected: [name: string, type: string, val: unknown][] = [
      ['t', 'int8', -128], ['tu', 'uint8', 255], ['b', 'int8', 1], ['s', 'int16', -32768], ['su', 'uint16', 65535], ['m', 'int32', -8388608], ['mu', 'uint32', 16777215],
      ['i', 'int32', -2147483648], ['iu', 'uint32', 4294967295], ['l', 'int64', -9223372036854775808n], ['lu', 'uint64', 18446744073709551615n],
      ['f', 'floating32', Math.fround(7.8)], ['d', 'floating64', 9.1], ['v', 'str', 'grüße \u{1F600}'], ['c', 'str', 'ab'], ['x', 'str', 'text'], ['lt', 'str', 'long'],
      ['vb', 'binary', new Uint8Array([0, 255])], ['bi', 'binary', new Uint8Array([1, 0, 0, 0])], ['bl', 'binary', new Uint8Array([0, 128])], ['e', 'str', 'b'], ['n', 'int32', undefined],
    ];
    expect(columns).toEqual(expected.map(([name, dataType]) => ({ name, dataType })));
    expected.forEach(([name, tag, val], at) => expect({ name, value: rows[0][at] }).toEqual({ name, value: val === undefined ? { tag: 'db-null', val } : { tag, val } }));
  });

  it('that the interface has no type for fail their statement, as in Spin, unless they are null', async () => {
    const { query } = await connected();
    expect(await query('SELECT 1.50 AS d')).toMatchObject({ payload: { tag: 'value-conversion-failed', val: 'Cannot convert value Bytes("1.50") in column d data type DbDataType::Other' } });
    expect(await query('SELECT CAST(? AS DATETIME)', { tag: 'str', val: '2024-02-29 01:02:03' })).toMatchObject({ payload: { tag: 'value-conversion-failed' } });
    expect(await query('SELECT CAST(NULL AS DATE), NULL')).toMatchObject({ columns: [{ dataType: 'other' }, { dataType: 'other' }], rows: [[{ tag: 'db-null' }, { tag: 'db-null' }]] });
    expect(await query('SELECT 1')).toMatchObject({ rows: [[{ val: 1 }]] });
  });

  it('are sent with the types that the guest gave them', async () => {
    const { query, execute } = await connected();
    const params = [
      { tag: 'int64', val: 9007199254740993n }, { tag: 'uint64', val: 18446744073709551615n }, { tag: 'int8', val: -1 }, { tag: 'uint32', val: 4294967295 }, { tag: 'str', val: "ж'\\\u{1F600}" },
      { tag: 'binary', val: new Uint8Array([0, 255]) }, { tag: 'floating64', val: 0.1 }, { tag: 'floating32', val: Math.fround(0.1) }, { tag: 'boolean', val: true }, { tag: 'db-null', val: undefined },
    ];
    ok(await execute('CREATE TEMPORARY TABLE p (l bigint, lu bigint unsigned, t tinyint, iu int unsigned, v varchar(9), vb varbinary(9), d double, f float, b boolean, n int)'));
    ok(await execute(`INSERT INTO p VALUES (${params.map(() => '?').join(', ')})`, ...params));
    expect((await query('SELECT * FROM p')).rows[0].map(({ val }: { val: unknown }) => val)).toEqual([...params.slice(0, 8).map(({ val }) => val), 1, undefined]);
    expect((await query('SELECT 1 UNION SELECT 2 LIMIT ?', { tag: 'int32', val: 1 })).rows).toHaveLength(1);
  });
});

suite(title('errors of spin:mysql'), () => {
  it('say what the server says, and leave the session as it was', async () => {
    const { query, execute, value } = await connected();
    const id = await value('SELECT CONNECTION_ID()');
    expect(await query('SELECT nope')).toMatchObject({ payload: { tag: 'query-failed', val: "ERROR 42S22 (1054): Unknown column 'nope' in 'SELECT'" } });
    expect(await query('SELEC')).toMatchObject({ payload: { tag: 'query-failed' } });
    expect(await query('SELECT 1; SELECT 2')).toMatchObject({ payload: { tag: 'query-failed' } });
    expect(await query('SELECT ?')).toMatchObject({ payload: { tag: 'query-failed', val: 'Statement takes 1 parameters but 0 was supplied.' } });
    expect(await execute("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE x")).toMatchObject({ payload: { tag: 'query-failed' } });
    expect(await query('DO 1')).toEqual({ columns: [], rows: [] });
    expect(await value('SELECT CONNECTION_ID()')).toBe(id);
  });

  it('tell which connections cannot be made', async () => {
    const guest = guestOf({ allowedOutboundHosts: ['mysql://*:*'] });
    const fails = async (address: string) => (await guest.calls(V2)('[static]connection.open', address)).payload;
    expect(await fails(server.url().replace('spin%20pw', 'wrong'))).toMatchObject({ tag: 'connection-failed', val: expect.stringContaining("ERROR 28000 (1045): Access denied for user 'spin'") });
    expect(await fails(server.url('nope'))).toMatchObject({ tag: 'connection-failed' });
    expect(await fails('mysql://localhost:1')).toEqual({ tag: 'connection-failed', val: 'the connection was refused' });
    expect(await fails(`${server.url()}?ssl-mode=required`)).toMatchObject({ tag: 'connection-failed' });
    expect(await fails('mysql://localhost/?socket=/run/mysqld/mysqld.sock')).toEqual({ tag: 'connection-failed', val: 'Unknown URL connection parameter `socket`' });
  });
});

suite(title('where spin:mysql may connect'), () => {
  it('is what the manifest allows', async () => {
    const guest = guestOf({ allowedOutboundHosts: ['http://localhost:3306'] });
    const address = 'mysql://user:pw@localhost:3306/db?ssl-mode=disabled';
    for (const iface of [V2, 'spin:mysql/mysql@3.0.0']) expect(await guest.calls(iface)('[static]connection.open', address)).toMatchObject({ payload: { tag: 'connection-failed', val: `address ${address} is not permitted` } });
    expect(await guest.calls('fermyon:spin/mysql')('execute', address, 'SELECT 1', [])).toMatchObject({ payload: { tag: 'connection-failed', val: `address ${address} is not permitted` } });
    expect(guest.notes).toContain("A component tried to make an outbound network connection to disallowed destination 'mysql://localhost:3306'.");
    ok(await guestOf({ allowedOutboundHosts: ['*://localhost:*'] }).calls(V2)('[static]connection.open', server.url()));
  });

  it('may be said by a variable', async () => {
    const allowed = (host: string) => [expandTemplate(`mysql://{{ db_host }}:${server.port}`, { db_host: host })];
    ok(await guestOf({ allowedOutboundHosts: allowed('localhost') }).calls(V2)('[static]connection.open', server.url()));
    expect(await guestOf({ allowedOutboundHosts: allowed('elsewhere') }).calls(V2)('[static]connection.open', server.url())).toMatchObject({ payload: { tag: 'connection-failed' } });
  });

  it('does not reach private addresses unless the operator lets it', async () => {
    expect(await guestOf({ allowPrivateHosts: false }).calls(V2)('[static]connection.open', server.url())).toMatchObject({ payload: { val: 'the platform does not allow connections to the address' } });
  });
});

suite(title('sessions of spin:mysql'), () => {
  const ID = 'SELECT CONNECTION_ID()';

  it('go to the next guest of the app as if new', async () => {
    const app = { org: 'clean', app: 'one' };
    await server.query('CREATE DATABASE IF NOT EXISTS other');
    await server.query("GRANT ALL ON other.* TO 'spin'@'%'");
    const first = await connected(app);
    const id = await first.value(ID);
    await first.execute('CREATE TABLE IF NOT EXISTS kept (id int)');
    for (const statement of ["SET @left = 'over'", "SET SESSION sql_mode = 'ANSI'", 'SET NAMES latin1', 'CREATE TEMPORARY TABLE left_over (id int)', "DO GET_LOCK('left', 0)", 'USE other', 'BEGIN', 'INSERT INTO spin_dev.kept VALUES (1)']) {
      expect([statement, await first.execute(statement)]).toEqual([statement, undefined]);
    }
    first.guest.dispose();
    const second = await (async () => {
      for (;;) {
        const next = await connected(app);
        if ((await next.value(ID)) === id) return next;
        await new Promise((resolve) => { setTimeout(resolve, 10); });
      }
    })();
    expect(await second.value('SELECT @left')).toBeUndefined();
    expect(await second.value('SELECT @@sql_mode')).not.toContain('ANSI');
    expect(await second.value('SELECT @@character_set_client')).toBe('utf8mb4');
    expect(await second.value('SELECT DATABASE()')).toBe('spin_dev');
    expect(await second.query('SELECT * FROM left_over')).toMatchObject({ payload: { tag: 'query-failed' } });
    expect(await second.value("SELECT IS_USED_LOCK('left')")).toBeUndefined();
    expect(await second.value('SELECT count(*) FROM kept')).toBe(0n);
    expect(await second.value("SELECT 'ж'")).toBe('ж');
  });

  it('are never those of another app or org', async () => {
    const first = await connected({ org: 'a', app: 'x' });
    const ids = [await first.value(ID)];
    first.guest.dispose();
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    for (const grant of [{ org: 'a', app: 'y' }, { org: 'b', app: 'x' }]) ids.push(await (await connected(grant)).value(ID));
    expect(new Set(ids).size).toBe(3);
    expect(await (await connected({ org: 'a', app: 'x' })).value(ID)).toBe(ids[0]);
  });

  it('are as many as the operator lets the app have; more wait', async () => {
    const grant = { org: 'few', app: 'x', runtime: { ...NO_RUNTIME_GRANT, outboundMysql: { maxConnections: 1 } } };
    const first = await connected(grant);
    let isOpen = false;
    const second = connected(grant).then((it) => { isOpen = true; return it; });
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    expect(isOpen).toBe(false);
    first.drop();
    expect(await (await second).value('SELECT 1')).toBe(1);
  });

  it('that the server ended are replaced', async () => {
    const first = await connected({ app: 'gone' });
    const id = await first.value(ID);
    await server.query(`KILL ${id}`);
    await until(async () => (await first.query(ID)).rows !== undefined);
    expect(await first.value(ID)).not.toBe(id);
  });
});

suite(title('limits of spin:mysql'), () => {
  it('ends a statement at the server when the invocation ends', async () => {
    const { guest, query } = await connected();
    const running = async () => ((await server.query("SELECT count(*) AS n FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'")) as { n: number }[])[0]!.n;
    const sleep = query('SELECT SLEEP(600)').catch((error: unknown) => error);
    await until(async () => (await running()) === 1);
    guest.hangUp();
    expect(await sleep).toBeInstanceOf(Trap);
    await until(async () => (await running()) === 0);
  });

  it('fails a result that is too large while it comes, and goes on', async () => {
    const { guest, query, value } = await connected();
    guest.memory = new HostMemory(Infinity);
    expect(await query("SELECT REPEAT('x', 1000000) FROM seq_1_to_1000000")).toMatchObject({ payload: { tag: 'other', val: 'query result exceeds limit of 134217728 bytes' } });
    expect(guest.memory.heldBytes).toBe(0);
    expect(await value('SELECT 1')).toBe(1);
  });

  it('counts what it holds for the invocation', async () => {
    const { guest, query } = await connected();
    guest.memory = new HostMemory(1_000_000);
    await expect(query("SELECT REPEAT('x', 100000) FROM seq_1_to_20")).rejects.toBeInstanceOf(LimitTrap);
  });
});
