import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { expandTemplate } from '#contract/bundle/template.js';
import { LimitTrap, Trap } from '#engine/run/host.js';
import { NO_RUNTIME_GRANT } from '#contract/runtime-grant.js';
import { Ending } from '#runtime/capability/ending.js';
import type { GuestGrant } from '#runtime/capability/guest.js';
import { HostMemory } from '#runtime/capability/host-memory.js';
import { startPostgresServer, type PostgresServer } from '../fixtures/servers/postgres.js';
import { bytes, ok, TestGuest } from './guest-state.js';

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

/** A connection of a guest, by `spin:postgres@4`. */
async function connected(grant: Partial<GuestGrant> = {}, guest = guestOf(grant), address = server.address()) {
  const call = guest.calls(V4);
  const connection = ok(await call('[static]connection.open', address));
  const query = (statement: string, ...params: unknown[]) => call('[method]connection.query', connection, statement, params);
  return {
    guest,
    query,
    value: async (statement: string, ...params: unknown[]) => ok(await query(statement, ...params)).rows[0][0].val,
    execute: (statement: string, ...params: unknown[]) => call('[method]connection.execute', connection, statement, params),
    drop: () => call('[resource-drop]connection', connection),
  };
}

const str = (val: string) => ({ tag: 'str', val });

/** Waits for what happens at the server, or in the background, a moment later. */
async function until(check: () => Promise<boolean> | boolean): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await check())) {
    if (Date.now() > end) throw new Error('it did not happen');
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
}

