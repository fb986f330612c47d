import { Imm, OPCODES, prefixedImm } from './opcodes.js';

/** A place in the instructions of function bodies. It only knows where an instruction ends: V8 has validated the rest. */
export class CodeCursor {
  protected pos = 0;

  constructor(protected readonly bytes: Uint8Array) {}

  /** Goes over what follows an opcode; false for an instruction that nobody knows, and for those that open a block or have a prefix. */
  protected skip(imm: Imm): boolean {
    switch (imm) {
      case Imm.None: break;
      case Imm.Index: case Imm.Leb: case Imm.Heap: this.skipLeb(); break;
      case Imm.TwoIndices: this.skipLeb(); this.skipLeb(); break;
      case Imm.MemArg: this.memArg(); break;
      case Imm.MemArgLane: this.memArg(); this.pos++; break;
      case Imm.BrTable: for (let labels = this.u32() + 1; labels > 0 && this.pos < this.bytes.length; labels--) this.skipLeb(); break;
      case Imm.F32: this.pos += 4; break;
      case Imm.F64: this.pos += 8; break;
      case Imm.Select: for (let types = this.u32(); types > 0 && this.pos < this.bytes.length; types--) this.skipValueType(); break;
      case Imm.Lane: this.pos++; break;
      case Imm.Bytes16: this.pos += 16; break;
      case Imm.Cast: this.pos++; this.skipLeb(); this.skipLeb(); this.skipLeb(); break;
      default: return false;
    }
    return true;
  }

  /** Goes over what follows any opcode that opens no block. */
  protected skipOperands(opcode: number): boolean {
    const imm = OPCODES[opcode]!;
    return this.skip(imm === Imm.Prefix ? prefixedImm(opcode, this.u32()) : imm);
  }

  /** The handlers of a try_table; `each` gets their labels. */
  protected skipCatches(each?: (label: number) => void): void {
    for (let clauses = this.u32(); clauses > 0 && this.pos < this.bytes.length; clauses--) {
      const kind = this.bytes[this.pos++]!;
      if (kind < 2) this.skipLeb();
      const label = this.u32();
      each?.(label);
    }
  }

  protected skipBlockType(): void {
    this.skipValueType();
  }

  /** Gives the offset. A memory index follows the alignment when bit 6 is set (multi-memory). */
  protected memArg(): number {
    const align = this.bytes[this.pos]!;
    this.skipLeb();
    if (align & 0x40) this.skipLeb();
    return this.u32();
  }

  protected skipLeb(): void {
    while (this.bytes[this.pos++]! & 0x80);
  }

  protected u32(): number {
    const first = this.bytes[this.pos]!;
    if (first < 0x80) {
      this.pos++;
      return first;
    }
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.bytes[this.pos++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  }

  protected s32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.bytes[this.pos++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return shift < 28 && byte & 0x40 ? value | (-1 << (shift + 7)) : value;
    }
    return value;
  }

  /** A value type, or a block's: the index of a function type, or a value type or none. */
  private skipValueType(): void {
    const form = this.bytes[this.pos]!;
    if (form === 0x63 || form === 0x64) this.pos++;
    this.skipLeb();
  }
}
