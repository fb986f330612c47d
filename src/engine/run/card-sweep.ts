import { CARD_BYTES_SHIFT, CARD_EDGE_BYTES, CARDS_OFFSET } from '#engine/plan.js';

/**
 * `restore(size, known)`: puts back every part of the first memory (`size` bytes of it) whose card is set in the third, and clears the
 * cards. Up to `known` it becomes what the second memory holds, behind that zero. In WebAssembly since it runs for every request: in
 * JavaScript a view for each run of cards costs as much as the copying, and the garbage more.
 */
export type Restore = (size: number, known: number) => void;

const OP = {
  block: 0x02, loop: 0x03, if: 0x04, end: 0x0b, br: 0x0c, brIf: 0x0d, get: 0x20, set: 0x21, tee: 0x22, i64Load: 0x29, i32Load8: 0x2d, i32Store8: 0x3a,
  const: 0x41, eqz: 0x45, ltU: 0x49, gtU: 0x4b, geU: 0x4f, i64Eqz: 0x50, add: 0x6a, sub: 0x6b, and: 0x71, shl: 0x74, shrU: 0x76, select: 0x1b,
};
const NO_RESULT = 0x40;
const I32 = 0x7f;
const GUEST = 0;
const SNAPSHOT = 1;
const CARDS = 2;
const CARDS_PER_WORD = 8;

/** Locals. */
const [SIZE, KNOWN, AT, END, FIRST, TO] = [0, 1, 2, 3, 4, 5];

/** `i32.const` of a number from -64 to 8191. */
const number = (value: number): number[] => [OP.const, ...(value < 64 ? [value & 0x7f] : [(value & 0x7f) | 0x80, value >> 7])];
const card = (load: number, alignment: number): number[] => [load, alignment | 0x40, CARDS, 0];
const min = (a: number[], b: number[]): number[] => [...a, ...b, ...a, ...b, OP.ltU, OP.select];
const max = (a: number[], b: number[]): number[] => [...a, ...b, ...a, ...b, OP.gtU, OP.select];
const get = (local: number): number[] => [OP.get, local];
/** A local that points at a card becomes the address that the card is for. */
const toAddress = (local: number): number[] => [...get(local), ...number(CARDS_OFFSET), OP.sub, ...number(CARD_BYTES_SHIFT), OP.shl];

const CODE = [
  ...number(CARDS_OFFSET), OP.tee, AT,
  ...get(SIZE), ...number(CARD_BYTES_SHIFT), OP.shrU, OP.add, OP.set, END,
  OP.block, NO_RESULT,
  OP.loop, NO_RESULT,
  ...get(AT), ...get(END), OP.geU, OP.brIf, 1,
  // most words are zero
  ...get(AT), ...card(OP.i64Load, 3), OP.i64Eqz, OP.if, NO_RESULT,
  ...get(AT), ...number(CARDS_PER_WORD), OP.add, OP.set, AT, OP.br, 1,
  OP.end,
  // the first card of a run
  OP.loop, NO_RESULT,
  ...get(AT), ...card(OP.i32Load8, 0), OP.eqz, OP.if, NO_RESULT,
  ...get(AT), ...number(1), OP.add, OP.set, AT, OP.br, 1,
  OP.end, OP.end,
  ...get(AT), OP.set, FIRST,
  // the one behind its last
  OP.loop, NO_RESULT,
  ...get(AT), ...number(0), ...card(OP.i32Store8, 0),
  ...get(AT), ...number(1), OP.add, OP.tee, AT,
  ...get(END), OP.ltU, ...get(AT), ...card(OP.i32Load8, 0), OP.and, OP.brIf, 0,
  OP.end,
  ...toAddress(AT), ...number(CARD_EDGE_BYTES), OP.add, OP.set, TO,
  ...min(get(TO), get(SIZE)), OP.set, TO,
  ...toAddress(FIRST), OP.set, FIRST,
  ...get(FIRST), ...get(KNOWN), OP.ltU, OP.if, NO_RESULT,
  ...get(FIRST), ...get(FIRST), ...min(get(TO), get(KNOWN)), ...get(FIRST), OP.sub, 0xfc, 10, GUEST, SNAPSHOT,
  OP.end,
  ...get(TO), ...get(KNOWN), OP.gtU, OP.if, NO_RESULT,
  ...max(get(FIRST), get(KNOWN)), OP.tee, FIRST, ...number(0), ...get(TO), ...get(FIRST), OP.sub, 0xfc, 11, GUEST,
  OP.end,
  // the word in which the run ended may hold the begin of another
  ...get(AT), ...number(-CARDS_PER_WORD), OP.and, OP.set, AT, OP.br, 0,
  OP.end, OP.end,
  OP.end,
];

const section = (id: number, body: number[]): number[] => [id, ...(body.length < 128 ? [body.length] : [(body.length & 0x7f) | 0x80, body.length >> 7]), ...body];
const sized = (body: number[]): number[] => [(body.length & 0x7f) | 0x80, body.length >> 7, ...body];
const memoryImport = (name: string): number[] => [1, 0x6d, 1, name.charCodeAt(0), 2, 0, 0];

let module: WebAssembly.Module | null = null;

/** Made once for each memory of a slot. */
export function restoreFunction(guest: WebAssembly.Memory, snapshot: WebAssembly.Memory, cards: WebAssembly.Memory): Restore {
  module ??= new WebAssembly.Module(Uint8Array.from([
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
    ...section(1, [1, 0x60, 2, I32, I32, 0]),
    ...section(2, [3, ...memoryImport('g'), ...memoryImport('s'), ...memoryImport('c')]),
    ...section(3, [1, 0]),
    ...section(7, [1, 1, 0x66, 0, 0]),
    ...section(10, [1, ...sized([1, 4, I32, ...CODE])]),
  ]));
  const { exports } = new WebAssembly.Instance(module, { m: { g: guest, s: snapshot, c: cards } });
  return exports['f'] as Restore;
}
