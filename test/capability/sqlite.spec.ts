import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { Err, LimitTrap } from '#engine/run/host.js';
import { NO_GUEST_SETTINGS } from '#runtime/capability/guest-settings.js';
import type { GuestGrant, Invocation } from '#runtime/capability/guest.js';
import type { WitValue } from '#runtime/capability/sqlite/guest-connections.js';
import { openSqliteDatabase } from '#runtime/capability/sqlite/open.js';
import { closeShortReads } from '#runtime/capability/sqlite/short-reads.js';
import { closeSqlProcesses, sqlProcessCount } from '#runtime/capability/sqlite/sql-processes.js';
import { NO_RUNTIME_GRANT } from '#contract/runtime-grant.js';
import { bytes, ok, TestGuest } from './guest-state.js';

const IFACE = 'fermyon:spin/sqlite@2.0.0';
const ENDLESS = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c';
const guests: TestGuest[] = [];

function guestWith(grant: Partial<GuestGrant> = {}, invocation: Partial<Invocation> = {}): TestGuest {
  const guest = new TestGuest({ sqliteDatabases: ['default'], ...grant }, invocation);
  guests.push(guest);
  return guest;
}

afterEach(() => guests.splice(0).forEach((guest) => guest.dispose()));
afterAll(() => {
  closeShortReads();
  closeSqlProcesses();
});

const integer = (value: number): WitValue => ({ tag: 'integer', val: BigInt(value) });
const textValue = (value: string): WitValue => ({ tag: 'text', val: value });

/** A database of the guest as a function of SQL. */
function connect(guest: TestGuest, label = 'default') {
  const connection = ok(guest.calls(IFACE)('[static]connection.open', label));
  const run = (sql: string, ...params: WitValue[]): Promise<{ columns: string[]; rows: { values: WitValue[] }[] } | Err> =>
    Promise.resolve(guest.calls(IFACE)('[method]connection.execute', connection, sql, params));
  const rows = async (sql: string, ...params: WitValue[]) => ok(await run(sql, ...params) as never as { rows: { values: { val?: unknown }[] }[] }).rows.map(({ values }) => values.map(({ val }) => val ?? null));
  const fault = async (sql: string, ...params: WitValue[]) => ((await run(sql, ...params)) as Err<{ tag: string; val?: string }>).payload;
  return { connection, run, rows, fault, drop: () => guest.calls(IFACE)('[resource-drop]connection', connection) };
}

