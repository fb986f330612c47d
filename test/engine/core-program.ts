import { i32 as signed, name, u32 } from '#engine/build/rewrite/encode.js';
import type { Random } from '../fixtures/random.js';

type Type = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';
const TYPES: Type[] = ['i32', 'i64', 'f32', 'f64', 'v128'];
const CODES: Record<Type, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };

interface Instruction {
  bytes: number[];
  takes: Type[];
  /** Numbers that follow, each below this bound. */
  lanes?: number[];
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const plain = (opcodes: number[], ...takes: Type[]): Instruction[] => opcodes.map((opcode) => ({ bytes: [opcode], takes }));
const bulk = (subs: number[], ...takes: Type[]): Instruction[] => subs.map((sub) => ({ bytes: [0xfc, sub], takes }));
const simd = (subs: number[], ...takes: Type[]): Instruction[] => subs.map((sub) => ({ bytes: [0xfd, ...u32(sub)], takes }));
const lane = (sub: number, lanes: number[], ...takes: Type[]): Instruction => ({ bytes: [0xfd, sub], takes, lanes });

/**
 * Instructions by the type of what they give. The bits of a NaN may differ from one compilation to the next, so nothing turns a computed
 * float back into bits, and floats of vectors are only compared.
 */
const INSTRUCTIONS: Record<Type, Instruction[]> = {
  i32: [
    ...plain([0x45, 0x67, 0x68, 0x69, 0xc0, 0xc1], 'i32'), ...plain([...range(0x46, 0x4f), ...range(0x6a, 0x78)], 'i32', 'i32'),
    ...plain([0x50, 0xa7], 'i64'), ...plain(range(0x51, 0x5a), 'i64', 'i64'), ...plain(range(0x5b, 0x60), 'f32', 'f32'), ...plain(range(0x61, 0x66), 'f64', 'f64'),
    ...plain([0xa8, 0xa9], 'f32'), ...plain([0xaa, 0xab], 'f64'), ...bulk([0, 1], 'f32'), ...bulk([2, 3], 'f64'),
    ...simd([83, 99, 100, 131, 132, 163, 164, 195, 196], 'v128'), lane(21, [16], 'v128'), lane(22, [16], 'v128'), lane(24, [8], 'v128'), lane(25, [8], 'v128'), lane(27, [4], 'v128'),
  ],
  i64: [
    ...plain([0x79, 0x7a, 0x7b, 0xc2, 0xc3, 0xc4], 'i64'), ...plain(range(0x7c, 0x8a), 'i64', 'i64'), ...plain([0xac, 0xad], 'i32'), ...plain([0xae, 0xaf], 'f32'),
    ...plain([0xb0, 0xb1], 'f64'), ...bulk([4, 5], 'f32'), ...bulk([6, 7], 'f64'), lane(29, [2], 'v128'),
  ],
  f32: [
    ...plain(range(0x8b, 0x91), 'f32'), ...plain(range(0x92, 0x98), 'f32', 'f32'), ...plain([0xb2, 0xb3], 'i32'), ...plain([0xb4, 0xb5], 'i64'), ...plain([0xb6], 'f64'),
  ],
  f64: [
    ...plain(range(0x99, 0x9f), 'f64'), ...plain(range(0xa0, 0xa6), 'f64', 'f64'), ...plain([0xb7, 0xb8], 'i32'), ...plain([0xb9, 0xba], 'i64'), ...plain([0xbb], 'f32'),
  ],
  v128: [
    ...simd([15, 16, 17], 'i32'), ...simd([18], 'i64'), ...simd([77, 96, 97, 98, ...range(124, 127), 128, 129, ...range(135, 138), 160, 161, ...range(167, 170), 192, 193, ...range(199, 202)], 'v128'),
    ...simd([14, ...range(35, 76), ...range(78, 81), 101, 102, ...range(110, 115), ...range(118, 121), 123, 130, 133, 134, ...range(142, 147), ...range(149, 153), ...range(155, 159), 174, 177,
      ...range(181, 186), ...range(188, 191), 206, 209, 213, ...range(214, 223)], 'v128', 'v128'),
    ...simd([82], 'v128', 'v128', 'v128'), ...simd([107, 108, 109, 139, 140, 141, 171, 172, 173, 203, 204, 205], 'v128', 'i32'),
    lane(13, Array.from({ length: 16 }, () => 32), 'v128', 'v128'), lane(23, [16], 'v128', 'i32'), lane(26, [8], 'v128', 'i32'), lane(28, [4], 'v128', 'i32'), lane(30, [2], 'v128', 'i64'),
  ],
};

const LOADS: Record<Type, number[][]> = {
  i32: [[0x28], [0x2c], [0x2d], [0x2e], [0x2f]], i64: [[0x29], ...range(0x30, 0x35).map((opcode) => [opcode])], f32: [], f64: [],
  v128: [...range(0, 10), 92, 93].map((sub) => [0xfd, sub]),
};
const STORES: [opcode: number[], type: Type][] = [
  ...[0x36, 0x3a, 0x3b].map((opcode): [number[], Type] => [[opcode], 'i32']), ...[0x37, 0x3c, 0x3d, 0x3e].map((opcode): [number[], Type] => [[opcode], 'i64']), [[0xfd, 11], 'v128'],
];

/** Function types: what is exported, several results, a vector, a tag's, blocks with parameters, and none. */
const EXPORTED: Type[] = ['i32', 'i64', 'f32', 'f64'];
const FUNC_TYPES: [params: Type[], results: Type[]][] = [[EXPORTED, ['i32']], [['i32', 'i64'], ['i64', 'i32']], [['v128'], ['v128']], [['i32'], []], [['i32', 'i32'], ['i32', 'i32']], [[], []]];
/** The function type of each function; the first are exported. */
const FUNCS = [0, 0, 1, 2, 0];
export const EXPORTS = 2;
const LOCALS: Type[] = [...TYPES, ...TYPES];
const FUEL = TYPES.length;

/** Makes the code of one function: expressions by type, so that what comes out is valid. */
class Coder {
  private readonly locals: Type[];
  /** Types of the values that a branch to each open label takes, the innermost last; null: a loop, which would not end. */
  private readonly labels: (Type[] | null)[] = [];

