import { describe, expect, it } from '@jest/globals';
import { BUDGET_NS, MEMORY_WAT, slotOf } from './engine-harness.js';

const MEM = '(memory (core memory $mi "memory"))';
const [RETURNED, CANCELLED_BEFORE_STARTED, CANCELLED_BEFORE_RETURNED] = [2, 3, 4];

/** A callee that waits on an empty set until it is cancelled, then does `whenCancelled`; its caller does `body`. */
const component = (whenCancelled: string, body: string): string => `(component
  (component $callee
    (core func $set (canon waitable-set.new)) (core func $return (canon task.return (result u32))) (core func $cancel (canon task.cancel))
    (core func $inc (canon backpressure.inc)) (core func $dec (canon backpressure.dec))
    (core module $m (import "h" "set" (func $set (result i32))) (import "h" "return" (func $return (param i32))) (import "h" "cancel" (func $cancel))
      (import "h" "inc" (func $inc)) (import "h" "dec" (func $dec))
      (func (export "slow") (result i32) (i32.or (i32.const 2) (i32.shl (call $set) (i32.const 4))))
      (func (export "callback") (param i32 i32 i32) (result i32) (if (i32.ne (local.get 0) (i32.const 6)) (then unreachable)) ${whenCancelled} (i32.const 0))
      (func (export "hold") (call $inc)) (func (export "let-go") (call $dec)))
    (core instance $i (instantiate $m (with "h" (instance (export "set" (func $set)) (export "return" (func $return)) (export "cancel" (func $cancel)) (export "inc" (func $inc)) (export "dec" (func $dec))))))
    (func (export "slow") async (result u32) (canon lift (core func $i "slow") async (callback (core func $i "callback"))))
    (func (export "hold") (canon lift (core func $i "hold"))) (func (export "let-go") (canon lift (core func $i "let-go"))))
  (instance $callee (instantiate $callee))
  (component $caller
    (import "slow" (func $slow async (result u32))) (import "hold" (func $hold)) (import "let-go" (func $let-go))
    (core module $mm ${MEMORY_WAT}) (core instance $mi (instantiate $mm))
    (core func $slow (canon lower (func $slow) async ${MEM})) (core func $hold (canon lower (func $hold))) (core func $let-go (canon lower (func $let-go)))
    (core func $cancel (canon subtask.cancel)) (core func $drop (canon subtask.drop))
    (core module $m (import "h" "memory" (memory 1)) (import "h" "slow" (func $slow (param i32) (result i32))) (import "h" "hold" (func $hold)) (import "h" "let-go" (func $let-go))
      (import "h" "cancel" (func $cancel (param i32) (result i32))) (import "h" "drop" (func $drop (param i32)))
      (func $start (result i32) (i32.shr_u (call $slow (i32.const 64)) (i32.const 4)))
      (func (export "f") (result i32) (local $t i32) (local $state i32) ${body}))
    (core instance $i (instantiate $m (with "h" (instance (export "memory" (memory $mi "memory")) (export "slow" (func $slow)) (export "hold" (func $hold)) (export "let-go" (func $let-go))
      (export "cancel" (func $cancel)) (export "drop" (func $drop))))))
    (func (export "f") async (result u32) (canon lift (core func $i "f"))))
  (instance $out (instantiate $caller (with "slow" (func $callee "slow")) (with "hold" (func $callee "hold")) (with "let-go" (func $callee "let-go"))))
  (export "f" (func $out "f")))`;

const CANCEL = '(local.set $t (call $start)) (local.set $state (call $cancel (local.get $t))) (call $drop (local.get $t))';

describe('subtask.cancel', () => {
  it.each<[state: string, whenCancelled: string, body: string, expected: number]>([
    ['before it started', 'unreachable', `(call $hold) ${CANCEL} (call $let-go) (local.get $state)`, CANCELLED_BEFORE_STARTED],
    ['while it waits, and it gives up', '(call $cancel)', `${CANCEL} (local.get $state)`, CANCELLED_BEFORE_RETURNED],
    ['while it waits, and it answers all the same', '(call $return (i32.const 7))', `${CANCEL} (i32.add (i32.mul (local.get $state) (i32.const 100)) (i32.load (i32.const 64)))`, RETURNED * 100 + 7],
  ])('ends a call %s', async (_, whenCancelled, body, expected) => {
    const slot = await slotOf(component(whenCancelled, body));
    for (let i = 0; i < 2; i++) {
      expect(await slot.call(null, 'f', [])).toBe(expected);
      slot.reset();
      slot.instantiate(BUDGET_NS);
      expect(slot.difference).toBeNull();
    }
  });

  it.each<[what: string, whenCancelled: string, body: string]>([
    ['is asked twice', '(call $cancel)', '(local.set $t (call $start)) (drop (call $cancel (local.get $t))) (call $cancel (local.get $t))'],
    ['comes after the drop', '(call $cancel)', `${CANCEL} (call $cancel (local.get $t))`],
    ['is answered twice', '(call $cancel) (call $return (i32.const 1))', `${CANCEL} (i32.const 0)`],
    ['is answered by nothing', '', `${CANCEL} (i32.const 0)`],
  ])('traps when it %s', async (_, whenCancelled, body) => {
    await expect((await slotOf(component(whenCancelled, body))).call(null, 'f', [])).rejects.toMatchObject({ name: 'Trap' });
  });

  it('is not what drops a call that still runs', async () => {
    const slot = await slotOf(component('', '(call $drop (call $start)) (i32.const 0)'));
    await expect(slot.call(null, 'f', [])).rejects.toMatchObject({ name: 'Trap' });
  });
});
