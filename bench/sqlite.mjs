// `node bench/sqlite.mjs [rounds]`: statements of one guest through the whole ABI, with limits and deadline checks, beside the same statements
// of bare node:sqlite. Needs `npm run build` before.
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco';
import { NO_RUNTIME_GRANT } from '../dist/contract/runtime-grant.js';
import { Ending } from '../dist/runtime/capability/ending.js';
import { NO_GUEST_SETTINGS } from '../dist/runtime/capability/guest-settings.js';
import { HostMemory } from '../dist/runtime/capability/host-memory.js';
import { openSqliteDatabase } from '../dist/runtime/capability/sqlite/open.js';
import { closeShortReads } from '../dist/runtime/capability/sqlite/short-reads.js';
import { closeSqlProcesses } from '../dist/runtime/capability/sqlite/sql-processes.js';
import { prepare } from './lib/guest.mjs';
import { median } from './lib/statistics.mjs';

const ROWS = 1_000;
const TARGET = 30_000;
const BUDGET_NS = 60_000_000_000n;

/** `expected`: rows of each answer. */
const STATEMENTS = [
  { name: 'one row by its key', sql: 'SELECT id, name FROM items WHERE id = ?', calls: 50_000, expected: 1, target: TARGET },
  { name: 'one row, found by a walk of 1,000', sql: 'SELECT id, name FROM items WHERE rank = ?', calls: 3_000, expected: 1 },
  { name: 'an update of one row', sql: 'UPDATE items SET rank = rank WHERE id = ?', calls: 3_000, expected: 0 },
];

const WIT = `package bench:sqlite;
interface calls { run: func(calls: u32, rows: u32) -> u32; }
world bench { import fermyon:spin/sqlite@2.0.0; export calls; }
package fermyon:spin@2.0.0 {
  interface sqlite {
    resource connection { open: static func(database: string) -> result<connection, error>; execute: func(statement: string, parameters: list<value>) -> result<query-result, error>; }
    variant error { no-such-database, access-denied, invalid-connection, database-full, io(string) }
    record query-result { columns: list<string>, rows: list<row-result> }
    record row-result { values: list<value> }
    variant value { integer(s64), real(f64), text(string), blob(list<u8>), null }
  }
}`;

/** Calls the statement so often, with keys from 1 to 1,000 in turn; gives how many answers had as many rows as they should. */
const wat = (sql) => `(module
  (import "fermyon:spin/sqlite@2.0.0" "[static]connection.open" (func $open (param i32 i32 i32)))
  (import "fermyon:spin/sqlite@2.0.0" "[method]connection.execute" (func $execute (param i32 i32 i32 i32 i32 i32)))
  (memory (export "memory") 2)
  (data (i32.const 16) "default") (data (i32.const 64) "${sql}")
  (global $next (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (local.get $at))
  (func (export "bench:sqlite/calls#run") (param $calls i32) (param $rows i32) (result i32)
    (local $i i32) (local $good i32) (local $connection i32)
    (call $open (i32.const 16) (i32.const 7) (i32.const 1024))
    (if (i32.load8_u (i32.const 1024)) (then (unreachable)))
    (local.set $connection (i32.load (i32.const 1028)))
    (loop $again
      (global.set $next (i32.const 4096))
      (i32.store8 (i32.const 512) (i32.const 0))
      (i64.store (i32.const 520) (i64.extend_i32_u (i32.add (i32.rem_u (local.get $i) (i32.const ${ROWS})) (i32.const 1))))
      (call $execute (local.get $connection) (i32.const 64) (i32.const ${sql.length}) (i32.const 512) (i32.const 1) (i32.const 1024))
      (if (i32.eqz (i32.load8_u (i32.const 1024))) (then
        (local.set $good (i32.add (local.get $good) (i32.eq (i32.load (i32.const 1040)) (local.get $rows))))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (local.get $calls))))
    (local.get $good)))`;

class State {
  invocation = {
    requestId: 'bench', write: () => {}, note: () => {}, deadlineAt: Infinity, ending: new Ending(), stdin: null, stdout: null, args: [], environment: [], chain: () => {},
  };
  memory = new HostMemory(64 * 2 ** 20);
  releases = [];

