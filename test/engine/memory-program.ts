import type { Random } from '../fixtures/random.js';

const I32_STORES = ['i32.store', 'i32.store8', 'i32.store16'];
const I64_STORES = ['i64.store', 'i64.store8', 'i64.store16', 'i64.store32'];
const LANES: [name: string, count: number][] = [['v128.store8_lane', 16], ['v128.store16_lane', 8], ['v128.store32_lane', 4], ['v128.store64_lane', 2]];
const OFFSETS = [0, 0, 0, 1, 8, 100, 239, 240, 241, 255, 256, 257, 4095, 4096, 5000, 65_535];
export const PROGRAM_PAGES = 2;
export const PROGRAM_MAX_PAGES = 6;

/**
 * A module that writes to its memory in every way there is: `f(x)` gives a number that depends on what it read. Addresses gather round
 * page edges. `wild`: some are out of bounds; else it may also grow its memory. Never both: a memory that has been larger before does
 * not trap where a new one would (card-marks.ts).
 */
export function memoryProgram(random: Random, wild: boolean): string {
  // a local that is used as it is must be in bounds for every offset, or not at all in a memory that grows
  const edges = wild ? 33 : 15;
  const address = (): string => {
    const edge = `(i32.const ${Math.max(0, random.below(edges) * 4096 + random.below(48) - 24)})`;
    const raw = random.pick([
      () => edge, () => edge, () => '(local.get $a)', () => `(local.tee $a ${edge})`, () => `(i32.mul (local.get $x) (i32.const ${random.below(9_999)}))`,
      () => `(i32.load (i32.const ${random.below(30_000)}))`,
    ])();
    if (random.below(4) === 0) return '(local.get $a)';
    if (wild) return random.below(12) === 0 ? `(i32.const ${random.pick([-1, -16, -256, 131_072, 131_071, 65_536 * 200])})` : raw;
    // the largest offset and the widest access stay inside
    return `(i32.rem_u ${raw} (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 65600)))`;
  };
  const step = (): string => (wild ? '(i32.add (local.get $a) (i32.const 4090))' : address());
  const number = (): string => random.pick(['(local.get $x)', '(local.get $a)', `(i32.const ${random.below(1e9)})`, `(i32.add (local.get $x) (i32.const ${random.below(99)}))`, '(global.get $g)']);
  const long = (): string => random.pick([`(i64.extend_i32_u ${number()})`, `(i64.const ${random.below(1e9)}777)`]);
  const vector = (): string => random.pick([`(i32x4.splat ${number()})`, '(v128.const i32x4 1 2 3 4)']);
  const offset = (): string => `offset=${random.pick(OFFSETS)}`;
  const place = (): string => random.pick([
    () => `(i32.const ${random.below(wild ? 32 : 24) * 4096 + random.below(3) * 2048})`,
    () => '(i32.and (local.get $x) (i32.const 16383))',
    () => `(i32.const ${random.below(60_000)})`,
  ])();
  const count = (): string => random.pick([() => `(i32.const ${random.pick([0, 1, 5, 4095, 4096, 4097, 9_000, 20_000])})`, () => '(i32.and (local.get $x) (i32.const 8191))'])();

  const statements: (() => string)[] = [
    () => `(${random.pick(I32_STORES)} ${offset()} ${address()} ${number()})`,
    () => `(${random.pick(I32_STORES)} ${offset()} ${address()} ${number()})`,
    () => `(${random.pick(I64_STORES)} ${offset()} ${address()} ${long()})`,
    () => `(f32.store ${offset()} ${address()} (f32.convert_i32_s ${number()}))`,
    () => `(f64.store ${offset()} ${address()} ${random.pick(['(f64.const 2.5)', `(f64.convert_i32_s ${number()})`])})`,
    () => `(v128.store ${offset()} ${address()} ${vector()})`,
    () => {
      const [name, lanes] = random.pick(LANES);
      return `(${name} ${offset()} ${random.below(lanes)} ${address()} ${vector()})`;
    },
    () => `(memory.fill ${place()} ${number()} ${count()})`,
    () => `(memory.copy ${place()} ${place()} ${count()})`,
    () => `(memory.init $d ${place()} (i32.const ${random.below(4)}) (i32.const ${random.below(12)}))`,
    () => `(global.set $g (i32.xor (global.get $g) (i32.load ${offset()} ${address()})))`,
    () => `(local.set $a ${address()})`,
    () => `(i32.store ${offset()} (local.get $a) (i32.add ${number()} (local.tee $a ${address()})))`,
    () => `(i64.store ${offset()} (local.get $a) ${long()}) (f32.store ${offset()} (local.get $a) (f32.const 1))`,
    () => `(block $out (if ${number()} (then (local.set $a ${address()}) (br_if $out ${number()}) (i32.store ${offset()} (local.get $a) ${number()})) (else ${statement()})) ${statement()})`,
    () => `(if ${number()} (then (i32.store ${offset()} (local.get $a) ${number()})) (else (i32.store8 ${offset()} (local.get $a) ${number()})))`,
    () => `(if ${number()} (then ${statement()} ${statement()}) (else ${statement()}))`,
    () => `(block (br_if 0 ${number()}) ${statement()})`,
    () => `(local.set $n (i32.const ${1 + random.below(4)})) (loop ${statement()} (local.set $a ${step()}) ${statement()} (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))`,
    ...(wild ? [] : [() => `(global.set $g (i32.add (global.get $g) (memory.grow (i32.const ${random.pick([0, 1, 1, 2, 5, 70_000, -1])}))))`]),
    () => '(global.set $g (i32.add (global.get $g) (memory.size)))',
  ];
  function statement(): string {
    // nested statements share one counter: only the outermost may loop
    const made = random.pick(statements)();
    return made.includes('(loop') ? `(local.set $a ${address()})` : made;
  }
  const body = Array.from({ length: 12 }, () => random.pick(statements)()).join('\n    ');
  return `(module
  (memory (export "memory") ${PROGRAM_PAGES} ${PROGRAM_MAX_PAGES}) (global $g (export "g") (mut i32) (i32.const 3))
  (data (i32.const 4090) "some data across a page's edge") (data $d "passive segment!")
  (func (export "f") (param $x i32) (result i32) (local $a i32) (local $n i32)
    ${body}
    (i32.add (global.get $g) (i32.load (i32.and (local.get $a) (i32.const 65535))))))`;
}