describe('values of spin:postgres', () => {
  it('are given as they are, for every type that the interface has', async () => {
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
      ["jsonb '{\"n\": 12345678901234567890}'", 'jsonb', Uint8Array.from(bytes('{"n": 12345678901234567890}'))],
      ['0.123456789::numeric', 'decimal', '0.123456789'],
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
    cases.forEach(([sql, tag, val], at) => expect({ sql, value: rows[0][at] }).toEqual({ sql, value: { tag, val } }));
  });

  it('come back as they were sent, with types that the server infers', async () => {
    const { query, execute } = await connected();
    const cases: [type: string, param: { tag: string; val: unknown }, back?: unknown][] = [
      ['bool', { tag: 'boolean', val: true }],
      ['int2', { tag: 'int16', val: -32768 }],
      ['int4', { tag: 'int32', val: 2147483647 }],
      ['int8', { tag: 'int64', val: -9223372036854775808n }],
      ['float4', { tag: 'floating32', val: Math.fround(0.1) }],
      ['float8', { tag: 'floating64', val: -0 }],
      ['text', { tag: 'str', val: "a'b\\c \u{1F600}" }],
      ['bytea', { tag: 'binary', val: new Uint8Array([0, 39, 92, 255]) }],
      ['date', { tag: 'date', val: [-43, 3, 15] }],
      ['date', { tag: 'date', val: [20000, 2, 29] }],
      ['time', { tag: 'time', val: [23, 59, 59, 999_999_000] }],
      ['timestamp', { tag: 'datetime', val: [1, 1, 1, 0, 0, 0, 1000] }],
      ['timestamp', { tag: 'datetime', val: [-43, 3, 15, 1, 2, 3, 0] }],
      ['timestamptz', { tag: 'datetime', val: [2024, 2, 29, 12, 0, 0, 0] }],
      ['uuid', { tag: 'uuid', val: '12345678-1234-1234-1234-123456789abc' }],
      ['jsonb', { tag: 'jsonb', val: Uint8Array.from(bytes('{"a": [1, null]}')) }],
      ['numeric', { tag: 'decimal', val: '-12345678901234567890.098765432109876543210' }],
      ['int4range', { tag: 'range-int32', val: [[-5, 'inclusive'], undefined] }],
      ['int8range', { tag: 'range-int64', val: [undefined, [5n, 'exclusive']] }],
      ['numrange', { tag: 'range-decimal', val: [['1.5', 'exclusive'], ['2.50', 'inclusive']] }],
      ['int4[]', { tag: 'array-int32', val: [1, undefined, -3] }],
      ['int8[]', { tag: 'array-int64', val: [9007199254740993n] }],
      ['numeric[]', { tag: 'array-decimal', val: ['1.10', undefined] }],
      ['text[]', { tag: 'array-str', val: ['', 'NULL', 'a"b\\c{,}', undefined] }],
      ['interval', { tag: 'interval', val: { micros: -1n, days: 400, months: -14 } }],
    ];
    ok(await execute(`CREATE TEMPORARY TABLE back (${cases.map(([type], at) => `c${at} ${type}`).join(', ')})`));
    // settings that change how the server reads and writes texts
    ok(await execute("SET DateStyle = 'SQL, DMY'"));
    ok(await execute("SET IntervalStyle = 'sql_standard'"));
    ok(await execute("SET TimeZone = 'Asia/Kathmandu'"));
    expect(await execute(`INSERT INTO back VALUES (${cases.map((_, at) => `$${at + 1}`).join(', ')})`, ...cases.map(([, param]) => param))).toBe(1n);
    const { rows } = await query('SELECT * FROM back');
    cases.forEach(([type, param], at) => expect({ type, value: rows[0][at] }).toEqual({ type, value: param }));
  });

  it('takes null for any type, and a timestamp as seconds', async () => {
    const { query, value } = await connected();
    expect(await query('SELECT $1::int4[], $2::varchar', { tag: 'db-null' }, { tag: 'db-null' })).toMatchObject({ rows: [[{ tag: 'db-null' }, { tag: 'db-null' }]] });
    expect(await value('SELECT $1::timestamptz', { tag: 'timestamp', val: -1n })).toEqual([1969, 12, 31, 23, 59, 59, 0]);
    expect(await value('SELECT array_position($1::int4[], $2)', { tag: 'array-int32', val: [4, 5, 6] }, { tag: 'int32', val: 6 })).toBe(3);
  });

  it('names types that the interface does not have, and gives their bytes', async () => {
    const { query, execute } = await connected();
    ok(await execute("CREATE TYPE pg_temp.mood AS ENUM ('sad', 'ok')"));
    expect(await query("SELECT 'ok'::pg_temp.mood AS m, point(1, 2) AS p, 'x'::name AS n")).toMatchObject({
      columns: [{ dataType: { tag: 'other', val: 'mood' } }, { dataType: { tag: 'other', val: 'point' } }, { dataType: { tag: 'other', val: 'name' } }],
      rows: [[{ tag: 'unsupported', val: new Uint8Array([111, 107]) }, { tag: 'unsupported' }, { tag: 'unsupported' }]],
    });
  });

  it('are refused before they are sent when no server would take them', async () => {
    const { query } = await connected();
    const refused = async (tag: string, val: unknown) => (await query('SELECT $1', { tag, val })).payload;
    expect(await refused('date', [2023, 2, 29])).toEqual({ tag: 'bad-parameter', val: 'invalid date y=2023, m=2, d=29' });
    expect(await refused('time', [24, 0, 0, 0])).toMatchObject({ tag: 'bad-parameter' });
    expect(await refused('uuid', 'x')).toEqual({ tag: 'bad-parameter', val: 'invalid UUID x' });
    expect(await refused('decimal', '1e5')).toEqual({ tag: 'bad-parameter', val: 'invalid decimal 1e5' });
    expect(await refused('jsonb', bytes('{'))).toEqual({ tag: 'bad-parameter', val: 'invalid JSON {' });
  });

  it('that cannot be represented fail their statement, and the session goes on', async () => {
    const { query, value } = await connected();
    expect(await query("SELECT 'infinity'::timestamp")).toMatchObject({ payload: { tag: 'query-failed', val: { tag: 'text', val: 'an infinite timestamp cannot be represented' } } });
    expect(await query("SELECT '{{1}}'::int4[]")).toMatchObject({ payload: { val: { val: 'array contains too many dimensions' } } });
    expect(await value('SELECT 1')).toBe(1);
  });
});