describe('fermyon:spin/sqlite', () => {
  it('opens what the manifest grants and the platform has', () => {
    const open = guestWith({ sqliteDatabases: ['default', 'other'] }).calls(IFACE);
    expect(open('[static]connection.open', 'forbidden')).toEqual(new Err({ tag: 'access-denied' }));
    expect(open('[static]connection.open', '../../etc')).toEqual(new Err({ tag: 'access-denied' }));
    expect(open('[static]connection.open', 'other')).toEqual(new Err({ tag: 'no-such-database' }));
    ok(open('[static]connection.open', 'default'));
    expect(guestWith({ sqliteDatabases: [] }).calls(IFACE)('[static]connection.open', 'default')).toEqual(new Err({ tag: 'access-denied' }));
  });

  it('runs the statements of Spin\'s conformance test on an empty database', async () => {
    const { run, rows } = connect(guestWith());
    expect(await run('CREATE TABLE IF NOT EXISTS test_data(key TEXT NOT NULL, value TEXT NOT NULL);')).toEqual({ columns: [], rows: [] });
    expect(await run('INSERT INTO test_data(key, value) VALUES(\'my_key\', \'my_value\');')).toEqual({ columns: [], rows: [] });
    expect(await run('SELECT key, value FROM test_data WHERE key = ?', textValue('my_key')))
      .toEqual({ columns: ['key', 'value'], rows: [{ values: [textValue('my_key'), textValue('my_value')] }] });
    expect(await rows('SELECT count(*) FROM test_data')).toEqual([[1n]]);
  });

  it.each(['on the thread', 'in the process'])('keeps every kind of value as it is, %s', async (where) => {
    const { run } = connect(guestWith());
    const values: WitValue[] = [
      { tag: 'integer', val: 9223372036854775807n }, { tag: 'integer', val: -1n }, { tag: 'real', val: 3 }, { tag: 'real', val: -0.5 }, textValue('ключ \0 end'), textValue(''),
      { tag: 'blob', val: bytes('\0\xff') }, { tag: 'blob', val: new Uint8Array(0) }, { tag: 'null' },
    ];
    await run('CREATE TABLE t (id INTEGER PRIMARY KEY)');
    if (where === 'in the process') await run('BEGIN');
    const result = ok(await run(`SELECT ${values.map((_, i) => `? AS v${i}`).join(', ')}`, ...values) as { columns: string[]; rows: { values: WitValue[] }[] });
    expect(result.columns).toEqual(values.map((_, i) => `v${i}`));
    expect(result.rows[0]!.values.map((value) => (value.tag === 'blob' ? { tag: 'blob', val: Uint8Array.from(value.val) } : value)))
      .toEqual(values.map((value) => (value.tag === 'blob' ? { tag: 'blob', val: Uint8Array.from(value.val) } : value)));
  });

  it('answers a look-up of a row on the thread, and sees what was written before', async () => {
    const { run, connection } = connect(guestWith());
    await run('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE)');
    await run('INSERT INTO t VALUES (1, \'one\')');
    const read = () => guests[0]!.calls(IFACE)('[method]connection.execute', connection, 'SELECT name FROM t WHERE id = ?', [integer(1)]);
    expect(read()).toEqual({ columns: ['name'], rows: [{ values: [textValue('one')] }] });
    await run('UPDATE t SET name = \'two\'');
    expect(read()).toEqual({ columns: ['name'], rows: [{ values: [textValue('two')] }] });
    await run('ALTER TABLE t RENAME COLUMN name TO title');
    expect(await read()).toEqual(new Err({ tag: 'io', val: 'no such column: name' }));
  });

  it('lets no statement overtake another of its connection', async () => {
    const guest = guestWith();
    const { run, connection } = connect(guest);
    await run('CREATE TABLE t (id INTEGER PRIMARY KEY)');
    const call = (sql: string): Promise<unknown> => guest.calls(IFACE)('[method]connection.execute', connection, sql, []);
    const answers = await Promise.all([call('BEGIN'), call('INSERT INTO t VALUES (1)'), call('SELECT id FROM t WHERE id = 1'), call('ROLLBACK'), call('SELECT id FROM t WHERE id = 1')]);
    expect(answers.slice(2)).toEqual([{ columns: ['id'], rows: [{ values: [integer(1)] }] }, { columns: [], rows: [] }, { columns: ['id'], rows: [] }]);
  });

  it('leaves the thread when a schema change makes a look-up a walk', async () => {
    const { run, rows, connection } = connect(guestWith());
    await run('CREATE TABLE t (name TEXT)');
    await run('CREATE UNIQUE INDEX by_name ON t (name)');
    await run('INSERT INTO t VALUES (\'one\')');
    const read = () => guests[0]!.calls(IFACE)('[method]connection.execute', connection, 'SELECT count(*) FROM t a WHERE name = ?', [textValue('one')]);
    const lookUp = () => guests[0]!.calls(IFACE)('[method]connection.execute', connection, 'SELECT name FROM t WHERE name = ?', [textValue('one')]);
    const walk = read();
    expect(walk).toBeInstanceOf(Promise);
    await walk;
    expect(lookUp()).not.toBeInstanceOf(Promise);
    await run('DROP INDEX by_name');
    const walked = lookUp();
    expect(walked).toBeInstanceOf(Promise);
    await walked;
    expect(await rows('SELECT name FROM t WHERE name = ?', textValue('one'))).toEqual([['one']]);
  });

  it('gives each connection a session of its own, and rolls back what the guest leaves open', async () => {
    const guest = guestWith();
    const one = connect(guest);
    const other = connect(guest);
    await one.run('CREATE TABLE t (id INTEGER PRIMARY KEY)');
    await one.run('BEGIN');
    await one.run('INSERT INTO t VALUES (1)');
    await one.run('CREATE TEMP TABLE mine (x)');
    expect(await one.rows('SELECT id FROM t WHERE id = 1')).toEqual([[1n]]);
    expect(await other.rows('SELECT id FROM t WHERE id = 1')).toEqual([]);
    expect(await other.fault('SELECT * FROM mine')).toEqual({ tag: 'io', val: 'no such table: mine' });
    guest.next();
    const next = connect(guest);
    expect(await next.rows('SELECT count(*) FROM t')).toEqual([[0n]]);
    await next.run('INSERT INTO t VALUES (2)');
    expect(await next.rows('SELECT id FROM t')).toEqual([[2n]]);
  });

  it('lets a writer wait for another one of the same process', async () => {
    const guest = guestWith();
    const one = connect(guest);
    const other = connect(guest);
    await one.run('CREATE TABLE t (x)');
    await one.run('BEGIN IMMEDIATE');
    await one.run('INSERT INTO t VALUES (1)');
    const waiting = other.run('INSERT INTO t VALUES (2)');
    await sleep(50);
    await one.run('COMMIT');
    expect(await waiting).toEqual({ columns: [], rows: [] });
    expect(await one.rows('SELECT x FROM t ORDER BY x')).toEqual([[1n], [2n]]);
  });

  it('says what SQLite says', async () => {
    const { run, fault } = connect(guestWith());
    await run('CREATE TABLE t (id INTEGER PRIMARY KEY)');
    await run('INSERT INTO t VALUES (1)');
    expect(await fault('bogus')).toEqual({ tag: 'io', val: 'near "bogus": syntax error' });
    expect(await fault('SELECT * FROM missing')).toEqual({ tag: 'io', val: 'no such table: missing' });
    expect(await fault('INSERT INTO t VALUES (1)')).toEqual({ tag: 'io', val: 'UNIQUE constraint failed: t.id' });
    expect(await fault('SELECT 1; SELECT 2')).toEqual({ tag: 'io', val: 'Multiple statements provided' });
    expect(await run('SELECT "text" AS x; -- and nothing more')).toEqual({ columns: ['x'], rows: [{ values: [textValue('text')] }] });
  });

  it('lets a guest have 256 connections at a time', () => {
    const guest = guestWith();
    const open = guest.calls(IFACE);
    const connections = Array.from({ length: 256 }, () => ok(open('[static]connection.open', 'default')));
    expect(open('[static]connection.open', 'default')).toEqual(new Err({ tag: 'io', val: 'too many connections opened' }));
    open('[resource-drop]connection', connections[7]);
    ok(open('[static]connection.open', 'default'));
    guest.next();
    ok(guest.calls(IFACE)('[static]connection.open', 'default'));
  });

  it('reports a database that cannot be opened without naming its place', async () => {
    const { fault } = connect(guestWith({ stateDir: '/dev/null/state', orgDir: '/dev/null' }));
    expect(await fault('SELECT 1')).toEqual({ tag: 'io', val: 'the database cannot be reached' });
  });

  it('shares a file between apps that are linked to it, and nothing else', async () => {
    const runtime = { ...NO_RUNTIME_GRANT, sqliteDatabases: { shared: { type: 'spin' as const, file: '.stores/s.sqlite' } } };
    const one = guestWith({ sqliteDatabases: ['default', 'shared'], runtime });
    const { orgDir } = one.grant;
    const other = guestWith({ app: 'other', sqliteDatabases: ['default', 'shared'], runtime, orgDir, stateDir: join(orgDir, 'other') });
    await connect(one, 'shared').run('CREATE TABLE t (x)');
    await connect(one).run('CREATE TABLE own (x)');
    expect(await connect(other, 'shared').rows('SELECT count(*) FROM t')).toEqual([[0n]]);
    expect(await connect(other).fault('SELECT count(*) FROM own')).toEqual({ tag: 'io', val: 'no such table: own' });
    expect(existsSync(join(orgDir, 'app/sqlite/default.sqlite'))).toBe(true);
  });

  it('refuses a file outside of the org\'s folder', () => {
    const runtime = { ...NO_RUNTIME_GRANT, sqliteDatabases: { default: { type: 'spin' as const, file: '../../other/app/sqlite/default.sqlite' } } };
    expect(() => connect(guestWith({ runtime }))).toThrow('the database cannot be reached');
  });

  it('counts what may be run again elsewhere: reads are no effect', async () => {
    let effects = 0;
    const { run } = connect(guestWith({}, { effect: () => { effects++; } }));
    await run('SELECT 1');
    expect(effects).toBe(0);
    await run('CREATE TABLE t (x)');
    expect(effects).toBe(1);
  });
});

