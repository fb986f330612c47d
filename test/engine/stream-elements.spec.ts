import { describe, expect, it } from '@jest/globals';
import type { Pipe } from '#engine/run/pipe.js';
import { BUDGET_NS, MEMORY_WAT, slotOf } from './engine-harness.js';

const MEM = '(memory (core memory $mi "memory"))';
const MAX_COUNT = 2 ** 28 - 1;
const packed = (result: number, count: number): number => result | (count << 4);

/** A component that writes `count` elements of a type to a stream whose other end another one, or the host, reads. */
const pair = (type: string, write: string, read: string): string => `(component
  (component $reader
    (core module $mm ${MEMORY_WAT}) (core instance $mi (instantiate $mm))
    (type $s (stream ${type}))
    (core func $read (canon stream.read $s async ${MEM} (realloc (core func $mi "realloc"))))
    (core module $m (import "h" "memory" (memory 1)) (import "h" "read" (func $read (param i32 i32 i32) (result i32)))
      (func (export "take") (param $r i32) (result i32) ${read}))
    (core instance $i (instantiate $m (with "h" (instance (export "memory" (memory $mi "memory")) (export "read" (func $read))))))
    (func (export "take") (param "s" $s) (result u32) (canon lift (core func $i "take"))))
  (component $writer
    (type $s (stream ${type}))
    (import "take" (func $take (param "s" $s) (result u32)))
    (core module $mm ${MEMORY_WAT} (data (i32.const 16) "abcdefgh")) (core instance $mi (instantiate $mm))
    (core func $take (canon lower (func $take)))
    (core func $new (canon stream.new $s))
    (core func $write (canon stream.write $s async ${MEM} (realloc (core func $mi "realloc"))))
    (core module $m (import "h" "memory" (memory 1)) (import "h" "take" (func $take (param i32) (result i32))) (import "h" "new" (func $new (result i64)))
      (import "h" "write" (func $write (param i32 i32 i32) (result i32)))
      (func (export "go") (result i32) (local $pair i64) (local $w i32)
        (local.set $pair (call $new)) (local.set $w (i32.wrap_i64 (i64.shr_u (local.get $pair) (i64.const 32))))
        ${write}
        (call $take (i32.wrap_i64 (local.get $pair)))))
    (core instance $i (instantiate $m (with "h" (instance (export "memory" (memory $mi "memory")) (export "take" (func $take)) (export "new" (func $new)) (export "write" (func $write))))))
    (func (export "go") (result u32) (canon lift (core func $i "go"))))
  (instance $r (instantiate $reader))
  (instance $w (instantiate $writer (with "take" (func $r "take"))))
  (export "go" (func $w "go")))`;

const sixteen = (name: string, count: number): string => `(drop (call $${name} (local.get $w) (i32.const 16) (i32.const ${count})))`;