  /** `resettable`: nothing that forbids resets in place. */
  constructor(private readonly random: Random, private readonly type: [params: Type[], results: Type[]], private readonly resettable: boolean) {
    this.locals = [...type[0], ...LOCALS];
  }

  body(): number[] {
    const [, results] = this.type;
    const fuel = [0x23, FUEL, 0x41, 0, 0x4c, 0x04, 0x40, 0x00, 0x0b, 0x23, FUEL, 0x41, 1, 0x6b, 0x24, FUEL];
    return [...fuel, ...this.statements(3), ...results.flatMap((type) => this.value(type, 3)), 0x0b];
  }

  private statements(depth: number): number[] {
    return Array.from({ length: 1 + this.random.below(4) }, () => this.statement(depth)).flat();
  }

  private local(type: Type): number {
    return this.random.pick([...this.locals.keys()].filter((index) => this.locals[index] === type));
  }

  private constant(type: Type): number[] {
    const { random } = this;
    const bytes = (count: number) => Array.from({ length: count }, () => random.below(256));
    switch (type) {
      case 'i32': return [0x41, ...signed(random.pick([0, 1, -1, 7, 1024, 65_535, 2 ** 31, random.below(2 ** 32)]))];
      case 'i64': return [0x42, ...signed(random.pick([0, 1, -1, 2 ** 31, random.below(2 ** 32)]))];
      case 'f32': return [0x43, 0, 0, random.below(256), 0x3f + random.below(4)];
      case 'f64': return [0x44, 0, 0, 0, 0, 0, random.below(256), random.below(256), 0x3f + random.below(2)];
      case 'v128': return [0xfd, 12, ...bytes(16)];
    }
  }

  private address(depth: number): number[] {
    return this.random.below(12) === 0 ? this.value('i32', depth) : [...this.value('i32', depth), 0x41, ...signed(0xffff), 0x71];
  }

  private argument(): number[] {
    return [0, ...u32(this.random.pick([0, 1, 8, 239, 240, 1_000, 70_000]))];
  }

  private block(opcode: number, type: number[], label: Type[] | null, inside: () => number[]): number[] {
    this.labels.push(label);
    const code = [opcode, ...type, ...inside(), 0x0b];
    this.labels.pop();
    return code;
  }

  private values(types: readonly Type[], depth: number): number[] {
    return types.flatMap((type) => this.value(type, depth));
  }

