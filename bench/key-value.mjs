// `node bench/key-value.mjs [gets]`: key-value calls of one guest on its default store, a file, through the whole canonical ABI. Needs
// `npm run build` before.
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco';
import { plain } from '../dist/runtime/capability/capability.js';
import { closeStores } from '../dist/runtime/capability/key-value/store-pool.js';
import { openFileStore } from '../dist/runtime/capability/key-value/store.js';
import { resolveHost } from '../dist/runtime/capability/table.js';
import { Guest, prepare } from './lib/guest.mjs';
import { median } from './lib/statistics.mjs';

const TARGET_PER_SECOND = 100_000;
const KEYS = 10_000;
const ROUNDS = 15;
const WARM_UP = 5;
const VALUE_BYTES = 100;

const WIT = `
  package fermyon:spin@2.0.0;
  interface key-value {
    resource store {
      open: static func(label: string) -> result<store, error>;
      get: func(key: string) -> result<option<list<u8>>, error>;
      set: func(key: string, value: list<u8>) -> result<_, error>;
    }
    variant error { store-table-full, no-such-store, access-denied, other(string) }
  }
  world bench {
    import key-value;
    export gets: func(times: u32) -> u32;
    export sets: func(times: u32) -> u32;
  }`;

/** Opens the store and counts the calls that went well. Keys are key-0000 to key-9999 in turn; memory is used again for each call. */
const WAT = `(module
  (import "fermyon:spin/key-value@2.0.0" "[static]store.open" (func $open (param i32 i32 i32)))
  (import "fermyon:spin/key-value@2.0.0" "[method]store.get" (func $get (param i32 i32 i32 i32)))
  (import "fermyon:spin/key-value@2.0.0" "[method]store.set" (func $set (param i32 i32 i32 i32 i32 i32)))
  (import "fermyon:spin/key-value@2.0.0" "[resource-drop]store" (func $drop (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "default") (data (i32.const 32) "key-0000")
  (global $next (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $next))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (local.get $at))
  (func $key (param $n i32)
    (i32.store8 (i32.const 36) (i32.add (i32.const 48) (i32.rem_u (i32.div_u (local.get $n) (i32.const 1000)) (i32.const 10))))
    (i32.store8 (i32.const 37) (i32.add (i32.const 48) (i32.rem_u (i32.div_u (local.get $n) (i32.const 100)) (i32.const 10))))
    (i32.store8 (i32.const 38) (i32.add (i32.const 48) (i32.rem_u (i32.div_u (local.get $n) (i32.const 10)) (i32.const 10))))
    (i32.store8 (i32.const 39) (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10)))))
  (func $store (result i32)
    (call $open (i32.const 16) (i32.const 7) (i32.const 64))
    (if (i32.load8_u (i32.const 64)) (then unreachable))
    (i32.load (i32.const 68)))
  (func (export "gets") (param $times i32) (result i32)
    (local $store i32) (local $n i32) (local $found i32)
    (local.set $store (call $store))
    (loop $next-one
      (global.set $next (i32.const 4096))
      (call $key (local.get $n))
      (call $get (local.get $store) (i32.const 32) (i32.const 8) (i32.const 64))
      (local.set $found (i32.add (local.get $found)
        (i32.and (i32.eqz (i32.load8_u (i32.const 64))) (i32.and (i32.load8_u (i32.const 68)) (i32.eq (i32.load (i32.const 76)) (i32.const ${VALUE_BYTES}))))))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $next-one (i32.lt_u (local.get $n) (local.get $times))))
    (call $drop (local.get $store))
    (local.get $found))
  (func (export "sets") (param $times i32) (result i32)
    (local $store i32) (local $n i32) (local $done i32)
    (local.set $store (call $store))
    (loop $next-one
      (call $key (local.get $n))
      (call $set (local.get $store) (i32.const 32) (i32.const 8) (i32.const 4096) (i32.const ${VALUE_BYTES}) (i32.const 64))
      (local.set $done (i32.add (local.get $done) (i32.eqz (i32.load8_u (i32.const 64)))))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $next-one (i32.lt_u (local.get $n) (local.get $times))))
    (call $drop (local.get $store))
    (local.get $done)))`;

