import { describe, expect, it } from '@jest/globals';
import { BUDGET_NS, slotOf, waiting } from './engine-harness.js';

/**
 * A component around another: `go` calls `run` of the child, which calls `back` of the parent, which does what `back` says. The parent's
 * table holds `run` at 0.
 */
function around(back: string): string {
  return `(component
    (import "wait" (func $wait))
    (component $child
      (import "back" (func $back (result u32)))
      (core func $back' (canon lower (func $back)))
      (core module $m (import "" "back" (func $back (result i32))) (func (export "run") (result i32) (i32.add (call $back) (i32.const 1))))
      (core instance $i (instantiate $m (with "" (instance (export "back" (func $back'))))))
      (func (export "run") (result u32) (canon lift (core func $i "run"))))
    (core func $wait' (canon lower (func $wait)))
    (core module $m2
      (import "" "wait" (func $wait))
      (type $run (func (result i32)))
      (table (export "table") 1 funcref)
      (func (export "back") (result i32) ${back}))
    (core instance $i2 (instantiate $m2 (with "" (instance (export "wait" (func $wait'))))))
    (func $back (result u32) (canon lift (core func $i2 "back")))
    (instance $child (instantiate $child (with "back" (func $back))))
    (core func $run' (canon lower (func $child "run")))
    (core module $m1
      (import "" "run" (func $run (result i32)))
      (import "m2" "table" (table 1 funcref))
      (elem (i32.const 0) func $run)
      (func (export "go") (result i32) (i32.add (call $run) (i32.const 1))))
    (core instance $i1 (instantiate $m1 (with "" (instance (export "run" (func $run')))) (with "m2" (instance $i2))))
    (func (export "go") (result u32) (canon lift (core func $i1 "go")))
    (export "run" (func $child "run")))`;
}

const AGAIN = 'a component instance cannot be entered again by what it called';

describe('entering component instances again', () => {
  it('lets a child call back into the parent around it, which is entered already', async () => {
    const slot = await slotOf(around('i32.const 40'), { '#wait': () => undefined });
    await expect(slot.call(null, 'go', [])).resolves.toBe(42);
  });

  it('lets a child that the host calls go into its parent', async () => {
    const slot = await slotOf(around('i32.const 40'), { '#wait': () => undefined });
    await expect(slot.call(null, 'run', [])).resolves.toBe(41);
  });

  it('traps when the parent then calls into the child, which has not returned', async () => {
    const slot = await slotOf(around('(call_indirect (type $run) (i32.const 0))'), { '#wait': () => undefined });
    await expect(slot.call(null, 'go', [])).rejects.toThrow(AGAIN);
    expect(slot.poisoned).toBe(true);
  });

  it('lets the parent wait for the host when its child called it', async () => {
    let letGo: () => void = () => undefined;
    const wait = waiting(() => new Promise<void>((resolve) => (letGo = resolve)));
    const slot = await slotOf(around('(call $wait) (i32.const 40)'), { '#wait': wait });
    const call = slot.call(null, 'go', []);
    letGo();
    await expect(call).resolves.toBe(42);
  });

  it('lets the child go back into a parent that waits for it, after the child itself waited for the host', async () => {
    const waits = around('i32.const 40')
      .replace('(import "back" (func $back (result u32)))', '(import "back" (func $back (result u32))) (import "wait" (func $wait)) (core func $wait\' (canon lower (func $wait)))')
      .replace('(import "" "back" (func $back (result i32))) (func (export "run") (result i32) (i32.add',
        '(import "" "back" (func $back (result i32))) (import "" "wait" (func $wait)) (func (export "run") (result i32) (call $wait) (i32.add')
      .replace('(export "back" (func $back\'))', '(export "back" (func $back\')) (export "wait" (func $wait\'))')
      .replace('(with "back" (func $back))', '(with "back" (func $back)) (with "wait" (func $wait))');
    const slot = await slotOf(waits, { '#wait': waiting(() => new Promise<void>((resolve) => setImmediate(resolve))) });
    await expect(slot.call(null, 'go', [])).resolves.toBe(42);
  });

  it('is as it was after each reset', async () => {
    const slot = await slotOf(around('i32.const 40'), { '#wait': () => undefined });
    for (let i = 0; i < 3; i++) {
      await expect(slot.call(null, 'go', [])).resolves.toBe(42);
      slot.reset();
      slot.instantiate(BUDGET_NS);
    }
  });
});