  constructor(orgDir) {
    this.grant = {
      org: 'default', app: 'bench', version: 1, component: 'main', environment: [], files: [], variables: new Map(), allowedOutboundHosts: [], components: [],
      keyValueStores: [], sqliteDatabases: ['default'], aiModels: [], stateDir: join(orgDir, 'bench'), orgDir, runtime: NO_RUNTIME_GRANT, allowPrivateHosts: false,
      settings: NO_GUEST_SETTINGS, limits: { outboundRequests: 1_000, outboundConcurrency: 128, outboundConnections: 512 },
    };
  }

  defer(release) {
    this.releases.push(release);
  }

  release() {
    for (const release of this.releases.splice(0)) release();
  }
}

async function guestFor(sql, state) {
  const component = await componentNew(await componentEmbed({ binary: await parse(wat(sql)), witSource: WIT, world: 'bench' }), []);
  const slot = prepare(component).program.newSlot(state);
  slot.instantiate(BUDGET_NS);
  return slot;
}

const cpuUs = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

/** Calls per second, and CPU of this process for each, of one way to do it. */
async function measure(calls, run) {
  const cpu = cpuUs();
  const began = performance.now();
  await run(calls);
  return { perSecond: (calls * 1e3) / (performance.now() - began), cpuUs: (cpuUs() - cpu) / calls };
}

/** By node:sqlite itself, on this thread, with the statement prepared once. */
function bare(path, sql) {
  const db = new DatabaseSync(path);
  db.exec('PRAGMA synchronous = NORMAL');
  const statement = db.prepare(sql);
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  return { run: (calls) => { for (let i = 0; i < calls; i++) statement.all(BigInt((i % ROWS) + 1)); }, close: () => db.close() };
}

/** Rows for the table of targets, and the figures. */
export async function sqlite(rounds = 5) {
  const orgDir = mkdtempSync(join(tmpdir(), 'whorl-bench-sqlite-'));
  const file = 'bench/sqlite/default.sqlite';
  const database = openSqliteDatabase({ type: 'spin', file }, orgDir);
  await database.execute('CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, rank INTEGER)', []);
  await database.execute(`WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT ${ROWS}) INSERT INTO items SELECT x, 'item ' || x, x FROM c`, []);
  const rows = [];
  const figures = {};
  for (const { name, sql, calls, expected, target } of STATEMENTS) {
    const state = new State(orgDir);
    const slot = await guestFor(sql, state);
    const plain = bare(join(orgDir, file), sql);
    const guest = async (count) => {
      slot.setBudget(BUDGET_NS);
      const good = await slot.call('bench:sqlite/calls', 'run', [count, expected]);
      state.release();
      if (good !== count) throw new Error(`${name}: ${good} of ${count} answers were right`);
    };
    await measure(Math.ceil(calls / 5), guest);
    await measure(Math.ceil(calls / 5), plain.run);
    const results = { guest: [], bare: [] };
    for (let round = 0; round < rounds; round++) {
      results.bare.push(await measure(calls, plain.run));
      results.guest.push(await measure(calls, guest));
    }
    plain.close();
    const [whorl, node] = [results.guest, results.bare].map((all) => ({ perSecond: median(all.map((each) => each.perSecond)), cpuUs: median(all.map((each) => each.cpuUs)) }));
    figures[name] = { guest: whorl, bare: node };
    const note = `${(whorl.perSecond / node.perSecond).toFixed(2)} of bare node:sqlite (${Math.round(node.perSecond)}); ${whorl.cpuUs.toFixed(1)} us of CPU here for each, bare ${node.cpuUs.toFixed(1)}`;
    rows.push({ what: `sqlite, ${name}: statements/s of one guest`, value: Math.round(whorl.perSecond), target: target ? `>= ${target}` : '', ok: !target || whorl.perSecond >= target, note });
  }
  closeShortReads();
  closeSqlProcesses();
  rmSync(orgDir, { recursive: true });
  return { rows, figures };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(`${cpus().length} x ${cpus()[0].model}, Node ${process.version}, load ${loadavg()[0].toFixed(1)}`);
  for (const { what, value, target, note } of (await sqlite(Number(process.argv[2] ?? 5))).rows) console.log(`${what}: ${value}${target && ` (${target})`}; ${note}`);
}
