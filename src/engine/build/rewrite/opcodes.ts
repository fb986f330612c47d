import { Edit } from './code-edits.js';

/**
 * The immediates of every core instruction (WebAssembly 3.0 and threads), by opcode. The rewriter only needs to know where an
 * instruction ends; V8 has validated the rest.
 */
export const enum Imm {
  None, Index, TwoIndices, Block, MemArg, BrTable, Leb, F32, F64, Select, Prefix, TryTable, Heap, Lane, MemArgLane, Bytes16, Cast, Unknown,
}

type Range = number | [from: number, to: number];

function table(length: number, kinds: [Imm, ...Range[]][]): Uint8Array {
  const map = new Uint8Array(length).fill(Imm.Unknown);
  for (const [kind, ...ranges] of kinds) {
    for (const range of ranges) {
      const [from, to] = typeof range === 'number' ? [range, range] : range;
      map.fill(kind, from, to + 1);
    }
  }
  return map;
}

export const OPCODES = table(256, [
  [Imm.None, 0x00, 0x01, 0x05, 0x0a, 0x0b, 0x0f, 0x19, 0x1a, 0x1b, [0x45, 0xc4], 0xd1, 0xd3, 0xd4],
  [Imm.Block, 0x02, 0x03, 0x04, 0x06],
  [Imm.Index, 0x07, 0x08, 0x09, 0x0c, 0x0d, 0x10, 0x12, 0x14, 0x15, 0x18, [0x20, 0x26], 0x3f, 0x40, 0xd2, 0xd5, 0xd6],
  [Imm.TwoIndices, 0x11, 0x13],
  [Imm.BrTable, 0x0e],
  [Imm.Select, 0x1c],
  [Imm.TryTable, 0x1f],
  [Imm.MemArg, [0x28, 0x3e]],
  [Imm.Leb, 0x41, 0x42],
  [Imm.F32, 0x43],
  [Imm.F64, 0x44],
  [Imm.Heap, 0xd0],
  [Imm.Prefix, [0xfb, 0xfe]],
]);

export const ARITY_UNKNOWN = 0xff;

/** Operands that are taken by instructions without immediates that give one value: numeric ones and `select`. */
export const ARITY = ((): Uint8Array => {
  const arity = new Uint8Array(256).fill(ARITY_UNKNOWN);
  arity[0x1b] = 3;
  arity.fill(1, 0x45, 0xc5);
  // comparisons and arithmetic; between them stand eqz, clz, ctz, popcnt, abs … sqrt and the conversions
  for (const [from, to] of [[0x46, 0x4f], [0x51, 0x66], [0x6a, 0x78], [0x7c, 0x8a], [0x92, 0x98], [0xa0, 0xa6]]) arity.fill(2, from, to! + 1);
  return arity;
})();

const PREFIXED: Record<number, Uint8Array> = {
  // references: tests, casts and i31 only. What allocates objects is refused, they would lie outside the memory cap
  0xfb: table(31, [[Imm.Heap, [20, 23]], [Imm.Cast, 24, 25], [Imm.None, [26, 30]]]),
  0xfc: table(18, [[Imm.None, [0, 7]], [Imm.TwoIndices, 8, 10, 12, 14], [Imm.Index, 9, 11, 13, [15, 17]]]),
  0xfd: table(0x114, [
    [Imm.None, [14, 0x113]], [Imm.MemArg, [0, 11], 92, 93], [Imm.Bytes16, 12, 13], [Imm.Lane, [21, 34]], [Imm.MemArgLane, [84, 91]],
  ]),
  0xfe: table(0x4f, [[Imm.MemArg, [0, 2], [0x10, 0x4e]], [Imm.Lane, 3]]),
};

export function prefixedImm(prefix: number, sub: number): Imm {
  return PREFIXED[prefix]?.[sub] ?? Imm.Unknown;
}

/** Bulk operations (0xfc): one of them can take milliseconds, so each is a place for a deadline check of its own. */
export function isBulk(sub: number): boolean {
  return sub === 8 || sub === 10 || sub === 11 || sub === 12 || sub === 14 || sub === 15 || sub === 17;
}

/** memory.init, memory.copy and memory.fill. */
export function bulkWrites(sub: number): boolean {
  return sub === 8 || sub === 10 || sub === 11;
}

const LASTING: Record<number, string> = {
  9: 'data.drop', 12: 'table.init', 13: 'elem.drop', 14: 'table.copy', 15: 'table.grow', 17: 'table.fill',
};

/** The name of a bulk operation that changes a table or drops a segment: state that cannot be put back from outside. */
export function tableOrSegmentWrite(sub: number): string | null {
  return LASTING[sub] ?? null;
}

/** i32.store … i64.store32 by the type of the value; `Edit.None` for loads. */
export function storedType(opcode: number): Edit {
  switch (opcode) {
    case 0x36: case 0x3a: case 0x3b: return Edit.StoreI32;
    case 0x37: case 0x3c: case 0x3d: case 0x3e: return Edit.StoreI64;
    case 0x38: return Edit.StoreF32;
    case 0x39: return Edit.StoreF64;
    default: return Edit.None;
  }
}

/** v128.store and v128.store8_lane … v128.store64_lane (0xfd). */
export function vectorStores(sub: number): boolean {
  return sub === 11 || (sub >= 88 && sub <= 91);
}

/** Everything of 0xfe that is not notify, wait, fence or a load. */
export function isAtomicWrite(sub: number): boolean {
  return sub >= 0x17;
}

/** What a refusal says of an instruction that exists but is not taken. */
export function instructionName(opcode: number, sub?: number): string {
  const code = `0x${opcode.toString(16)}${sub === undefined ? '' : ` 0x${sub.toString(16)}`}`;
  if (opcode === 0xfb && sub !== undefined && sub >= 0x80) return `reference-typed strings (${code})`;
  if (opcode === 0xfb) return `objects of the garbage collection proposal (${code})`;
  if (opcode === 0xfc && sub === 18) return `memory.discard (${code})`;
  if (opcode === 0xfc && sub !== undefined && sub > 18 && sub < 23) return `wide arithmetic (${code})`;
  if (opcode === 0xfd) return `a later SIMD instruction (${code})`;
  if (opcode === 0xfe) return `shared-everything threads (${code})`;
  if (opcode >= 0xe0 && opcode <= 0xe6) return `stack switching (${code})`;
  return `instruction ${code}`;
}