describe('errors of spin:postgres', () => {
  it('say what the server says, field by field', async () => {
    const { query, execute } = await connected();
    ok(await execute('CREATE TEMPORARY TABLE keyed (id int CONSTRAINT keyed_key PRIMARY KEY)'));
    ok(await execute('INSERT INTO keyed VALUES (1)'));
    const { tag, val } = (await execute('INSERT INTO keyed VALUES (1)')).payload;
    expect([tag, val.tag]).toEqual(['query-failed', 'db-error']);
    expect(val.val).toMatchObject({
      severity: 'ERROR', code: '23505', message: 'duplicate key value violates unique constraint "keyed_key"', detail: 'Key (id)=(1) already exists.',
      asText: 'db error: ERROR: duplicate key value violates unique constraint "keyed_key"\nDETAIL: Key (id)=(1) already exists.',
    });
    expect(Object.fromEntries(val.val.extras)).toMatchObject({ constraint: 'keyed_key', table: 'keyed', routine: '_bt_check_unique' });
    expect((await query('SELECT nope')).payload.val.val).toMatchObject({ code: '42703', detail: undefined });
  });

  it('leave the session as it was', async () => {
    const { query, value } = await connected();
    const pid = await value('SELECT pg_backend_pid()');
    expect(await query('SELEC')).toMatchObject({ payload: { tag: 'query-failed' } });
    expect(await query('SELECT $1::int4', str('x'))).toMatchObject({ payload: { val: { val: { code: '22P02' } } } });
    expect(await query('SELECT \0')).toMatchObject({ payload: { tag: 'query-failed', val: { tag: 'text', val: 'string contains embedded null' } } });
    expect(await query('COPY pg_class FROM STDIN')).toMatchObject({ payload: { tag: 'query-failed' } });
    expect(await query('SELECT 1; SELECT 2')).toMatchObject({ payload: { val: { val: { code: '42601' } } } });
    expect(await query('')).toEqual({ columns: [], rows: [] });
    expect(await value('SELECT pg_backend_pid()')).toBe(pid);
  });

  it('tell which connections cannot be made', async () => {
    const guest = guestOf({ allowedOutboundHosts: ['postgres://localhost:*', 'postgres://nowhere.invalid'] });
    const fails = async (address: string) => (await guest.calls(V4)('[static]connection.open', address)).payload;
    expect(await fails(server.address().replace(/password=\S+/, 'password=wrong'))).toMatchObject({ tag: 'connection-failed', val: expect.stringContaining('password authentication failed') });
    expect(await fails(server.address('nope'))).toMatchObject({ tag: 'connection-failed', val: expect.stringContaining('database "nope" does not exist') });
    expect(await fails(`${server.url()}?sslmode=require`)).toEqual({ tag: 'connection-failed', val: 'server does not support TLS' });
    expect(await fails('host=localhost port=1 user=x')).toMatchObject({ tag: 'connection-failed', val: 'the connection was refused' });
    expect(await fails('host=/var/run/postgresql user=x')).toEqual({ tag: 'connection-failed', val: 'Unix sockets are not supported on WebAssembly' });
    expect(await fails('postgres://%2Ftmp/x?user=y')).toEqual({ tag: 'connection-failed', val: 'Unix sockets are not supported on WebAssembly' });
    expect(await fails('user=x')).toEqual({ tag: 'connection-failed', val: 'invalid configuration: host missing' });
    expect(await fails('host=nowhere.invalid user=x')).toMatchObject({ tag: 'connection-failed' });
  });

  it('takes no user, password or setting from the environment of the process', async () => {
    const before = { ...process.env };
    Object.assign(process.env, { PGUSER: server.user, PGPASSWORD: server.password, PGOPTIONS: '-c work_mem=123kB', PGAPPNAME: 'platform' });
    try {
      const guest = guestOf();
      const call = guest.calls(V4);
      expect(await call('[static]connection.open', `host=localhost port=${server.port} dbname=spin_dev`)).toMatchObject({ payload: { val: 'invalid configuration: user missing' } });
      expect(await call('[static]connection.open', `host=localhost port=${server.port} user=${server.user} dbname=spin_dev`)).toMatchObject({ payload: { tag: 'connection-failed' } });
      const { value } = await connected({}, guest, `${server.url()}?application_name=own`);
      expect(await value("SELECT current_setting('work_mem') || current_setting('application_name')")).toBe('4MBown');
    } finally {
      for (const name of ['PGUSER', 'PGPASSWORD', 'PGOPTIONS', 'PGAPPNAME']) delete process.env[name];
      Object.assign(process.env, before);
    }
  });
});