const component = async () => componentNew(await componentEmbed({ binary: await parse(WAT), witSource: WIT, world: 'bench' }), []);

const cpuMs = () => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e3;
};

/** The same functions as ones that never wait: what a stack that can be suspended costs. */
const withoutWaiting = (iface, name, denied) => {
  const binding = resolveHost(iface, name, denied);
  return binding && { ...plain(() => undefined), bind: (state) => binding.bind(state) };
};

function guestWith(bytes, resolve) {
  const guest = new Guest(prepare(bytes, { resolve }).program);
  guest.state.grant.keyValueStores = ['default'];
  return guest;
}

async function perSecond(rows, times) {
  for (const row of rows) row.rates = [];
  for (let round = 0; round < ROUNDS + WARM_UP; round++) {
    for (const row of rows) {
      const began = cpuMs();
      const went = await row.run(times);
      const usedMs = cpuMs() - began;
      if (went !== times) throw new Error(`${row.what}: ${went} of ${times} calls went well`);
      if (round >= WARM_UP) row.rates.push((times / usedMs) * 1e3);
    }
  }
  return rows.map(({ what, rates }) => ({ what, perSecond: median(rates) }));
}

/** Calls in a second of the thread's CPU time; all kinds take turns. */
export async function keyValue({ times = KEYS } = {}) {
  const bytes = await component();
  const guest = guestWith(bytes, resolveHost);
  const unwaiting = guestWith(bytes, withoutWaiting);
  const path = (of) => join(of.state.grant.stateDir, 'key-value', 'default.sqlite');
  const call = (of, name) => (count) => of.slot.call(null, name, [count]);
  const oneEach = (of) => async (count) => {
    let found = 0;
    for (let i = 0; i < count; i++) found += await of.slot.call(null, 'gets', [1]);
    return found;
  };
  const store = openFileStore(path(guest));
  for (const each of [guest, unwaiting]) await call(each, 'sets')(Math.max(times, 100));
  const getAlone = (count) => {
    let found = 0;
    for (let i = 0; i < count; i++) if (store.get(`key-${String(i % KEYS).padStart(4, '0')}`)) found++;
    return found;
  };
  const rows = await perSecond([
    { what: 'get', run: call(guest, 'gets') },
    { what: 'get, by functions that cannot wait', run: call(unwaiting, 'gets') },
    { what: 'call of a guest that opens and gets once', run: oneEach(guest) },
    { what: 'the same, by functions that cannot wait', run: oneEach(unwaiting) },
    { what: 'get by the store alone, without a guest', run: getAlone },
    { what: 'set', run: call(guest, 'sets') },
  ], times);
  await store.close();
  await closeStores();
  for (const each of [guest, unwaiting]) each.close();
  const [gets] = rows;
  const value = Math.round(gets.perSecond);
  return {
    rows: [{ what: 'key-value: gets of one guest on its default store, in a second of one core', value, target: `>= ${TARGET_PER_SECOND}`, ok: value >= TARGET_PER_SECOND, note: `${times} in a row, values of ${VALUE_BYTES} bytes` }],
    figures: rows,
  };
}
export { keyValue as 'key-value' };

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(`${cpus().length} x ${cpus()[0].model}, Node ${process.version}, load ${loadavg()[0].toFixed(1)}`);
  const { figures } = await keyValue({ times: Number(process.argv[2] ?? KEYS) });
  for (const { what, perSecond: rate } of figures) console.log(`${what.padEnd(42)} ${Math.round(rate).toString().padStart(8)}/s of CPU`);
  process.exit(0);
}
