import { describe, expect, it } from '@jest/globals';
import { parse } from '@bytecodealliance/jco';
import { decodeComponent } from '#engine/build/decode/component.js';
import { elideShims } from './elide-shims.js';
import { linkComponent } from './linker.js';

interface Variation {
  /** Body of the shim's function, and what the fixup puts in its place. */
  shim?: string;
  fixed?: string;
  /** What `main` gets as the module `x`. */
  given?: string;
}

/** What wit-component makes of a component whose import needs the memory of the module that calls it. */
async function plan({ shim = '(call_indirect (type $t) (local.get 0) (local.get 1) (i32.const 0))', fixed = '$lowered', given }: Variation = {}) {
  const wat = `(component
    (import "log" (func $log (param "text" string)))
    (core module $main (import "x" "log" (func (param i32 i32))) (memory (export "memory") 1)
      (func (export "own") (param i32 i32)) (func (export "go")))
    (core module $shim (type $t (func (param i32 i32))) (table (export "$imports") 1 1 funcref) (func (export "0") (type $t) ${shim}))
    (core module $fixup (import "" "0" (func (param i32 i32))) (import "" "$imports" (table 1 1 funcref)) (elem (i32.const 0) func 0))
    (core instance $shim (instantiate $shim))
    (alias core export $shim "0" (core func $late))
    (core instance $x (export "log" (func $late)))
    (core instance $main (instantiate $main (with "x" ${given ?? '(instance $x)'})))
    (alias core export $main "memory" (core memory $memory))
    (alias core export $main "own" (core func $own))
    (alias core export $shim "$imports" (core table $table))
    (core func $lowered (canon lower (func $log) (memory $memory)))
    (core instance $fill (export "0" (func ${fixed})) (export "$imports" (table $table)))
    (core instance (instantiate $fixup (with "" (instance $fill))))
    (func (export "go") (canon lift (core func $main "go"))))`;
  return elideShims(linkComponent(decodeComponent(await parse(wat)))).plan;
}

describe(elideShims.name, () => {
  it('puts host functions straight into the imports and renumbers what is left', async () => {
    const { steps, trampolines, lifts } = await plan();
    expect(steps).toEqual([{ module: 1, instance: 0, args: [['x', { k: 'bag', exports: { log: { k: 'trampoline', id: 0 } } }]] }]);
    expect(trampolines).toMatchObject([{ options: { memory: { k: 'export', step: 0, name: 'memory' } } }]);
    expect(lifts).toMatchObject([{ core: { k: 'export', step: 0, name: 'go' } }]);
  });

  it('keeps the shim for functions of another module', async () => {
    const { steps } = await plan({ fixed: '$own' });
    expect(steps).toHaveLength(3);
    expect(steps[1]!.args).toEqual([['x', { k: 'bag', exports: { log: { k: 'export', step: 0, name: '0' } } }]]);
  });

  it('leaves a module alone that does more than a shim', async () => {
    expect((await plan({ shim: '(call_indirect (type $t) (local.get 1) (local.get 0) (i32.const 0))' })).steps).toHaveLength(3);
    expect((await plan({ shim: '(nop) (call_indirect (type $t) (local.get 0) (local.get 1) (i32.const 0))' })).steps).toHaveLength(3);
  });

  it('leaves a slot that nobody fills, so that it traps as before', async () => {
    const { steps } = await plan({ shim: '(call_indirect (type $t) (local.get 0) (local.get 1) (i32.const 9))' });
    expect(steps[1]!.args).toEqual([['x', { k: 'bag', exports: { log: { k: 'export', step: 0, name: '0' } } }]]);
  });
});