describe('where spin:postgres may connect', () => {
  it('is what the manifest allows', async () => {
    const guest = guestOf({ allowedOutboundHosts: [] });
    const open = async (address: string) => (await guest.calls(V4)('[static]connection.open', address)).payload;
    expect(await open('postgres://user:pw@localhost:5432/db')).toEqual({ tag: 'connection-failed', val: 'address postgres://localhost:5432 is not permitted' });
    expect(await open('host=localhost port=7 user=x')).toEqual({ tag: 'connection-failed', val: 'address postgres://localhost:7 is not permitted' });
    expect(await open('host=localhost user=x')).toEqual({ tag: 'connection-failed', val: 'address postgres://localhost is not permitted' });
    expect(guest.notes).toContain("A component tried to make an outbound network connection to disallowed destination 'postgres://localhost:5432'.");
    expect(await guestOf({ allowedOutboundHosts: [] }).calls('fermyon:spin/postgres')('query', 'host=a user=x', 'SELECT 1', [])).toMatchObject({ payload: { tag: 'connection-failed', val: 'address postgres://a is not permitted' } });
  });

  it('may be said by a variable', async () => {
    const allowed = (host: string) => [expandTemplate(`postgres://{{ pg_host }}:${server.port}`, { pg_host: host })];
    ok(await guestOf({ allowedOutboundHosts: allowed('localhost') }).calls(V4)('[static]connection.open', server.address()));
    expect(await guestOf({ allowedOutboundHosts: allowed('elsewhere') }).calls(V4)('[static]connection.open', server.address())).toMatchObject({ payload: { tag: 'connection-failed' } });
  });

  it('counts by the scheme postgres, and by every host of an address', async () => {
    const open = async (allowedOutboundHosts: string[], address: string) => guestOf({ allowedOutboundHosts }).calls(V4)('[static]connection.open', address);
    expect(await open([`https://localhost:${server.port}`], server.url())).toMatchObject({ payload: { tag: 'connection-failed' } });
    ok(await open([`postgres://localhost:${server.port}`], server.url().replace('postgres:', 'postgresql:')));
    const two = server.url().replace('localhost', '127.0.0.1:1,localhost');
    expect(await open([`postgres://localhost:${server.port}`], two)).toMatchObject({ payload: { val: 'address postgres://127.0.0.1:1 is not permitted' } });
    ok(await open([`postgres://localhost:${server.port}`, 'postgres://127.0.0.1:*'], two));
  });

  it('does not reach private addresses unless the operator lets it', async () => {
    expect(await guestOf({ allowPrivateHosts: false }).calls(V4)('[static]connection.open', server.url())).toMatchObject({ payload: { tag: 'connection-failed', val: 'the platform does not allow connections to the address' } });
  });

  it('chooses among hosts the one that can be written to, when that is asked for', async () => {
    ok(await guestOf().calls(V4)('[static]connection.open', `${server.url()}?target_session_attrs=read-write`));
    expect(await guestOf().calls(V4)('[static]connection.open', `${server.url()}?target_session_attrs=read-only`)).toMatchObject({ payload: { val: 'the server is not read-only' } });
  });

  it('is asked again when an instance keeps a connection for its next request', async () => {
    const allowed = [`*://localhost:${server.port}`];
    const guest = guestOf({ allowedOutboundHosts: allowed });
    const { value, query } = await connected({}, guest);
    guest.next();
    expect(await value('SELECT 1')).toBe(1);
    guest.next();
    Object.assign(guest.grant, { allowedOutboundHosts: [] });
    expect(await query('SELECT 1')).toMatchObject({ payload: { tag: 'connection-failed' } });
  });
});

