import { RewriteError } from '#engine/build/build-error.js';
import { Edit, EditList, NO_LOCAL } from './code-edits.js';
import {
  ARITY, ARITY_UNKNOWN, bulkWrites, Imm, instructionName, isAtomicWrite, isBulk, OPCODES, prefixedImm, storedType, tableOrSegmentWrite, vectorStores,
} from './opcodes.js';
import { OperandTrace } from './operand-trace.js';

/**
 * Functions without calls, loops and bulk operations of at most this many instructions need no check at entry: whoever calls them
 * is checked. A short limit keeps a straight line of such calls from being long.
 */
const MAX_LEAF_INSTRUCTIONS = 16;

const NOP = 0x01;
const ELSE = 0x05;
const CATCH = 0x07;
const END = 0x0b;
const BR_IF = 0x0d;
const DELEGATE = 0x18;
const CATCH_ALL = 0x19;
const DROP = 0x1a;
const LOCAL_GET = 0x20;
const LOCAL_SET = 0x21;
const LOCAL_TEE = 0x22;
const GLOBAL_GET = 0x23;
const GLOBAL_SET = 0x24;
const TABLE_SET = 0x26;
const MEMORY_SIZE = 0x3f;
const MEMORY_GROW = 0x40;

/**
 * Finds what has to be edited in function bodies: where deadline checks go, and everything that writes to memory. It also notes what
 * stands against resetting in place. One pass, no syntax tree: it must take 12 MB in some tens of milliseconds.
 */
export class BodyScanner {
  /** Of all bodies so far. */
  readonly edits = new EditList();
  /** The first instruction met that changes a table or drops a segment. */
  lasting: string | null = null;
  /** The first instruction met whose store cannot be marked. */
  unmarkable: string | null = null;
  private pos = 0;
  private calls = false;
  private checks = 0;
  private readonly trace = new OperandTrace();

  /** `marks`: whether edits for stores are wanted. */
  constructor(private readonly bytes: Uint8Array, private readonly marks: boolean) {}

  /** Scans the instructions from `from` (behind the locals) to `to`, which is the end of the body. */
  scan(func: number, from: number, to: number): void {
    const { bytes } = this;
    const first = this.edits.length;
    this.checks = 0;
    this.check(from);
    this.pos = from;
    this.calls = false;
    this.trace.join();
    let depth = 0;
    let instructions = 0;
    while (this.pos < to) {
      const at = this.pos++;
      const opcode = bytes[at]!;
      instructions++;
      switch (OPCODES[opcode]) {
        case Imm.None:
          if (opcode === END && depth-- === 0) return this.end(func, { at: this.pos, to, first, instructions });
          this.simple(opcode);
          break;
        case Imm.Index: this.index(opcode, at); if (opcode === DELEGATE) depth--; break;
        case Imm.Leb: this.skipLeb(); this.trace.push(NO_LOCAL); break;
        case Imm.MemArg: this.memory(storedType(opcode), at); break;
        case Imm.Block:
          this.skipBlockType();
          depth++;
          if (opcode === 0x03) this.loop();
          this.trace.forget();
          break;
        case Imm.TwoIndices: this.calls = true; this.skipLeb(); this.skipLeb(); this.trace.forget(); break;
        case Imm.BrTable: for (let labels = this.u32() + 1; labels > 0 && this.pos < to; labels--) this.skipLeb(); this.trace.forget(); break;
        case Imm.F32: this.pos += 4; this.trace.push(NO_LOCAL); break;
        case Imm.F64: this.pos += 8; this.trace.push(NO_LOCAL); break;
        case Imm.Select: for (let types = this.u32(); types > 0 && this.pos < to; types--) this.skipValueType(); this.trace.compute(3); break;
        case Imm.Heap: this.skipLeb(); this.trace.forget(); break;
        case Imm.TryTable: this.skipTryTable(to); depth++; this.trace.forget(); break;
        case Imm.Prefix: this.prefixed(func, opcode, at); break;
        default: throw new RewriteError('unsupported', `function ${func} uses ${instructionName(opcode)}, which is not supported`);
      }
    }
    this.end(func, { at: -1, to, first, instructions });
  }

  private end(func: number, body: { at: number; to: number; first: number; instructions: number }): void {
    if (body.at !== body.to) throw new RewriteError('malformed', `function ${func} does not end where its body does`);
    if (this.checks === 1 && !this.calls && body.instructions <= MAX_LEAF_INSTRUCTIONS) this.edits.cancel(body.first);
  }