describe('SQL of a guest', () => {
  it.each([
    ['ATTACH \'/tmp/whorl-attached.sqlite\' AS other', 'not authorized'],
    ['ATTACH \'file:/tmp/whorl-attached.sqlite\' AS other', 'not authorized'],
    ['ATTACH \'/tmp/\' || \'whorl-attached.sqlite\' AS other', 'not authorized'],
    ['VACUUM INTO \'/tmp/whorl-attached.sqlite\'', 'authorization denied'],
    ['SELECT load_extension(\'/tmp/x\')', 'not authorized to use function: load_extension'],
    ['SELECT fts3_tokenizer(\'simple\')', 'not authorized to use function: fts3_tokenizer'],
    ['PRAGMA temp_store_directory = \'/tmp\'', 'not authorized'],
    ['PRAGMA writable_schema = ON', 'not authorized'],
    ['PRAGMA schema_version = 7', 'not authorized'],
    ['PRAGMA max_page_count = 4000000000', 'not authorized'],
    ['PRAGMA trusted_schema = ON', 'not authorized'],
    ['PRAGMA hard_heap_limit = 1', 'not authorized'],
    ['PRAGMA database_list', 'not authorized'],
    ['CREATE VIRTUAL TABLE x USING sqlite_stmt', 'not authorized'],
    ['CREATE VIRTUAL TABLE x USING dbstat', 'not authorized'],
    ['DETACH main', 'cannot detach database main'],
    ['UPDATE sqlite_schema SET sql = \'x\'', 'table sqlite_master may not be modified'],
  ])('cannot leave its database: %s', async (sql, message) => {
    expect(await connect(guestWith()).fault(sql)).toEqual({ tag: 'io', val: message });
    expect(existsSync('/tmp/whorl-attached.sqlite')).toBe(false);
  });

  it.each([
    'PRAGMA journal_mode = DELETE', 'PRAGMA journal_mode = WAL', 'PRAGMA busy_timeout = 5000', 'PRAGMA synchronous = OFF', 'PRAGMA cache_size = -1000000', 'PRAGMA temp_store = FILE', 'PRAGMA mmap_size = 1000000',
  ])('may set what programs set out of habit, and nothing comes of it: %s', async (sql) => {
    const { run, rows } = connect(guestWith());
    ok(await run(sql) as object);
    expect(await rows('PRAGMA journal_mode')).toEqual([['wal']]);
    expect(await rows('PRAGMA synchronous')).toEqual([[1n]]);
  });

  it.each([
    'VACUUM', 'PRAGMA table_info(t)', 'PRAGMA user_version = 3', 'PRAGMA foreign_keys = OFF', 'CREATE VIRTUAL TABLE f USING fts5(x)', 'CREATE VIRTUAL TABLE r USING rtree(id, a, b)', 'EXPLAIN QUERY PLAN SELECT 1',
    'SELECT json_extract(\'{"a":1}\', \'$.a\')', 'ANALYZE', 'PRAGMA integrity_check', 'CREATE TEMP TABLE mine (x)', 'SELECT * FROM pragma_table_info(\'t\')', 'SAVEPOINT s', 'SELECT last_insert_rowid()',
  ])('may do all else: %s', async (sql) => {
    const { run } = connect(guestWith());
    await run('CREATE TABLE t (x)');
    ok(await run(sql) as object);
  });

  it('keeps settings for the connection that made them', async () => {
    const guest = guestWith();
    const { run, rows } = connect(guest);
    await run('CREATE TABLE parent (id INTEGER PRIMARY KEY)');
    await run('CREATE TABLE child (parent REFERENCES parent)');
    expect(await connect(guest).fault('INSERT INTO child VALUES (1)')).toEqual({ tag: 'io', val: 'FOREIGN KEY constraint failed' });
    await run('PRAGMA foreign_keys = OFF');
    await run('INSERT INTO child VALUES (1)');
    expect(await rows('PRAGMA foreign_keys')).toEqual([[0n]]);
    expect(await connect(guest).rows('PRAGMA foreign_keys')).toEqual([[1n]]);
  });

  it('fills a database up to its size and no further', async () => {
    const { run, rows, fault } = connect(guestWith({ settings: { ...NO_GUEST_SETTINGS, sqliteBytes: 1024 * 1024 } }));
    await run('CREATE TABLE t (x)');
    expect(await fault('INSERT INTO t VALUES (zeroblob(2000000))')).toEqual({ tag: 'database-full' });
    await run('INSERT INTO t VALUES (zeroblob(500000))');
    expect(await rows('SELECT length(x) FROM t')).toEqual([[500000n]]);
  });

  it('bounds results, and leaves nothing in a folder for temporary files', async () => {
    const { fault, rows } = connect(guestWith());
    const endlessRows = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x, zeroblob(100000) FROM c';
    expect(await fault(endlessRows)).toEqual({ tag: 'io', val: expect.stringMatching(/^query result exceeds limit of \d+ bytes$/) });
    expect(await rows('WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000) SELECT count(*) FROM (SELECT randomblob(1000) AS b FROM c ORDER BY b)')).toEqual([[1000n]]);
  });

  it('bounds a schema, which every runner reads as a whole', async () => {
    const { run, fault } = connect(guestWith());
    const large = `CREATE TABLE t0 (x DEFAULT '${'x'.repeat(600_000)}')`;
    ok(await run(large) as object);
    expect(await fault(large.replace('t0', 't1'))).toEqual({ tag: 'io', val: 'the schema exceeds limit of 1048576 bytes' });
    ok(await run('DROP TABLE t0') as object);
    ok(await run(large.replace('t0', 't1')) as object);
    expect(await fault(large)).toMatchObject({ tag: 'io' });
  });

  it.each([
    ['views of views', Array.from({ length: 23 }, (_, i) => `CREATE VIEW v${i + 1} AS SELECT a.id FROM v${i} a, v${i} b`), 'SELECT id FROM v23'],
    ['a view in the place of a table', [...Array.from({ length: 23 }, (_, i) => `CREATE VIEW v${i + 1} AS SELECT a.id FROM v${i} a, v${i} b`), 'DROP TABLE t', 'CREATE VIEW t AS SELECT id FROM v23'], 'SELECT id FROM t WHERE id = 1'],
    ['common tables of common tables', [], `WITH a0 AS (SELECT 1 AS id), ${Array.from({ length: 40 }, (_, i) => `a${i + 1} AS (SELECT x.id FROM a${i} x, a${i} y)`).join(', ')} SELECT id FROM a40`],
    ['subqueries that double', [], `SELECT a FROM ${'(SELECT a + a AS a FROM '.repeat(60)} (SELECT id AS a FROM t) ${')'.repeat(60)}`],
    ['columns made of columns', [`CREATE TABLE g (id INTEGER PRIMARY KEY, c0, ${Array.from({ length: 16 }, (_, i) => `c${i + 1} AS (c${i} + c${i})`).join(', ')})`], 'SELECT c16 FROM g WHERE id = 1'],
  ])('does not keep the thread with %s', async (_, before, sql) => {
    const { run } = connect(guestWith());
    await run('CREATE TABLE t (id INTEGER PRIMARY KEY)');
    await run('SELECT id FROM t WHERE id = 1');
    await run('CREATE VIEW v0 AS SELECT a.id FROM t a WHERE a.id = 1');
    for (const each of before) ok(await run(each) as object);
    const began = performance.now();
    const answer = run(sql).catch((error: Error) => error);
    expect(performance.now() - began).toBeLessThan(1_000);
    guests[0]!.next();
    expect(await answer).toBeInstanceOf(Error);
  });

  it('does not make up what ANALYZE finds', async () => {
    const { run, fault } = connect(guestWith());
    await run('CREATE TABLE t (x)');
    await run('CREATE INDEX by_x ON t (x)');
    await run('INSERT INTO t VALUES (1)');
    ok(await run('ANALYZE') as object);
    expect(await fault('INSERT INTO sqlite_stat1 VALUES (1, 2, 3)')).toEqual({ tag: 'io', val: 'not authorized' });
    expect(await fault('UPDATE sqlite_stat1 SET stat = 1')).toEqual({ tag: 'io', val: 'not authorized' });
    ok(await run('ANALYZE') as object);
  });
});