describe('elements of streams between guests', () => {
  it.each<[type: string, write: string, read: string, expected: number]>([
    ['u16', sixteen('write', 4), '(drop (call $read (local.get $r) (i32.const 1024) (i32.const 9))) (i32.load (i32.const 1026))', 0x66656463],
    ['(tuple u8 u32)', sixteen('write', 1), '(drop (call $read (local.get $r) (i32.const 1024) (i32.const 9))) (i32.load (i32.const 1028))', 0x68676665],
    ['string', '(i32.store (i32.const 64) (i32.const 18)) (i32.store (i32.const 68) (i32.const 4)) (drop (call $write (local.get $w) (i32.const 64) (i32.const 1)))',
      '(drop (call $read (local.get $r) (i32.const 1024) (i32.const 9))) (i32.load (i32.load (i32.const 1024)))', 0x66656463],
    ['(list (list u8))', `(i32.store (i32.const 64) (i32.const 72)) (i32.store (i32.const 68) (i32.const 1)) (i32.store (i32.const 72) (i32.const 17)) (i32.store (i32.const 76) (i32.const 4))
      (drop (call $write (local.get $w) (i32.const 64) (i32.const 1)))`, '(drop (call $read (local.get $r) (i32.const 1024) (i32.const 9))) (i32.load (i32.load (i32.load (i32.const 1024))))', 0x65646362],
    ['(option (option u8))', '(i32.store (i32.const 64) (i32.const 0x00370101)) (drop (call $write (local.get $w) (i32.const 64) (i32.const 1)))',
      '(drop (call $read (local.get $r) (i32.const 1024) (i32.const 9))) (i32.load (i32.const 1024))', 0x00370101],
  ])('arrive: %s', async (type, write, read, expected) => {
    const slot = await slotOf(pair(type, write, read));
    for (let i = 0; i < 3; i++) {
      expect(await slot.call(null, 'go', [])).toBe(expected);
      slot.reset();
      slot.instantiate(BUDGET_NS);
      expect(slot.difference).toBeNull();
    }
  });

  it('are counted, not made, where they have no type', async () => {
    const slot = await slotOf(pair('', sixteen('write', -1), '(call $read (local.get $r) (i32.const 0) (i32.const -1))'));
    const before = process.memoryUsage().rss;
    expect(await slot.call(null, 'go', [])).toBe(packed(0, MAX_COUNT) >>> 0);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20);
  });

  it('are not lifted again and again beyond what a call may pass', async () => {
    const same = `(local $i i32) (loop $l (i32.store (i32.add (i32.const 8192) (i32.shl (local.get $i) (i32.const 3))) (i32.const 0))
      (i32.store offset=4 (i32.add (i32.const 8192) (i32.shl (local.get $i) (i32.const 3))) (i32.const 100000)) (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10000))))
      (drop (call $write (local.get $w) (i32.const 8192) (i32.const 10000)))`;
    const slot = await slotOf(pair('(list u8)', same.replace('(local $i i32) ', ''), '(call $read (local.get $r) (i32.const 8192) (i32.const 10000))').replace('(local $w i32)', '(local $w i32) (local $i i32)'));
    await expect(slot.call(null, 'go', [])).rejects.toMatchObject({ name: 'LimitTrap', limit: 'allocation' });
  });
});

describe('a stream without a type that the host reads', () => {
  it('gives the number of its elements', async () => {
    const slot = await slotOf(`(component (type $s (stream)) (core func $new (canon stream.new $s))
      (core module $mm (memory (export "memory") 1)) (core instance $mi (instantiate $mm))
      (core func $write (canon stream.write $s async ${MEM})) (core func $return (canon task.return (result $s)))
      (core module $m (import "h" "new" (func $new (result i64))) (import "h" "write" (func $write (param i32 i32 i32) (result i32))) (import "h" "return" (func $return (param i32)))
        (func (export "f") (local $pair i64) (local.set $pair (call $new)) (call $return (i32.wrap_i64 (local.get $pair)))
          (drop (call $write (i32.wrap_i64 (i64.shr_u (local.get $pair) (i64.const 32))) (i32.const 0) (i32.const -1)))))
      (core instance $i (instantiate $m (with "h" (instance (export "new" (func $new)) (export "write" (func $write)) (export "return" (func $return))))))
      (func (export "f") async (result $s) (canon lift (core func $i "f") async)))`);
    const pipe = await slot.call(null, 'f', []) as Pipe;
    let length = 0;
    pipe.attach({ write: (chunk) => { length += chunk.length; return true; }, end: () => undefined });
    expect(length).toBe(MAX_COUNT);
  });
});

