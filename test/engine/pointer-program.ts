import type { Random } from '../fixtures/random.js';

const POINTERS = 5;
const OFFSETS = [0, 0, 4, 8, 12, 100, 224, 228, 239, 240, 241, 252, 480, 1020, 1024];
const STEPS = [1, 4, 8, 16, 100, 232, 240, 241, 256, 1000, 1024, 2048, 7000];

/**
 * A module that stores through locals which hold addresses, in control flow of every kind: `f(seed)`. What it does where is decided at run
 * time by a number that goes on from the seed, so that one program goes many ways. Addresses lie far from each other, so that a store
 * without a mark is seen; a few are out of bounds.
 */
export function pointerProgram(random: Random): string {
  let labels = 0;
  const pointer = (): string => `$p${random.below(POINTERS)}`;
  const place = (): string => `(i32.const ${random.below(60) * 2048 + random.pick([0, 0, 8, 1000, 1023])})`;
  const bit = '(call $bit)';

  function address(depth: number): string {
    return random.pick([
      () => `(local.get ${pointer()})`, () => `(local.get ${pointer()})`, () => `(local.get ${pointer()})`,
      () => `(i32.add (local.get ${pointer()}) (i32.const ${random.pick(STEPS)}))`,
      () => `(i32.add (i32.const ${random.pick(STEPS)}) (local.get ${pointer()}))`,
      () => `(i32.sub (local.get ${pointer()}) (i32.const ${random.pick(STEPS)}))`,
      () => `(local.tee ${pointer()} ${depth > 0 ? address(depth - 1) : place()})`,
      place,
      ...(depth === 0 ? [] : [
        () => `(select ${address(depth - 1)} ${address(depth - 1)} ${bit})`,
        () => `(if (result i32) ${bit} (then ${body(depth - 1, 2)} ${address(depth - 1)}) (else ${body(depth - 1, 2)} ${address(depth - 1)}))`,
        () => `(call $keep ${address(depth - 1)})`,
        () => {
          const label = `$l${labels++}`;
          return `(block ${label} (result i32) ${address(depth - 1)} (br_if ${label} ${bit}) ${body(depth - 1, 2)} (drop) ${address(depth - 1)})`;
        },
        () => `${address(depth - 1)} ${address(depth - 1)} (block (param i32 i32) (result i32) (local.set ${pointer()}) ${body(depth - 1, 1)})`,
      ]),
    ])();
  }

  function body(depth: number, most: number): string {
    return Array.from({ length: 1 + random.below(most) }, () => statement(depth)).join(' ');
  }

  function statement(depth: number): string {
    const assign = () => `(local.set ${pointer()} ${random.below(3) === 0 ? place() : address(Math.min(depth, 1))})`;
    const store = () => random.pick([
      () => `(i32.store offset=${random.pick(OFFSETS)} ${address(depth)} (i32.const -1))`,
      () => `(i32.store8 offset=${random.pick(OFFSETS)} ${address(depth)} ${address(Math.min(depth, 1))})`,
      () => `(i64.store offset=${random.pick(OFFSETS)} ${address(depth)} (i64.const -1))`,
      () => `(v128.store offset=${random.pick(OFFSETS)} ${address(depth)} (v128.const i64x2 -1 -1))`,
    ])();
    if (depth === 0) return random.pick([assign, store, store])();
    const label = `$l${labels++}`;
    const inner = (most = 3): string => body(depth - 1, most);
    return random.pick([
      assign, store, store,
      () => `(block ${label} ${inner()} (br_if ${label} ${bit}) ${inner()})`,
      () => `(if ${bit} (then ${inner()}) (else ${inner()}))`,
      () => `(if ${bit} (then ${inner()}))`,
      () => `(loop ${label} ${inner()} (br_if ${label} ${bit}) ${inner(1)})`,
      () => {
        const moved = pointer();
        const through = () => `(i32.store offset=${random.pick(OFFSETS)} (local.get ${moved}) (i32.const -1))`;
        return `${through()} (loop ${label} ${through()} ${inner(1)} (local.set ${moved} ${address(1)}) (br_if ${label} ${bit}))`;
      },
      () => `(loop ${label} ${inner(1)} (if ${bit} (then ${inner()} (br ${label}))) ${inner(1)})`,
      () => `(block ${label} (loop $in${label.slice(1)} ${inner()} (br_table ${label} $in${label.slice(1)} ${bit})) ${inner()})`,
      () => `(block ${label} (try_table (catch_all ${label}) ${inner()} (if ${bit} (then (throw $e))) ${inner()}))`,
      () => `(if ${bit} (then ${inner(1)} (return)))`,
    ])();
  }

  return `(module
  (memory (export "memory") 2 2) (tag $e) (global $n (mut i32) (i32.const 0)) (global $fuel (mut i32) (i32.const 0))
  (func $bit (result i32)
    (global.set $n (i32.mul (i32.xor (global.get $n) (i32.shr_u (global.get $n) (i32.const 15))) (i32.const 0x2c1b3c6d)))
    (global.set $n (i32.add (i32.xor (global.get $n) (i32.shr_u (global.get $n) (i32.const 12))) (i32.const 77)))
    (global.set $fuel (i32.sub (global.get $fuel) (i32.const 1)))
    (i32.and (i32.gt_s (global.get $fuel) (i32.const 0)) (i32.shr_u (global.get $n) (i32.const 9))))
  (func $keep (param i32) (result i32) (local.get 0))
  (func (export "f") (param $seed i32) ${Array.from({ length: POINTERS }, (_, i) => `(local $p${i} i32)`).join(' ')}
    (global.set $n (local.get $seed)) (global.set $fuel (i32.const 60))
    ${Array.from({ length: POINTERS }, (_, i) => `(local.set $p${i} ${place()})`).join(' ')}
    ${body(4, 6)}))`;
}
