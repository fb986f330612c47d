import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco';

/** One function `name: func(v: T) -> T` of the interface `t:t/echo`, imported and exported. */
export interface EchoCase {
  name: string;
  /** The type in WIT. */
  type: string;
  /** Flattened types, as the specification gives them. */
  flat: string[];
  values: unknown[];
}

const seven = Array.from({ length: 17 }, (_, i) => `f${i}: u8`).join(', ');

export const TYPES = `
  record point { x: s32, y: f64, the-name: string }
  record wide { ${seven} }
  record mixed { a: u8, b: u64, c: list<u16>, d: option<point> }
  variant shape { none-at-all, circle(f32), named(string), big(u64), pair(tuple<u8, f64>) }
  enum colour { red, dark-green, blue }
  flags perms { can-read, can-write, can-exec }
  flags many { ${Array.from({ length: 20 }, (_, i) => `flag-${i}`).join(', ')} }
`;

const point = { x: -5, y: 2.5, theName: 'π' };
const wide = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`f${i}`, i * 3]));
const many = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`flag${i}`, i % 3 === 0]));

export const CASES: EchoCase[] = [
  { name: 'e-bool', type: 'bool', flat: ['i32'], values: [true, false] },
  { name: 'e-u8', type: 'u8', flat: ['i32'], values: [0, 255] },
  { name: 'e-s8', type: 's8', flat: ['i32'], values: [-128, 127] },
  { name: 'e-u16', type: 'u16', flat: ['i32'], values: [65535] },
  { name: 'e-s16', type: 's16', flat: ['i32'], values: [-32768] },
  { name: 'e-u32', type: 'u32', flat: ['i32'], values: [4294967295, 0] },
  { name: 'e-s32', type: 's32', flat: ['i32'], values: [-2147483648, 2147483647] },
  { name: 'e-u64', type: 'u64', flat: ['i64'], values: [18446744073709551615n] },
  { name: 'e-s64', type: 's64', flat: ['i64'], values: [-9223372036854775808n] },
  { name: 'e-f32', type: 'f32', flat: ['f32'], values: [1.5, -0, Infinity, NaN] },
  { name: 'e-f64', type: 'f64', flat: ['f64'], values: [Math.PI, -Infinity, NaN] },
  { name: 'e-char', type: 'char', flat: ['i32'], values: ['a', '€', '😀'] },
  { name: 'e-string', type: 'string', flat: ['i32', 'i32'], values: ['', 'plain', 'grüße', '日本', '😀\u0000\ufeff', '\ufffd'] },
  { name: 'e-bytes', type: 'list<u8>', flat: ['i32', 'i32'], values: [Uint8Array.of(), Uint8Array.of(1, 2, 255)] },
  { name: 'e-s16s', type: 'list<s16>', flat: ['i32', 'i32'], values: [Int16Array.of(-1, 300)] },
  { name: 'e-u64s', type: 'list<u64>', flat: ['i32', 'i32'], values: [BigUint64Array.of(1n, 2n ** 63n)] },
  { name: 'e-f32s', type: 'list<f32>', flat: ['i32', 'i32'], values: [Float32Array.of(0.5, -2)] },
  { name: 'e-bools', type: 'list<bool>', flat: ['i32', 'i32'], values: [[true, false, true]] },
  { name: 'e-strings', type: 'list<string>', flat: ['i32', 'i32'], values: [[], ['a', '', 'ü']] },
  { name: 'e-lists', type: 'list<list<u32>>', flat: ['i32', 'i32'], values: [[Uint32Array.of(1), Uint32Array.of(), Uint32Array.of(2, 3)]] },
  { name: 'e-tuple', type: 'tuple<u8, string, f32>', flat: ['i32', 'i32', 'i32', 'f32'], values: [[7, 'x', 0.25]] },
  { name: 'e-point', type: 'point', flat: ['i32', 'f64', 'i32', 'i32'], values: [point] },
  { name: 'e-points', type: 'list<point>', flat: ['i32', 'i32'], values: [[point, { ...point, x: 1, theName: '' }]] },
  { name: 'e-wide', type: 'wide', flat: ['i32'], values: [wide] },
  {
    name: 'e-mixed', type: 'mixed', flat: ['i32', 'i64', 'i32', 'i32', 'i32', 'i32', 'f64', 'i32', 'i32'],
    values: [{ a: 1, b: 2n, c: Uint16Array.of(3), d: point }, { a: 1, b: 2n, c: Uint16Array.of(), d: undefined }],
  },
  {
    name: 'e-shape', type: 'shape', flat: ['i32', 'i64', 'f64'].map((t, i) => (i === 2 ? 'i64' : t)),
    values: [
      { tag: 'none-at-all' }, { tag: 'circle', val: 1.5 }, { tag: 'named', val: 'né' }, { tag: 'big', val: 2n ** 64n - 1n }, { tag: 'pair', val: [9, -0.5] },
    ],
  },
  { name: 'e-shapes', type: 'list<shape>', flat: ['i32', 'i32'], values: [[{ tag: 'circle', val: 1.5 }, { tag: 'pair', val: [9, 1e300] }, { tag: 'none-at-all' }]] },
  { name: 'e-colour', type: 'colour', flat: ['i32'], values: ['red', 'dark-green', 'blue'] },
  { name: 'e-perms', type: 'perms', flat: ['i32'], values: [{ canRead: true, canWrite: false, canExec: true }] },
  { name: 'e-many', type: 'many', flat: ['i32'], values: [many] },
  { name: 'e-option', type: 'option<u32>', flat: ['i32', 'i32'], values: [undefined, 0, 7] },
  { name: 'e-option-string', type: 'option<string>', flat: ['i32', 'i32', 'i32'], values: [undefined, '', 'x'] },
  {
    name: 'e-option-option', type: 'option<option<u8>>', flat: ['i32', 'i32', 'i32'],
    values: [{ tag: 'none' }, { tag: 'some', val: undefined }, { tag: 'some', val: 3 }],
  },
  {
    name: 'e-results', type: 'list<result<u64, string>>', flat: ['i32', 'i32'],
    values: [[{ tag: 'ok', val: 5n }, { tag: 'err', val: 'no' }]],
  },
  {
    name: 'e-result-in-tuple', type: 'tuple<result<f32, u32>, result, result<_, string>>', flat: ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
    values: [[{ tag: 'ok', val: 1.5 }, { tag: 'ok' }, { tag: 'err', val: 'e' }], [{ tag: 'err', val: 9 }, { tag: 'err' }, { tag: 'ok' }]],
  },
];