  private check(at: number): void {
    this.checks++;
    this.edits.push(at, Edit.Check);
  }

  private loop(): void {
    this.check(this.pos);
    this.trace.join();
  }

  /** An instruction without immediates. */
  private simple(opcode: number): void {
    const taken = ARITY[opcode]!;
    if (taken !== ARITY_UNKNOWN) this.trace.compute(taken);
    else if (opcode === DROP) this.trace.pop(1);
    // what else, catch_all and end are for comes from elsewhere too
    else if (opcode === ELSE || opcode === CATCH_ALL || opcode === END) this.trace.join();
    else if (opcode !== NOP) this.trace.forget();
  }

  private index(opcode: number, at: number): void {
    if (opcode === MEMORY_GROW) this.check(at);
    else if (opcode === 0x10 || opcode === 0x12 || opcode === 0x14 || opcode === 0x15) this.calls = true;
    if (opcode >= LOCAL_GET && opcode <= LOCAL_TEE) {
      this.local(opcode, this.u32());
      return;
    }
    this.skipLeb();
    switch (opcode) {
      case GLOBAL_GET: this.trace.push(NO_LOCAL); break;
      case GLOBAL_SET: case BR_IF: this.trace.pop(1); break;
      case CATCH: case DELEGATE: this.trace.join(); break;
      case TABLE_SET: this.lasting ??= 'table.set'; this.trace.forget(); break;
      case MEMORY_SIZE: this.replace(at, Edit.Size); this.trace.push(NO_LOCAL); break;
      case MEMORY_GROW: this.replace(at, Edit.Grow); this.trace.compute(1); break;
      default: this.trace.forget();
    }
  }

  private local(opcode: number, local: number): void {
    const { trace } = this;
    if (opcode !== LOCAL_GET) {
      trace.pop(1);
      trace.assign(local);
    }
    if (opcode !== LOCAL_SET) trace.push(local);
  }

  private replace(at: number, edit: Edit): void {
    if (this.marks) this.edits.push(at, edit, this.pos - at);
  }

  /** An instruction with a memory argument; `stored` is what it stores, if so. */
  private memory(stored: Edit, at: number): void {
    const offset = this.memArg();
    const { trace } = this;
    if (stored === Edit.None) {
      trace.compute(1);
      return;
    }
    const address = trace.second;
    trace.pop(2);
    if (this.marks && (address === NO_LOCAL || !trace.mark(address, offset))) this.edits.push(at, stored, offset, address);
  }

  private prefixed(func: number, opcode: number, at: number): void {
    const sub = this.u32();
    if (opcode === 0xfc) this.bulk(sub, at);
    if (opcode === 0xfe && isAtomicWrite(sub)) this.unmarkable ??= 'an atomic store';
    switch (prefixedImm(opcode, sub)) {
      case Imm.None: break;
      case Imm.Index: this.skipLeb(); break;
      case Imm.TwoIndices: this.skipLeb(); this.skipLeb(); break;
      case Imm.MemArg: this.memory(opcode === 0xfd && vectorStores(sub) ? Edit.StoreV128 : Edit.None, at); break;
      case Imm.MemArgLane: this.memory(vectorStores(sub) ? Edit.StoreV128 : Edit.None, at); this.pos++; break;
      case Imm.Lane: this.pos++; break;
      case Imm.Bytes16: this.pos += 16; break;
      case Imm.Heap: this.skipLeb(); break;
      case Imm.Cast: this.pos++; this.skipLeb(); this.skipLeb(); this.skipLeb(); break;
      default: throw new RewriteError('unsupported', `function ${func} uses ${instructionName(opcode, sub)}, which is not supported`);
    }
    this.trace.forget();
  }

  private bulk(sub: number, at: number): void {
    if (isBulk(sub)) this.check(at);
    if (this.marks && bulkWrites(sub)) this.edits.push(at, Edit.Range);
    this.lasting ??= tableOrSegmentWrite(sub);
  }

  private skipTryTable(to: number): void {
    this.skipBlockType();
    for (let clauses = this.u32(); clauses > 0 && this.pos < to; clauses--) {
      const kind = this.bytes[this.pos++]!;
      if (kind < 2) this.skipLeb();
      this.skipLeb();
    }
  }

  /** Gives the offset. A memory index follows the alignment when bit 6 is set (multi-memory). */
  private memArg(): number {
    const align = this.bytes[this.pos]!;
    this.skipLeb();
    if (align & 0x40) this.skipLeb();
    return this.u32();
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