  private value(type: Type, depth: number): number[] {
    const { random } = this;
    if (depth <= 0) return random.pick([() => this.constant(type), () => [0x20, this.local(type)], () => [0x23, TYPES.indexOf(type)]])();
    const inner = (of: Type): number[] => this.value(of, depth - 1);
    const operation = (): number[] => {
      const { bytes, takes, lanes = [] } = random.pick(INSTRUCTIONS[type]);
      return [...takes.flatMap(inner), ...bytes, ...lanes.map((bound) => random.below(bound))];
    };
    return random.pick([
      operation, operation, operation, operation,
      () => [...inner(type), 0x22, this.local(type)],
      ...(LOADS[type].length > 0 ? [() => [...this.address(depth - 1), ...random.pick(LOADS[type]), ...this.argument()]] : []),
      () => [...inner(type), ...inner(type), ...inner('i32'), 0x1c, 1, CODES[type]],
      () => [...inner('i32'), ...this.block(0x04, [CODES[type]], [type], () => [...inner(type), 0x05, ...this.statement(depth - 1), ...inner(type)])],
      () => this.block(0x02, [CODES[type]], [type], () => [...inner(type), ...inner('i32'), 0x0d, 0, 0x1a, ...inner(type)]),
      () => this.block(0x02, [CODES[type]], [type], () => [...this.statement(depth - 1), ...inner(type), 0x0c, 0]),
      ...(type === 'i32' ? [
        () => [...this.values(EXPORTED, depth - 1), 0x10, random.pick([0, 1, 4])],
        () => [...this.values(EXPORTED, depth - 1), ...inner('i32'), 0x11, 0, 0],
        () => [...this.values(EXPORTED, depth - 1), 0xd2, random.pick([0, 1]), 0x14, 0],
        () => [...inner('i32'), ...inner('i32'), ...this.block(0x02, [4], ['i32', 'i32'], () => [...inner('i32'), 0x0d, 0, 0x6a, ...inner('i32')]), 0x6b],
        () => this.block(0x02, [0x7f], ['i32'], () => [...this.block(0x1f, [0x40, 1, 0, 0, 0], [], () => [...this.statements(depth - 1), ...inner('i32'), 0x08, 0]), ...inner('i32')]),
        () => [0x3f, 0], () => [...inner('i32'), 0x41, 3, 0x71, 0x40, 0], () => [0xfc, 16, 0], ...(this.resettable ? [] : [() => [0xd0, 0x70, ...inner('i32'), 0x41, 3, 0x71, 0xfc, 15, 0]]),
        () => [...inner('i32'), 0x41, 7, 0x71, 0x25, 0, 0xd1], () => [...inner('i32'), 0xfb, 28, 0xfb, 29],
        () => [...inner('i32'), 0xfb, 28, 0xfb, 20, 0x6c],
      ] : []),
      ...(type === 'i64' ? [() => [...this.values(['i32', 'i64'], depth - 1), 0x10, 2, 0x1a]] : []),
      ...(type === 'v128' ? [
        () => [...inner('v128'), 0x10, 3],
        () => [...this.address(depth - 1), ...inner('v128'), 0xfd, 84, ...this.argument(), random.below(16)],
        // a sum of floats, only compared
        () => [...inner('v128'), ...inner('v128'), 0xfd, ...u32(random.pick([228, 229, 230, 240, 241, 242])), ...inner('v128'), 0xfd, random.pick([65, 67, 71, 73])],
      ] : []),
    ])();
  }