describe('a statement that does not end', () => {
  it('ends with its invocation, and holds up neither the thread nor another app', async () => {
    const guest = guestWith({}, { deadlineAt: Date.now() + 300 });
    const neighbour = guestWith({ app: 'neighbour' });
    const other = connect(neighbour);
    await other.run('CREATE TABLE t (x)');
    await other.run('BEGIN');
    await other.run('INSERT INTO t VALUES (1)');
    const endless = connect(guest).run(ENDLESS).then(() => 'done', (error: Error) => error);
    await sleep(350);
    guest.next();
    expect(await endless).toMatchObject({ limit: 'wall' });
    await other.run('COMMIT');
    expect(await other.rows('SELECT x FROM t')).toEqual([[1n]]);
    const processes = sqlProcessCount();
    for (let i = 0; i < 100 && sqlProcessCount() === processes; i++) await sleep(20);
    expect(sqlProcessCount()).toBe(processes - 1);
    expect(await connect(guest).rows('SELECT 1 + 1')).toEqual([[2n]]);
  });

  it('ends when it has used the CPU time of its invocation', async () => {
    let usedMs = 0;
    const guest = guestWith({}, { used: (cpuMs) => 300 - (usedMs += cpuMs) });
    await expect(connect(guest).run(ENDLESS)).rejects.toMatchObject({ limit: 'cpu', message: 'the statements of the invocation used up its CPU time' });
    expect(usedMs).toBeGreaterThanOrEqual(300);
  });

  it('ends when its process holds too much memory', async () => {
    const hoard = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x, randomblob(1000000) AS b FROM c ORDER BY b';
    const failed = await connect(guestWith()).run(hoard).then(() => null, (error: Error) => error);
    expect(failed).toBeInstanceOf(LimitTrap);
    expect(failed).toMatchObject({ limit: 'memory' });
  });

  it('costs connections of its own app a transaction at most', async () => {
    const guest = guestWith();
    const idle = connect(guest);
    const busy = connect(guest);
    await idle.run('CREATE TABLE t (x)');
    await busy.run('BEGIN');
    await busy.run('INSERT INTO t VALUES (1)');
    const endless = new TestGuest({ ...guest.grant }, { used: () => 0 });
    await expect(connect(endless).run(ENDLESS)).rejects.toMatchObject({ limit: 'cpu' });
    expect(await idle.rows('SELECT count(*) FROM t')).toEqual([[0n]]);
    endless.dispose();
    const outcome = await busy.run('COMMIT');
    if (outcome instanceof Err) expect(outcome.payload).toEqual({ tag: 'io', val: 'the connection to the database was lost' });
  });
});

