import { describe, expect, it } from '@jest/globals';
import type { Slot } from '#engine/run/slot.js';
import { BUDGET_NS, MEMORY_WAT, settled, slotOf } from './engine-harness.js';

const MEM = '(memory (core memory $mi "memory"))';
const BLOCKED = 0xffff_ffff;
const [COMPLETED, DROPPED, CANCELLED] = [0, 1, 2];
/** The outcome of a copy and how many elements it got to (CanonicalABI.md, `pack_copy_result`). */
const packed = (result: number, count: number): number => result | (count << 4);

/** Built-ins by the names that the guest calls them, and the types of their core functions. */
const BUILTINS: [name: string, canon: string, type: string][] = [
  ['new', 'stream.new $s', '(result i64)'],
  ['read', `stream.read $s async ${MEM}`, '(param i32 i32 i32) (result i32)'],
  ['write', `stream.write $s async ${MEM}`, '(param i32 i32 i32) (result i32)'],
  ['cancel-read', 'stream.cancel-read $s', '(param i32) (result i32)'],
  ['cancel-write', 'stream.cancel-write $s', '(param i32) (result i32)'],
  ['drop-readable', 'stream.drop-readable $s', '(param i32)'],
  ['drop-writable', 'stream.drop-writable $s', '(param i32)'],
  ['f-new', 'future.new $f', '(result i64)'],
  ['f-read', `future.read $f async ${MEM}`, '(param i32 i32) (result i32)'],
  ['f-write', `future.write $f async ${MEM}`, '(param i32 i32) (result i32)'],
  ['f-cancel-read', 'future.cancel-read $f', '(param i32) (result i32)'],
  ['f-cancel-write', 'future.cancel-write $f', '(param i32) (result i32)'],
  ['f-drop-w', 'future.drop-writable $f', '(param i32)'],
  ['yield', 'thread.yield', '(result i32)'],
  ['e-new', `error-context.new ${MEM}`, '(param i32 i32) (result i32)'],
  ['e-message', `error-context.debug-message ${MEM} (realloc (core func $mi "realloc"))`, '(param i32 i32)'],
  ['e-drop', 'error-context.drop', '(param i32)'],
  ['set', 'waitable-set.new', '(result i32)'],
  ['poll', `waitable-set.poll ${MEM}`, '(param i32 i32) (result i32)'],
  ['set-drop', 'waitable-set.drop', '(param i32)'],
  ['join', 'waitable.join', '(param i32 i32)'],
  ['inc', 'backpressure.inc', ''],
  ['dec', 'backpressure.dec', ''],
];

/** A guest that does this with both ends of a stream and of a future and gives a number; `hold` and `let-go` are for its backpressure. */
const guest = (body: string): string => `(component
  (core module $mm ${MEMORY_WAT} (data (i32.const 16) "abcdefgh"))
  (core instance $mi (instantiate $mm))
  (type $s (stream u8)) (type $f (future u32))
  ${BUILTINS.map(([name, canon]) => `(core func $${name} (canon ${canon}))`).join('\n')}
  (core func $return (canon task.return (result u32) ${MEM}))
  (core module $m
    (import "h" "memory" (memory 1)) (import "h" "return" (func $return (param i32)))
    ${BUILTINS.map(([name, , type]) => `(import "h" "${name}" (func $${name} ${type}))`).join('\n')}
    (func (export "f") (result i32) (local $pair i64) (local $r i32) (local $w i32) (local $fr i32) (local $fw i32) (local $e i32) (local $set i32)
      (local.set $pair (call $new)) (local.set $r (i32.wrap_i64 (local.get $pair))) (local.set $w (i32.wrap_i64 (i64.shr_u (local.get $pair) (i64.const 32))))
      (local.set $pair (call $f-new)) (local.set $fr (i32.wrap_i64 (local.get $pair))) (local.set $fw (i32.wrap_i64 (i64.shr_u (local.get $pair) (i64.const 32))))
      ${body})
    (func $poll-one (param i32) (result i32) (local $set i32) (local.set $set (call $set)) (call $join (local.get 0) (local.get $set)) (call $poll (local.get $set) (i32.const 400)))
    (func (export "hold") (call $inc)) (func (export "let-go") (call $inc) (call $dec))
    (func (export "answer") (result i32) (call $return (i32.const 5)) (i32.const 0))
    (func (export "callback") (param i32 i32 i32) (result i32) (i32.const 0)))
  (core instance $i (instantiate $m (with "h" (instance (export "memory" (memory $mi "memory")) (export "return" (func $return))
    ${BUILTINS.map(([name]) => `(export "${name}" (func $${name}))`).join(' ')}))))
  (func (export "f") (result u32) (canon lift (core func $i "f")))
  (func (export "hold") (canon lift (core func $i "hold"))) (func (export "let-go") (canon lift (core func $i "let-go")))
  (func (export "answer") async (result u32) (canon lift (core func $i "answer") async (callback (core func $i "callback")) ${MEM})))`;

const read = (count: number): string => `(call $read (local.get $r) (i32.const 256) (i32.const ${count}))`;
const write = (count: number): string => `(call $write (local.get $w) (i32.const 16) (i32.const ${count}))`;