describe('sessions of spin:postgres', () => {
  const PID = 'SELECT pg_backend_pid()';

  it('last as long as the connection', async () => {
    const { value, execute } = await connected();
    const pid = await value(PID);
    ok(await execute('BEGIN'));
    ok(await execute("SET LOCAL application_name = 'mine'"));
    expect(await value("SELECT current_setting('application_name')")).toBe('mine');
    expect(await value(PID)).toBe(pid);
  });

  it('go to the next guest of the app as if new', async () => {
    const app = { org: 'clean', app: 'one' };
    const first = await connected(app);
    const pid = await first.value(PID);
    ok(await first.execute('CREATE TABLE IF NOT EXISTS kept (id int)'));
    for (const statement of ["SET application_name = 'left'", 'CREATE TEMPORARY TABLE left_over (id int)', 'SELECT pg_advisory_lock(7)', "PREPARE left_over AS SELECT 1", 'LISTEN left_over', 'BEGIN', 'INSERT INTO kept VALUES (1)']) ok(await first.execute(statement));
    first.guest.dispose();
    const observer = await connected({ org: 'clean', app: 'observer' });
    await until(async () => (await observer.value('SELECT count(*) FROM pg_stat_activity WHERE pid = $1::text::int4 AND state = $2', str(String(pid)), str('idle'))) === 1n);
    const second = await connected(app);
    expect(await second.value(PID)).toBe(pid);
    expect(await second.value("SELECT current_setting('application_name')")).toBe('');
    expect(await second.value("SELECT to_regclass('left_over')::text")).toBeUndefined();
    expect(await second.value('SELECT count(*) FROM kept')).toBe(0n);
    expect(await second.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")).toBe(0n);
    expect(await second.value('SELECT count(*) FROM pg_prepared_statements')).toBe(0n);
    expect(await second.value('SELECT count(*) FROM pg_listening_channels()')).toBe(0n);
  });

  it('are never those of another app, of another org, or of a guest that still has its own', async () => {
    const first = await connected({ org: 'a', app: 'x' });
    const pid = await first.value(PID);
    const pids = [pid];
    pids.push(await (await connected({ org: 'a', app: 'x' })).value(PID));
    first.guest.dispose();
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    for (const grant of [{ org: 'a', app: 'y' }, { org: 'b', app: 'x' }]) pids.push(await (await connected(grant)).value(PID));
    expect(new Set(pids).size).toBe(4);
    expect(await (await connected({ org: 'a', app: 'x' })).value(PID)).toBe(pid);
  });

  it('go back when the guest drops its connection, and after each call of the interface with addresses', async () => {
    const guest = guestOf({ org: 'back', app: 'x' });
    const v1 = guest.calls('fermyon:spin/postgres');
    const pids = new Set<number>();
    for (let i = 0; i < 3; i++) {
      pids.add(ok(await v1('query', server.address(), PID, [])).rows[0][0].val);
      await new Promise((resolve) => { setTimeout(resolve, 100); });
    }
    expect(pids.size).toBe(1);
    const { value, drop } = await connected({}, guest);
    expect(pids).toContain(await value(PID));
    drop();
  });

  it('are as many as the operator lets the app have; more wait', async () => {
    const grant = { org: 'few', app: 'x', runtime: { ...NO_RUNTIME_GRANT, outboundPg: { maxConnections: 1 } } };
    const first = await connected(grant);
    let isOpen = false;
    const second = connected(grant).then((it) => { isOpen = true; return it; });
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    expect(isOpen).toBe(false);
    first.drop();
    expect(await (await second).value('SELECT 1')).toBe(1);
  });

  it('are shared by the requests of one instance that use a connection at a time, until the last of them is over', async () => {
    const { guest, value, query } = await connected({ org: 'shared', app: 'x' });
    const pid = await value(PID);
    const first = guest.invocation;
    // the next request begins while the first one has not ended
    const ending = new Ending();
    guest.invocation = { ...first, ending };
    expect(await value(PID)).toBe(pid);
    const sleep = query('SELECT pg_sleep(0.3), 1');
    (first.ending as Ending).end();
    expect(ok(await sleep).rows).toHaveLength(1);
    expect(await value(PID)).toBe(pid);
    ending.end();
    guest.next();
    expect(await (await connected({ org: 'shared', app: 'y' })).value('SELECT count(*) FROM pg_stat_activity WHERE pid = $1::text::int4', str(String(pid)))).toBe(1n);
  });

  it('that the server ended are told to the guest, and replaced', async () => {
    const app = { org: 'gone', app: 'x' };
    const first = await connected(app);
    const pid = await first.value(PID);
    const other = await connected({ org: 'gone', app: 'y' });
    await other.value('SELECT pg_terminate_backend($1::text::int4)', str(String(pid)));
    await until(async () => (await first.query(PID)).rows !== undefined);
    expect(await first.value(PID)).not.toBe(pid);
  });
});

describe('limits of spin:postgres', () => {
  it('ends a statement at the server when the invocation ends', async () => {
    const { guest, query } = await connected();
    const observer = await connected({ app: 'observer' });
    const running = () => observer.value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%' AND state = 'active'");
    const sleep = query('SELECT pg_sleep(600)').catch((error: unknown) => error);
    await until(async () => (await running()) === 1n);
    guest.hangUp();
    expect(await sleep).toBeInstanceOf(Trap);
    await until(async () => (await running()) === 0n);
  });

  it('fails a result that is too large while it comes, and goes on with the session', async () => {
    const { guest, query, value } = await connected();
    guest.memory = new HostMemory(Infinity);
    const pid = await value('SELECT pg_backend_pid()');
    expect(await query("SELECT repeat('x', 1000000) FROM generate_series(1, 1000000)")).toMatchObject({ payload: { tag: 'query-failed', val: { tag: 'text', val: 'query result exceeds limit of 134217728 bytes' } } });
    expect(guest.memory.heldBytes).toBe(0);
    expect(await value('SELECT pg_backend_pid()')).toBe(pid);
    // one row that is too large is not even read
    expect(await query("SELECT repeat('x', 90000000), repeat('x', 90000000)")).toMatchObject({ payload: { tag: 'query-failed', val: { val: 'query result exceeds limit of 134217728 bytes' } } });
  });

  it('counts what it holds for the invocation', async () => {
    const { guest, query } = await connected();
    guest.memory = new HostMemory(1_000_000);
    await expect(query("SELECT repeat('x', 100000) FROM generate_series(1, 20)")).rejects.toBeInstanceOf(LimitTrap);
  });
});