const resultsOf = ({ name, flat }: EchoCase): string[] => (name === 'e-wide' ? ['i32', 'i32'] : flat);

function functionsWat(echo: EchoCase, index: number): { imported: string; exported: string } {
  const { name, flat } = echo;
  const params = flat.join(' ');
  const pass = flat.map((_, i) => `(local.get ${i})`).join(' ');
  if (resultsOf(echo).length === 1) {
    return {
      imported: `(import "t:t/echo" "${name}" (func $i${index} (param ${params}) (result ${flat[0]})))`,
      exported: `(func (export "t:t/echo#${name}") (param ${params}) (result ${flat[0]}) (call $i${index} ${pass}))`,
    };
  }
  const area = 1024 + index * 64;
  return {
    imported: `(import "t:t/echo" "${name}" (func $i${index} (param ${params} i32)))`,
    exported: `(func (export "t:t/echo#${name}") (param ${params}) (result i32) (call $i${index} ${pass} (i32.const ${area})) (i32.const ${area}))`,
  };
}

/** A component that hands every value on to the host and what comes back to its caller. `encoding`: of its strings. */
export async function valueComponent(encoding: 'utf8' | 'utf16' | 'compact-utf16' = 'utf8'): Promise<Uint8Array> {
  const functions = CASES.map(functionsWat);
  const module = `(module
    ${functions.map(({ imported }) => imported).join('\n')}
    (memory (export "memory") 2)
    (global $next (mut i32) (i32.const 8192))
    (func (export "cabi_realloc") (param $old i32) (param $oldn i32) (param $align i32) (param $n i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1))) (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $n)))
      (local.get $at))
    ${functions.map(({ exported }) => exported).join('\n')}
  )`;
  const witSource = `package t:t;
    interface echo { ${TYPES} ${CASES.map(({ name, type }) => `${name}: func(v: ${type}) -> ${type};`).join('\n')} }
    world w { import echo; export echo; }`;
  return componentNew(await componentEmbed({ binary: await parse(module), witSource, world: 'w', stringEncoding: encoding }), []);
}