describe('a guest with both ends of a stream', () => {
  it.each([
    ['waits when nobody writes', read(4), BLOCKED],
    ['gives up a read that got nothing', `(drop ${read(4)}) (call $cancel-read (local.get $r))`, packed(CANCELLED, 0)],
    ['reads again after it gave up', `(drop ${read(4)}) (drop (call $cancel-read (local.get $r))) (drop ${write(3)}) ${read(8)}`, packed(COMPLETED, 3)],
    ['gives up a write that got nowhere', `(drop ${write(8)}) (call $cancel-write (local.get $w))`, packed(CANCELLED, 0)],
    ['gives up a write that got somewhere', `(drop ${write(8)}) (drop ${read(3)}) (call $cancel-write (local.get $w))`, packed(CANCELLED, 3)],
    ['learns that the reader went away', `(drop ${write(8)}) (call $drop-readable (local.get $r)) (call $cancel-write (local.get $w))`, packed(DROPPED, 0)],
    ['learns that the writer went away', `(drop ${read(8)}) (call $drop-writable (local.get $w)) (call $cancel-read (local.get $r))`, packed(DROPPED, 0)],
    ['reads nothing from a writer that went away', `(call $drop-writable (local.get $w)) ${read(8)}`, packed(DROPPED, 0)],
    ['gives up a future that it waits for', '(drop (call $f-read (local.get $fr) (i32.const 300))) (call $f-cancel-read (local.get $fr))', CANCELLED],
    ['gives up a future that it gives', '(drop (call $f-write (local.get $fw) (i32.const 16))) (call $f-cancel-write (local.get $fw))', CANCELLED],
    ['gets the value of a future', '(drop (call $f-write (local.get $fw) (i32.const 16))) (drop (call $f-read (local.get $fr) (i32.const 300))) (i32.load (i32.const 300))', 0x64636261],
    ['polls a set in which nothing happened', `(local.set $set (call $set)) (drop ${read(4)}) (call $join (local.get $r) (local.get $set)) (call $poll (local.get $set) (i32.const 400))`, 0],
    ['polls an event', `(local.set $set (call $set)) (drop ${read(4)}) (call $join (local.get $r) (local.get $set)) (drop ${write(2)})
      (drop (call $poll (local.get $set) (i32.const 400))) (i32.load (i32.const 404))`, packed(COMPLETED, 2)],
    ['drops its end of a future that it gave', '(drop (call $f-write (local.get $fw) (i32.const 16))) (drop (call $f-read (local.get $fr) (i32.const 300))) (drop (call $poll-one (local.get $fw))) (call $f-drop-w (local.get $fw)) (i32.const 9)', 9],
    ['yields to nobody', '(call $yield)', 0],
    ['says what an error is', `(local.set $e (call $e-new (i32.const 16) (i32.const 4))) (call $e-message (local.get $e) (i32.const 500)) (call $e-drop (local.get $e))
      (i32.load (i32.load (i32.const 500)))`, 0x64636261],
  ])('%s', async (_, body, expected) => {
    const slot = await slotOf(guest(body));
    for (let i = 0; i < 2; i++) {
      expect(await slot.call(null, 'f', [])).toBe(expected);
      slot.reset();
      slot.instantiate(BUDGET_NS);
    }
  });

  it.each([
    ['cancels nothing', '(call $cancel-read (local.get $r))', 'no copy to cancel'],
    ['reads twice at once', `(drop ${read(1)}) ${read(1)}`, 'busy or done'],
    ['drops an end that copies', `(drop ${read(1)}) (call $drop-readable (local.get $r)) (i32.const 0)`, 'during a copy'],
    ['takes one end for the other', '(call $read (local.get $w) (i32.const 256) (i32.const 1))', ''],
    ['reads into what is no memory', '(call $read (local.get $r) (i32.const -4) (i32.const 100))', ''],
    ['drops the end of a future that it gave no value', '(call $f-drop-w (local.get $fw)) (i32.const 0)', 'dropped without a value'],
    ['drops it after it gave up the value', '(drop (call $f-write (local.get $fw) (i32.const 16))) (drop (call $f-cancel-write (local.get $fw))) (call $f-drop-w (local.get $fw)) (i32.const 0)', 'dropped without a value'],
    ['uses an error that it dropped', '(local.set $e (call $e-new (i32.const 16) (i32.const 4))) (call $e-drop (local.get $e)) (call $e-drop (local.get $e)) (i32.const 0)', ''],
    ['drops a set with an end in it', '(local.set $set (call $set)) (call $join (local.get $r) (local.get $set)) (call $set-drop (local.get $set)) (i32.const 0)', ''],
    ['lets go what it never held back', '(call $dec) (i32.const 0)', ''],
  ])('traps when it %s', async (_, body, message) => {
    const slot = await slotOf(guest(body));
    await expect(slot.call(null, 'f', [])).rejects.toMatchObject({ name: 'Trap', message: expect.stringContaining(message) });
  });
});

describe('backpressure', () => {
  function answers(slot: Slot<unknown>): unknown[] {
    const told: unknown[] = [];
    slot.start(null, 'answer', [], { result: (value) => told.push(value), exit: () => undefined, fail: () => told.push('failed') });
    return told;
  }

  it('keeps calls out as long as the guest asks for it', async () => {
    const slot = await slotOf(guest('(i32.const 0)'));
    await slot.call(null, 'let-go', []);
    expect(answers(slot)).toEqual([5]);
    await settled();
    await slot.call(null, 'hold', []);
    const told = answers(slot);
    await settled();
    expect([told, slot.busy]).toEqual([[], true]);
    slot.reset();
    slot.instantiate(BUDGET_NS);
    expect(told).toEqual(['failed']);
    expect(answers(slot)).toEqual([5]);
    await settled();
  });
});
