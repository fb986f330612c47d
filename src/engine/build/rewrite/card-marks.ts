import { CARD_BYTES_SHIFT, CARDS_OFFSET } from '#engine/plan.js';
import type { ByteWriter } from './byte-writer.js';
import { windowOf } from './card-cover.js';
import { Edit, NO_LOCAL, type EditList } from './code-edits.js';
import type { Body } from './code-scan.js';
import { i32, u32 } from './encode.js';

const OP = {
  if: 0x04, else: 0x05, end: 0x0b, localGet: 0x20, localSet: 0x21, localTee: 0x22, i32Load: 0x28, i32Store: 0x36, i32Store8: 0x3a,
  memorySize: 0x3f, memoryGrow: 0x40, i32Const: 0x41, i32Eq: 0x46, i32LtU: 0x49, i32GtU: 0x4b, i32Add: 0x6a, i32Sub: 0x6b, i32And: 0x71, i32ShrU: 0x76,
};
const I32 = 0x7f;
const NO_RESULT = 0x40;
const MEMORY_FILL = [0xfc, 11];
const CARD_MASK = (1 << CARD_BYTES_SHIFT) - 1;
const MAX_PAGES = 65_536;

/** Value types of stores, in the order of their edits. */
const VALUE_TYPES = [0x7f, 0x7e, 0x7d, 0x7c, 0x7b];

const isStore = (kind: Edit): boolean => kind >= Edit.StoreI32 && kind <= Edit.StoreV128;

/** The locals that the edits of one body need, behind all of its own. */
export class ScratchLocals {
  /** As the body declares them: pairs of count and type. */
  readonly groups: readonly number[];
  private readonly byKind: number[] = [];

  private constructor(private readonly first: number, integers: number, stored: ReadonlySet<Edit>) {
    const groups: number[] = integers > 0 ? [integers, I32] : [];
    this.byKind[Edit.StoreI32] = first + 1;
    let next = first + integers;
    for (let kind = Edit.StoreI64; kind <= Edit.StoreV128; kind++) {
      if (!stored.has(kind)) continue;
      this.byKind[kind] = next++;
      groups.push(1, VALUE_TYPES[kind - Edit.StoreI32]!);
    }
    this.groups = groups;
  }

  static of(edits: EditList, body: Body, lastEdit: number): ScratchLocals {
    let integers = 0;
    const stored = new Set<Edit>();
    for (let e = body.firstEdit; e < lastEdit; e++) {
      const kind = edits.kind(e);
      if (kind === Edit.Range || kind === Edit.Grow) integers = 3;
      else if (isStore(kind) && edits.local(e) === NO_LOCAL) {
        integers = Math.max(integers, kind === Edit.StoreI32 ? 2 : 1);
        stored.add(kind);
      }
    }
    return new ScratchLocals(body.locals, integers, stored);
  }

  get address(): number {
    return this.first;
  }

  /** Two more integers, for edits that are no stores. */
  get second(): number {
    return this.first + 1;
  }

  get third(): number {
    return this.first + 2;
  }

  value(kind: Edit): number {
    return this.byKind[kind]!;
  }
}

/**
 * Code that marks what is written in the card memory: one byte for each KiB, after the number of pages that the guest believes its memory has.
 * A store marks the card of its address and of its offset, rounded down (card-cover.ts); what restores a card also restores `CARD_EDGE_BYTES` behind it.
 *
 * Addresses are computed modulo 2^32 here and not in the guest's store: where that differs the store is out of bounds and traps. Where
 * the card memory is too short for a mark, so is the guest's memory for the store, and both trap alike.
 */
export class CardMarks {
  private readonly mark: readonly number[];
  private readonly loadSize: readonly number[];
  private readonly storeSize: readonly number[];

  constructor(private readonly out: ByteWriter, private readonly memory: number) {
    const argument = (alignment: number, offset: number): number[] => [alignment | 0x40, ...u32(memory), ...u32(offset)];
    // an address is on the stack
    this.mark = [OP.i32Const, CARD_BYTES_SHIFT, OP.i32ShrU, OP.i32Const, 1, OP.i32Store8, ...argument(0, CARDS_OFFSET)];
    this.loadSize = [OP.i32Const, 0, OP.i32Load, ...argument(2, 0)];
    this.storeSize = [OP.i32Store, ...argument(2, 0)];
  }

