import { CodeCursor } from './code-cursor.js';
import { Imm, isBulk, OPCODES, prefixedImm } from './opcodes.js';

/**
 * Functions without calls, loops and bulk operations of at most this many instructions need no check at entry: whoever calls them
 * is checked. A short limit keeps a straight line of such calls from being long.
 */
export const MAX_LEAF_INSTRUCTIONS = 16;
/** Each may have to wait for memory, and so takes longer than all the rest. */
const MAX_LEAF_LOADS = 2;
/** Longer ones are not looked at. */
const MAX_LEAF_BYTES = 160;

const LOOP = 0x03;
const END = 0x0b;
const MEMORY_GROW = 0x40;
/** call … return_call_ref. */
const isCall = (opcode: number): boolean => opcode >= 0x10 && opcode <= 0x15;

/** Loads, `table.get`, and everything with a prefix. */
const mayLoad = (opcode: number, imm: Imm): boolean => opcode === 0x25 || (opcode >= 0x28 && opcode <= 0x35) || imm === Imm.Prefix;

/** Finds the functions that need no check. */
export class LeafFinder extends CodeCursor {
  /** Whether the instructions from `from` to `to` are those of a short function that calls nothing. */
  isLeaf(from: number, to: number): boolean {
    if (to - from > MAX_LEAF_BYTES) return false;
    this.pos = from;
    let blocks = 0;
    let loads = 0;
    for (let instructions = 1; instructions <= MAX_LEAF_INSTRUCTIONS && this.pos < to; instructions++) {
      const opcode = this.bytes[this.pos++]!;
      if (opcode === END) {
        if (blocks-- === 0) return this.pos === to;
        continue;
      }
      if (isCall(opcode) || opcode === LOOP || opcode === MEMORY_GROW) return false;
      const imm = OPCODES[opcode]!;
      if (mayLoad(opcode, imm) && ++loads > MAX_LEAF_LOADS) return false;
      if (imm === Imm.Block) {
        this.skipBlockType();
        blocks++;
      } else if (!this.skipShort(opcode, imm)) return false;
    }
    return false;
  }

  private skipShort(opcode: number, imm: Imm): boolean {
    if (imm !== Imm.Prefix) return this.skip(imm);
    const sub = this.u32();
    return !(opcode === 0xfc && isBulk(sub)) && this.skip(prefixedImm(opcode, sub));
  }
}