  private statement(depth: number): number[] {
    const { random } = this;
    const inner = (of: Type): number[] => this.value(of, depth - 1);
    const type = random.pick(TYPES);
    const store = (): number[] => {
      const [opcode, of] = random.pick(STORES);
      return [...this.address(depth - 1), ...inner(of), ...opcode, ...this.argument()];
    };
    const simple = [store, store, () => [...inner(type), 0x21, this.local(type)], ...(this.resettable && type === 'v128' ? [] : [() => [...inner(type), 0x24, TYPES.indexOf(type)]]), () => [...inner(type), 0x1a], () => [0x01]];
    if (depth <= 0) return random.pick(simple)();
    const count = (): number[] => [...inner('i32'), 0x41, ...signed(0xfff), 0x71];
    const empty = [...this.labels.keys()].filter((index) => this.labels[index]?.length === 0);
    return random.pick([
      ...simple, ...simple,
      () => [...inner('i32'), ...this.block(0x04, [0x40], [], () => [...this.statements(depth - 1), 0x05, ...this.statements(depth - 1)])],
      () => this.block(0x02, [0x40], [], () => this.statements(depth - 1)),
      // a loop goes on as long as there is fuel
      () => this.block(0x03, [0x40], null, () => [...this.statements(depth - 1), 0x23, FUEL, 0x41, 1, 0x6b, 0x24, FUEL, ...inner('i32'), 0x23, FUEL, 0x41, 0, 0x4a, 0x71, 0x0d, 0]),
      ...(empty.length > 0 ? [() => {
        const condition = inner('i32');
        return [...condition, 0x0d, this.labels.length - 1 - random.pick(empty)];
      }] : []),
      () => this.block(0x02, [0x40], [], () => this.block(0x02, [0x40], [], () => [...this.statements(depth - 1), ...inner('i32'), 0x0e, 2, 0, 1, 0])),
      () => this.block(0x02, [0x40], [], () => [...this.block(0x1f, [0x40, 1, 2, 0], [], () => [...this.statements(depth - 1), ...inner('i32'), ...this.block(0x04, [0x40], [], () => [...inner('i32'), 0x08, 0])])]),
      () => [...inner('i32'), ...this.block(0x04, [0x40], [], () => [...this.values(this.type[1], depth - 1), 0x0f])],
      () => [...this.address(depth - 1), ...inner('i32'), ...count(), 0xfc, 11, 0],
      () => [...this.address(depth - 1), ...this.address(depth - 1), ...count(), 0xfc, 10, 0, 0],
      () => [...this.address(depth - 1), 0x41, 0, 0x41, random.below(9), 0xfc, 8, 1, 0],
      () => [...this.address(depth - 1), ...inner('v128'), 0xfd, 88 + random.below(4), ...this.argument(), random.below(2)],
      () => [...inner('i32'), 0x41, 7, 0x71, 0x25, 0, 0x1a],
      ...(this.resettable || random.below(4) > 0 ? [] : [
        () => [0xfc, 9, 1], () => [...inner('i32'), 0x41, 7, 0x71, 0xd2, random.pick([0, 1]), 0x26, 0], () => [0x41, 0, 0x41, 0, 0x41, 1, 0xfc, 12, 1, 0], () => [0xfc, 13, 1],
        () => [0x41, 0, 0x41, 1, 0x41, 2, 0xfc, 14, 0, 0], () => [0x41, 0, 0xd0, 0x70, 0x41, 1, 0xfc, 17, 0],
      ]),
      ...(this.type[0] === EXPORTED && random.below(3) === 0 ? [() => [...inner('i32'), ...this.block(0x04, [0x40], [], () => [...this.values(EXPORTED, depth - 1), 0x12, random.pick([0, 1, 4])])]] : []),
    ])();
  }
}

const vector = (items: number[][]): number[] => [...u32(items.length), ...items.flat()];
const section = (id: number, items: number[][]): number[] => {
  const contents = vector(items);
  return [id, ...u32(contents.length), ...contents];
};

/**
 * A valid core module, made of every kind of instruction that works the same each time: `f0` and `f1` take an i32, an i64, an f32 and an f64
 * and give an i32. Its memory, table and globals are exported. It always ends: calls and turns of loops use up a global of the module.
 * `resettable`: nothing in it forbids resets in place.
 */
export function coreProgram(random: Random, resettable: boolean): Uint8Array<ArrayBuffer> {
  const types = FUNC_TYPES.map(([params, results]) => [0x60, ...vector(params.map((type) => [CODES[type]])), ...vector(results.map((type) => [CODES[type]]))]);
  const zero: Record<Type, number[]> = { i32: [0x41, 5], i64: [0x42, 6], f32: [0x43, 0, 0, 0, 0x40], f64: [0x44, 0, 0, 0, 0, 0, 0, 0, 0x40], v128: [0xfd, 12, ...Array<number>(16).fill(3)] };
  const globals = [...TYPES.map((type) => [CODES[type], resettable && type === 'v128' ? 0 : 1, ...zero[type], 0x0b]), [0x7f, 1, 0x41, ...signed(60), 0x0b]];
  const exports = [
    ...range(0, EXPORTS - 1).map((index) => [...name(`f${index}`), 0, index]), [...name('memory'), 2, 0], [...name('table'), 1, 0],
    ...TYPES.slice(0, 4).map((type, index) => [...name(type), 3, index]),
  ];
  const bodies = FUNCS.map((type) => {
    const body = [...vector(LOCALS.map((local) => [1, CODES[local]])), ...new Coder(random, FUNC_TYPES[type]!, resettable).body()];
    return [...u32(body.length), ...body];
  });
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, types), ...section(3, FUNCS.map((type) => [type])), ...section(4, [[0x70, 1, 8, 12]]), ...section(5, [[1, 1, 4]]), ...section(13, [[0, 3]]),
    ...section(6, globals), ...section(7, exports), ...section(9, [[0, 0x41, 0, 0x0b, 3, 0, 1, 2], [1, 0, 2, 0, 1]]),
    12, 1, 2, ...section(10, bodies), ...section(11, [[0, 0x41, 16, 0x0b, 3, 1, 2, 3], [1, 8, 1, 2, 3, 4, 5, 6, 7, 8]]),
  ]);
}
