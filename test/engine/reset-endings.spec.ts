import { describe, expect, it } from '@jest/globals';
import { parse } from '@bytecodealliance/jco';
import type { Slot } from '#engine/run/slot.js';
import { Random } from '../fixtures/random.js';
import { BUDGET_NS, programOf, settled, waiting } from './engine-harness.js';

const seed = Number(process.env['RESET_SEED'] ?? Date.now() % 2 ** 32);
const ROUNDS = 200;
const MEM = '(memory (core memory $mi "memory"))';

/**
 * Two modules with globals of their own that each other's code writes to, and functions that end in every way: parked in a call of the
 * host, on a waitable set or in a read; by a trap of `realloc` after `fuse` more allocations; by a trap after growing; or well.
 */
const ENDINGS = `(component
  (import "wait" (func $wait (param "n" u32) (result u32)))
  (import "lists" (func $lists (result (list (list string)))))
  (core module $mm
    (memory (export "memory") 2 8)
    (global $next (export "next") (mut i32) (i32.const 4096)) (global $fuse (export "fuse") (mut i32) (i32.const 1000)) (global (export "wide") (mut i64) (i64.const -1))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (global.set $fuse (i32.sub (global.get $fuse) (i32.const 1)))
      (if (i32.eqz (global.get $fuse)) (then unreachable))
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $mi (instantiate $mm))
  (type $s (stream u8))
  (core func $wait (canon lower (func $wait)))
  (core func $lists (canon lower (func $lists) ${MEM} (realloc (core func $mi "realloc"))))
  (core func $new (canon stream.new $s)) (core func $read (canon stream.read $s ${MEM})) (core func $start (canon stream.read $s async ${MEM}))
  (core func $set (canon waitable-set.new)) (core func $join (canon waitable.join)) (core func $set-wait (canon waitable-set.wait ${MEM}))
  (core func $return (canon task.return (result u32)))
  (core module $m
    (import "m" "memory" (memory 1)) (import "m" "next" (global $next (mut i32))) (import "m" "fuse" (global $fuse (mut i32))) (import "m" "wide" (global $wide (mut i64)))
    (import "h" "wait" (func $wait (param i32) (result i32))) (import "h" "lists" (func $lists (param i32)))
    (import "h" "new" (func $new (result i64))) (import "h" "read" (func $read (param i32 i32 i32) (result i32))) (import "h" "start" (func $start (param i32 i32 i32) (result i32)))
    (import "h" "set" (func $set (result i32))) (import "h" "join" (func $join (param i32 i32))) (import "h" "set-wait" (func $set-wait (param i32 i32) (result i32)))
    (import "h" "return" (func $return (param i32)))
    (global $own (mut f64) (f64.const -0)) (global $calls (mut i32) (i32.const 0))
    (func $touch (param $n i32)
      (global.set $calls (i32.add (global.get $calls) (i32.const 1))) (global.set $own (f64.add (global.get $own) (f64.const 1.5)))
      (global.set $wide (i64.mul (global.get $wide) (i64.const 3)))
      (i32.store (i32.and (i32.mul (local.get $n) (i32.const 7919)) (i32.const 65532)) (local.get $n))
      (i32.store (i32.const 131068) (global.get $calls)))
    (func (export "calls") (param $n i32) (result i32) (call $touch (local.get $n)) (global.get $calls))
    (func (export "host") (param $n i32) (call $touch (local.get $n)) (call $touch (call $wait (local.get $n))) (call $return (global.get $calls)))
    (func (export "read") (param $n i32) (call $touch (local.get $n)) (drop (call $read (i32.wrap_i64 (call $new)) (i32.const 512) (local.get $n))) (call $return (i32.const 0)))
    (func (export "set") (param $n i32) (local $r i32) (local $set i32)
      (call $touch (local.get $n)) (local.set $r (i32.wrap_i64 (call $new))) (drop (call $start (local.get $r) (i32.const 512) (local.get $n)))
      (local.set $set (call $set)) (call $join (local.get $r) (local.get $set)) (drop (call $set-wait (local.get $set) (i32.const 600))) (call $return (i32.const 0)))
    (func (export "lists") (param $n i32) (result i32) (global.set $fuse (local.get $n)) (call $touch (local.get $n)) (call $lists (i32.const 64)) (i32.load (i32.const 68)))
    (func (export "grow") (param $n i32) (result i32)
      (drop (memory.grow (i32.const 2))) (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 8)) (i32.const -1)) (call $touch (local.get $n))
      (if (i32.and (local.get $n) (i32.const 1)) (then unreachable)) (memory.size)))
  (core instance $i (instantiate $m (with "m" (instance $mi)) (with "h" (instance (export "wait" (func $wait)) (export "lists" (func $lists)) (export "new" (func $new))
    (export "read" (func $read)) (export "start" (func $start)) (export "set" (func $set)) (export "join" (func $join)) (export "set-wait" (func $set-wait)) (export "return" (func $return))))))
  ${['host', 'read', 'set'].map((name) => `(func (export "${name}") async (param "n" u32) (result u32) (canon lift (core func $i "${name}") async))`).join('\n')}
  ${['calls', 'lists', 'grow'].map((name) => `(func (export "${name}") (param "n" u32) (result u32) (canon lift (core func $i "${name}")))`).join('\n')})`;

describe(`a reset after calls that ended in any way (RESET_SEED=${seed})`, () => {
  it('gives the state after instantiation, byte for byte', async () => {
    const random = new Random(seed);
    const pending: ((value: number) => void)[] = [];
    const program = await programOf(await parse(ENDINGS), {
      '#wait': waiting((n: number) => (n % 3 === 0 ? n : new Promise((resolve) => pending.push(resolve)))),
      '#lists': () => Array.from({ length: random.below(6) }, () => Array.from({ length: random.below(6) }, () => 'x'.repeat(random.below(3_000)))),
    });
    const pair: Slot<unknown>[] = [program.newSlot({}), program.newSlot({})];
    for (const slot of pair) slot.instantiate(BUDGET_NS);
    expect(program.resetMode).toEqual({ mode: 'in-place', cards: true });
    const seen = { parked: 0, trapped: 0, killed: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      const slot = random.pick(pair);
      const names: string[] = [];
      for (let calls = 1 + random.below(5); calls > 0 && !slot.poisoned; calls--) {
        const name = random.pick(['calls', 'host', 'read', 'set', 'lists', 'grow']);
        names.push(name);
        // not awaited: it may be parked for ever
        slot.call(null, name, [1 + random.below(40)]).catch(() => undefined);
        if (random.below(2) === 0) await settled();
        if (random.below(3) === 0) pending.shift()?.(random.below(1_000));
      }
      if (slot.poisoned) seen.trapped++;
      else if (random.below(3) === 0) {
        slot.kill(new Error('killed'));
        seen.killed++;
      } else if (slot.busy) seen.parked++;
      slot.reset();
      slot.instantiate(BUDGET_NS);
      const { difference } = slot;
      if (difference !== null) throw new Error(`RESET_SEED=${seed}, round ${round}, after ${names.join(', ')}: ${difference} is not as it was`);
      expect(await slot.call(null, 'calls', [1])).toBe(1);
      // late answers to calls of a life that is over
      while (pending.length > 0) pending.pop()!(random.below(1_000));
      await settled();
      slot.reset();
      slot.instantiate(BUDGET_NS);
      expect(slot.difference).toBeNull();
    }
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(ROUNDS / 50);
    expect(program.resetMode.mode).toBe('in-place');
  });
});