  /** Writes one edit; gives how many bytes of the original it replaces. */
  write(edits: EditList, e: number, scratch: ScratchLocals): number {
    const kind = edits.kind(e);
    switch (kind) {
      case Edit.Size: this.out.putAll(this.loadSize); return edits.operand(e);
      case Edit.Grow: this.grow(scratch); return edits.operand(e);
      case Edit.Range: this.range(scratch); return 0;
      default: this.store(edits, e, scratch); return 0;
    }
  }

  private store(edits: EditList, e: number, scratch: ScratchLocals): void {
    const { out } = this;
    const kind = edits.kind(e);
    const local = edits.local(e);
    const value = local === NO_LOCAL ? scratch.value(kind) : NO_LOCAL;
    if (local === NO_LOCAL) {
      this.local(OP.localSet, value);
      this.local(OP.localTee, scratch.address);
      this.local(OP.localGet, scratch.address);
    } else this.local(OP.localGet, local);
    const window = windowOf(edits.operand(e));
    if (window > 0) {
      out.put(OP.i32Const);
      out.putAll(i32(window));
      out.put(OP.i32Add);
    }
    out.putAll(this.mark);
    if (local === NO_LOCAL) this.local(OP.localGet, value);
  }

  /** Stack: destination, source or value, byte count. */
  private range(scratch: ScratchLocals): void {
    const { out } = this;
    const to = scratch.address;
    const from = scratch.second;
    const count = scratch.third;
    this.local(OP.localSet, count);
    this.local(OP.localSet, from);
    this.local(OP.localTee, to);
    // at most two cards: count - 1 < the bytes of one
    this.local(OP.localGet, count);
    out.put(OP.i32Const, 1, OP.i32Sub, OP.i32Const, ...i32(CARD_MASK + 1), OP.i32LtU, OP.if, NO_RESULT);
    this.local(OP.localGet, to);
    out.putAll(this.mark);
    this.local(OP.localGet, to);
    this.local(OP.localGet, count);
    out.put(OP.i32Const, 1, OP.i32Sub, OP.i32Add);
    out.putAll(this.mark);
    out.put(OP.else);
    this.local(OP.localGet, to);
    out.put(OP.i32Const, CARD_BYTES_SHIFT, OP.i32ShrU, OP.i32Const, CARDS_OFFSET, OP.i32Add, OP.i32Const, 1);
    // count in whole cards, and one or two for what is left over with the start in its card
    this.local(OP.localGet, to);
    out.put(OP.i32Const, ...i32(CARD_MASK), OP.i32And);
    this.local(OP.localGet, count);
    out.put(OP.i32Const, ...i32(CARD_MASK), OP.i32And, OP.i32Add, OP.i32Const, ...i32(CARD_MASK), OP.i32Add, OP.i32Const, CARD_BYTES_SHIFT, OP.i32ShrU);
    this.local(OP.localGet, count);
    out.put(OP.i32Const, CARD_BYTES_SHIFT, OP.i32ShrU, OP.i32Add, ...MEMORY_FILL, ...u32(this.memory), OP.end);
    this.local(OP.localGet, from);
    this.local(OP.localGet, count);
  }

  /**
   * Stack: pages to grow by. The memory may be larger than its guest knows, from an invocation before; only what is missing is really
   * grown, so that its maximum holds exactly. Between both sizes an access out of bounds does not trap: it finds zeros, and what it
   * writes is wiped like everything else. A new instance would trap there.
   */
  private grow(scratch: ScratchLocals): void {
    const { out } = this;
    const by = scratch.address;
    const before = scratch.second;
    const after = scratch.third;
    this.local(OP.localTee, by);
    out.put(OP.i32Const, ...i32(MAX_PAGES), OP.i32GtU, OP.if, I32, OP.i32Const, ...i32(-1), OP.else, ...this.loadSize);
    this.local(OP.localTee, before);
    this.local(OP.localGet, by);
    out.put(OP.i32Add);
    this.local(OP.localTee, after);
    out.put(OP.memorySize, 0, OP.i32GtU, OP.if, I32);
    this.local(OP.localGet, after);
    out.put(OP.memorySize, 0, OP.i32Sub, OP.memoryGrow, 0, OP.else, OP.i32Const, 0, OP.end);
    out.put(OP.i32Const, ...i32(-1), OP.i32Eq, OP.if, I32, OP.i32Const, ...i32(-1), OP.else, OP.i32Const, 0);
    this.local(OP.localGet, after);
    out.putAll(this.storeSize);
    this.local(OP.localGet, before);
    out.put(OP.end, OP.end);
  }

  private local(opcode: number, index: number): void {
    this.out.put(opcode);
    this.out.u32(index);
  }
}
