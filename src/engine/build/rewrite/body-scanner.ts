import { RewriteError } from '#engine/build/build-error.js';
import { Imm, instructionName, isBulk, OPCODES, prefixedImm } from './opcodes.js';

/** A growing list of offsets, without a JavaScript object each. */
class OffsetList {
  private offsets = new Int32Array(1 << 14);
  length = 0;

  push(offset: number): void {
    if (this.length === this.offsets.length) {
      const larger = new Int32Array(this.length * 2);
      larger.set(this.offsets);
      this.offsets = larger;
    }
    this.offsets[this.length++] = offset;
  }

  at(index: number): number {
    return this.offsets[index]!;
  }
}

/**
 * Functions without calls, loops and bulk operations of at most this many instructions need no check at entry: whoever calls them
 * is checked. A short limit keeps a straight line of such calls from being long.
 */
const MAX_LEAF_INSTRUCTIONS = 16;

/** Finds where deadline checks go in function bodies. One pass, no syntax tree: it must take 12 MB in some tens of milliseconds. */
export class BodyScanner {
  /** Offsets of all checks so far, rising. */
  readonly checks = new OffsetList();
  private pos = 0;
  private calls = false;

  constructor(private readonly bytes: Uint8Array) {}

  /** Scans the instructions from `from` (behind the locals) to `to`, which is the end of the body. */
  scan(func: number, from: number, to: number): void {
    const { bytes, checks } = this;
    const first = checks.length;
    checks.push(from);
    this.pos = from;
    this.calls = false;
    let depth = 0;
    let instructions = 0;
    while (this.pos < to) {
      const at = this.pos++;
      const opcode = bytes[at]!;
      instructions++;
      switch (OPCODES[opcode]) {
        case Imm.None:
          if (opcode === 0x0b && depth-- === 0) return this.end(func, { at: this.pos, to, first, instructions });
          break;
        case Imm.Index:
          if (opcode === 0x18) depth--;
          else if (opcode === 0x40) checks.push(at);
          else if (opcode === 0x10 || opcode === 0x12 || opcode === 0x14 || opcode === 0x15) this.calls = true;
          this.skipLeb();
          break;
        case Imm.Leb: this.skipLeb(); break;
        case Imm.MemArg: this.skipMemArg(); break;
        case Imm.Block:
          this.skipBlockType();
          depth++;
          if (opcode === 0x03) checks.push(this.pos);
          break;
        case Imm.TwoIndices: this.calls = true; this.skipLeb(); this.skipLeb(); break;
        case Imm.BrTable: for (let labels = this.u32() + 1; labels > 0 && this.pos < to; labels--) this.skipLeb(); break;
        case Imm.F32: this.pos += 4; break;
        case Imm.F64: this.pos += 8; break;
        case Imm.Select: for (let types = this.u32(); types > 0 && this.pos < to; types--) this.skipValueType(); break;
        case Imm.Heap: this.skipLeb(); break;
        case Imm.TryTable: this.skipTryTable(to); depth++; break;
        case Imm.Prefix: this.skipPrefixed(func, opcode, at); break;
        default: throw new RewriteError('unsupported', `function ${func} uses ${instructionName(opcode)}, which is not supported`);
      }
    }
    this.end(func, { at: -1, to, first, instructions });
  }

  private end(func: number, body: { at: number; to: number; first: number; instructions: number }): void {
    if (body.at !== body.to) throw new RewriteError('malformed', `function ${func} does not end where its body does`);
    const onlyEntry = this.checks.length === body.first + 1;
    if (onlyEntry && !this.calls && body.instructions <= MAX_LEAF_INSTRUCTIONS) this.checks.length = body.first;
  }

  private skipPrefixed(func: number, opcode: number, at: number): void {
    const sub = this.u32();
    if (opcode === 0xfc && isBulk(sub)) this.checks.push(at);
    switch (prefixedImm(opcode, sub)) {
      case Imm.None: break;
      case Imm.Index: this.skipLeb(); break;
      case Imm.TwoIndices: this.skipLeb(); this.skipLeb(); break;
      case Imm.MemArg: this.skipMemArg(); break;
      case Imm.MemArgLane: this.skipMemArg(); this.pos++; break;
      case Imm.Lane: this.pos++; break;
      case Imm.Bytes16: this.pos += 16; break;
      case Imm.Heap: this.skipLeb(); break;
      case Imm.Cast: this.pos++; this.skipLeb(); this.skipLeb(); this.skipLeb(); break;
      default: throw new RewriteError('unsupported', `function ${func} uses ${instructionName(opcode, sub)}, which is not supported`);
    }
  }

  private skipTryTable(to: number): void {
    this.skipBlockType();
    for (let clauses = this.u32(); clauses > 0 && this.pos < to; clauses--) {
      const kind = this.bytes[this.pos++]!;
      if (kind < 2) this.skipLeb();
      this.skipLeb();
    }
  }

  /** A memory index follows the alignment when bit 6 is set (multi-memory). */
  private skipMemArg(): void {
    const align = this.bytes[this.pos]!;
    this.skipLeb();
    if (align & 0x40) this.skipLeb();
    this.skipLeb();
  }

  private skipBlockType(): void {
    const form = this.bytes[this.pos]!;
    if (form === 0x63 || form === 0x64) this.pos++;
    this.skipLeb();
  }

  private skipValueType(): void {
    const form = this.bytes[this.pos++]!;
    if (form === 0x63 || form === 0x64) this.skipLeb();
  }

  private skipLeb(): void {
    while (this.bytes[this.pos++]! & 0x80);
  }

  private u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.bytes[this.pos++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  }
}