/** Own handles through a stream from one instance to another; `dropped` tells what the host's destructor was given. */
const HANDLES = `(component
  (import "res" (instance $res (export "r" (type $r (sub resource))) (export "make" (func (param "n" u32) (result (own $r))))))
  (alias export $res "r" (type $r))
  (component $reader
    (import "r" (type $r (sub resource)))
    (type $s (stream (own $r)))
    (core module $mm ${MEMORY_WAT}) (core instance $mi (instantiate $mm))
    (core func $read (canon stream.read $s async ${MEM})) (core func $drop-stream (canon stream.drop-readable $s)) (core func $drop (canon resource.drop $r))
    (core module $m (import "h" "memory" (memory 1)) (import "h" "read" (func $read (param i32 i32 i32) (result i32))) (import "h" "drop-stream" (func $drop-stream (param i32)))
      (import "h" "drop" (func $drop (param i32)))
      (func (export "take") (param $s i32) (param $n i32)
        (if (local.get $n) (then (drop (call $read (local.get $s) (i32.const 64) (local.get $n))) (call $drop (i32.load (i32.const 64)))))
        (call $drop-stream (local.get $s))))
    (core instance $i (instantiate $m (with "h" (instance (export "memory" (memory $mi "memory")) (export "read" (func $read)) (export "drop-stream" (func $drop-stream)) (export "drop" (func $drop))))))
    (func (export "take") (param "s" $s) (param "n" u32) (canon lift (core func $i "take"))))
  (instance $reader (instantiate $reader (with "r" (type $r))))
  (component $writer
    (import "r" (type $r (sub resource)))
    (import "make" (func $make (param "n" u32) (result (own $r))))
    (type $s (stream (own $r)))
    (import "take" (func $take (param "s" $s) (param "n" u32)))
    (core module $mm ${MEMORY_WAT}) (core instance $mi (instantiate $mm))
    (core func $make (canon lower (func $make))) (core func $take (canon lower (func $take))) (core func $new (canon stream.new $s))
    (core func $write (canon stream.write $s async ${MEM})) (core func $drop (canon resource.drop $r))
    (core module $m (import "h" "memory" (memory 1)) (import "h" "make" (func $make (param i32) (result i32))) (import "h" "take" (func $take (param i32 i32)))
      (import "h" "new" (func $new (result i64))) (import "h" "write" (func $write (param i32 i32 i32) (result i32))) (import "h" "drop" (func $drop (param i32)))
      (func (export "go") (param $read i32) (param $drop i32) (local $pair i64)
        (i32.store (i32.const 16) (call $make (i32.const 1))) (i32.store (i32.const 20) (call $make (i32.const 2))) (i32.store (i32.const 24) (call $make (i32.const 3)))
        (local.set $pair (call $new))
        (drop (call $write (i32.wrap_i64 (i64.shr_u (local.get $pair) (i64.const 32))) (i32.const 16) (i32.const 3)))
        (call $take (i32.wrap_i64 (local.get $pair)) (local.get $read))
        (if (local.get $drop) (then (call $drop (i32.load (i32.const 16)))))))
    (core instance $i (instantiate $m (with "h" (instance (export "memory" (memory $mi "memory")) (export "make" (func $make)) (export "take" (func $take)) (export "new" (func $new))
      (export "write" (func $write)) (export "drop" (func $drop))))))
    (func (export "go") (param "read" u32) (param "drop" bool) (canon lift (core func $i "go"))))
  (alias export $res "make" (func $make))
  (instance $w (instantiate $writer (with "r" (type $r)) (with "make" (func $make)) (with "take" (func $reader "take"))))
  (export "go" (func $w "go")))`;

describe('handles in a stream whose reader goes away', () => {
  it.each([
    ['nothing was read', 0, false],
    ['one was read, which the reader drops', 1, false],
    ['all were read', 3, false],
    ['the writer drops one that was not read', 0, true],
  ])('are dropped once each: %s', async (_, read, drop) => {
    const dropped: number[] = [];
    const slot = await slotOf(HANDLES, { 'res#make': (n: number) => ({ n }), 'res#[resource-drop]r': ({ n }: { n: number }) => dropped.push(n) });
    for (let i = 0; i < 2; i++) {
      await slot.call(null, 'go', [read, drop]);
      expect(dropped.length).toBe(read > 0 || drop ? 1 : 0);
      slot.reset();
      expect(dropped.toSorted((a, b) => a - b)).toEqual([1, 2, 3]);
      dropped.length = 0;
      slot.instantiate(BUDGET_NS);
      expect(slot.difference).toBeNull();
    }
  });

  it('cannot be dropped by the writer once they were read', async () => {
    const dropped: number[] = [];
    const slot = await slotOf(HANDLES, { 'res#make': (n: number) => ({ n }), 'res#[resource-drop]r': ({ n }: { n: number }) => dropped.push(n) });
    await expect(slot.call(null, 'go', [2, true])).rejects.toMatchObject({ name: 'Trap' });
    expect(dropped.toSorted((a, b) => a - b)).toEqual([1, 2, 3]);
  });
});