describe('the process of an app', () => {
  it('does not outlive the one that started it, whatever it does at that moment', async () => {
    const guest = guestWith();
    const program = join(import.meta.dirname, '../../src/runtime/capability/sqlite/sql.process.ts');
    const starter = `
      import { spawn } from 'node:child_process';
      import { serialize } from 'node:v8';
      const child = spawn(process.execPath, ['--no-warnings', process.argv[1]], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
      const send = (sql) => {
        const body = serialize({ connection: 1, path: process.argv[2], readOnly: false, maxBytes: 1e6, maxResultBytes: 1e6, params: [], sql });
        const head = Buffer.alloc(4);
        head.writeUInt32LE(body.length);
        child.stdio[3].write(Buffer.concat([head, body]));
      };
      child.stdio[3].once('data', () => {
        send(${JSON.stringify(ENDLESS)});
        console.log(child.pid);
      });
      send('CREATE TABLE t (x)');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', starter, program, join(guest.grant.orgDir, 'x.sqlite')], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    const pid = Number(said.toString());
    expect(isAlive(pid)).toBe(true);
    child.kill('SIGKILL');
    for (let i = 0; i < 500 && isAlive(pid); i++) await sleep(20);
    expect(isAlive(pid)).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0) && !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
  } catch {
    return false;
  }
}

describe(openSqliteDatabase, () => {
  it('runs SQL for the API, and changes nothing when it is only to read', async () => {
    const guest = guestWith();
    const database = openSqliteDatabase({ type: 'spin', file: 'app/sqlite/default.sqlite' }, guest.grant.orgDir);
    await database.execute('CREATE TABLE t (id INTEGER PRIMARY KEY, x)', []);
    expect(await database.execute('INSERT INTO t (x) VALUES (?), (?)', ['a', 2n])).toEqual({ columns: [], rows: [], changes: 2n, lastInsertRowid: 2n });
    expect(await database.execute('SELECT x FROM t', [], { readOnly: true })).toMatchObject({ columns: ['x'], rows: [['a'], [2n]] });
    await expect(database.execute('DELETE FROM t', [], { readOnly: true })).rejects.toThrow('attempt to write a readonly database');
    await expect(database.execute('PRAGMA query_only = OFF', [], { readOnly: true })).resolves.toBeDefined();
    expect(await connect(guest).rows('SELECT count(*) FROM t')).toEqual([[2n]]);
  });

  it('stops a statement whose time is up', async () => {
    const guest = guestWith();
    mkdirSync(guest.grant.stateDir, { recursive: true });
    const database = openSqliteDatabase({ type: 'spin', file: 'app/x.sqlite' }, guest.grant.orgDir);
    await expect(database.execute(ENDLESS, [], { timeoutMs: 100 })).rejects.toMatchObject({ name: 'SqlLimit', limit: 'wall' });
  });

  it('leaves no file behind but the database and its log', async () => {
    const guest = guestWith();
    const database = openSqliteDatabase({ type: 'spin', file: 'x.sqlite' }, guest.grant.orgDir);
    await database.execute('CREATE TABLE t (x)', []);
    expect(readdirSync(guest.grant.orgDir).filter((name) => name.startsWith('x.')).sort()).toEqual(['x.sqlite', 'x.sqlite-shm', 'x.sqlite-wal']);
    rmSync(guest.grant.orgDir, { recursive: true });
  });
});
