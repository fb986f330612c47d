import { RewriteError } from '#engine/build/build-error.js';
import type { Arity, CoreModule } from '#engine/build/core/core-module.js';
import { CardCover, windowOf } from './card-cover.js';
import { Edit, EditList } from './code-edits.js';
import { CodeCursor } from './code-cursor.js';
import { LoopLocals } from './loop-locals.js';
import {
  ARITY, ARITY_UNKNOWN, bulkWrites, Imm, instructionName, isAtomicWrite, isBulk, OPCODES, prefixedImm, storedType, tableOrSegmentWrite, vectorStores,
} from './opcodes.js';
import { OperandTrace, UNKNOWN, ZERO } from './operand-trace.js';
import { PathLength } from './path-length.js';

const enum Op {
  Nop = 0x01, Loop = 0x03, If = 0x04, Else = 0x05, Catch = 0x07, End = 0x0b, Br = 0x0c, BrIf = 0x0d, Call = 0x10, CallIndirect = 0x11, CallRef = 0x14, Delegate = 0x18, CatchAll = 0x19, Drop = 0x1a, LocalGet = 0x20, LocalSet = 0x21,
  LocalTee = 0x22, GlobalGet = 0x23, GlobalSet = 0x24, TableSet = 0x26, FirstLoad = 0x28, LastLoad = 0x35, BrOnNull = 0xd5, BrOnNonNull = 0xd6, MemorySize = 0x3f, MemoryGrow = 0x40, I32Const = 0x41, I32Add = 0x6a, I32Sub = 0x6b,
}

/** unreachable, throw, rethrow, throw_ref, return, return_call and return_call_ref. */
const stopsHere = (opcode: number): boolean => opcode === 0x00 || (opcode >= 0x08 && opcode <= 0x0a) || opcode === 0x0f || opcode === 0x12 || opcode === 0x15;

const EMPTY: Arity = { params: 0, results: 0 };
const ONE_RESULT: Arity = { params: 0, results: 1 };

/** A body to look through: where its instructions begin and where it ends, and how many locals it has with its parameters. */
export interface ScannedBody {
  codeFrom: number;
  to: number;
  locals: number;
  /** Needs no check (leaf-functions.ts). */
  isLeaf: boolean;
}

/**
 * Finds what has to be edited in function bodies: where deadline checks go, and everything that writes to memory. It also notes what
 * stands against resetting in place. One pass, no syntax tree: it must take 12 MB in some tens of milliseconds.
 */
export class BodyScanner extends CodeCursor {
  /** Of all bodies so far. */
  readonly edits = new EditList();
  /** The first instruction met that changes a table or drops a segment. */
  lasting: string | null = null;
  /** The first instruction met whose store cannot be marked. */
  unmarkable: string | null = null;
  private end = 0;
  /** The local that was put on the stack by the instruction before `gotAt`. */
  private got = 0;
  private gotAt = -1;
  private readonly path = new PathLength();
  private readonly trace = new OperandTrace();
  private readonly cover = new CardCover();
  private readonly loops: LoopLocals;
  /** Types of the blocks that are open. */
  private readonly blocks: Arity[] = [];

  /** `marks`: whether edits for stores are wanted. */
  constructor(private readonly module: CoreModule, private readonly bodies: readonly ScannedBody[], private readonly marks: boolean) {
    super(module.bytes);
    this.loops = new LoopLocals(module.bytes);
  }

  /** Scans one body; bodies come in the order of the code. */
  scan(func: number, { codeFrom, to, locals, isLeaf }: ScannedBody): void {
    const { bytes } = this;
    this.trace.reset(locals, to - codeFrom);
    this.cover.reset();
    this.loops.reset();
    this.blocks.length = 0;
    this.path.reset(locals, codeFrom);
    this.gotAt = -1;
    this.pos = codeFrom;
    this.end = to;
    if (!isLeaf) this.check(codeFrom);
    while (this.pos < to) {
      const at = this.pos++;
      const opcode = bytes[at]!;
      if (this.steps(opcode, at)) this.check(at);
      switch (OPCODES[opcode]) {
        case Imm.None:
          if (opcode === Op.End && this.blocks.length === 0) return this.finish(func, this.pos);
          this.simple(opcode);
          break;
        case Imm.Index: this.index(opcode, at); break;
        case Imm.Leb: this.constant(opcode); break;
        case Imm.F32: this.pos += 4; this.trace.push(UNKNOWN); break;
        case Imm.F64: this.pos += 8; this.trace.push(UNKNOWN); break;
        case Imm.MemArg: this.memory(storedType(opcode), at); break;
        case Imm.Block: case Imm.TryTable: this.block(opcode, at); break;
        case Imm.TwoIndices: this.callIndirect(opcode); break;
        case Imm.Select: this.skip(Imm.Select); this.trace.compute(3); break;
        case Imm.BrTable: this.branchTable(); break;
        case Imm.Heap: this.skipLeb(); this.trace.push(UNKNOWN); break;
        case Imm.Prefix: this.prefixed(func, opcode, at); break;
        default: throw new RewriteError('unsupported', `function ${func} uses ${instructionName(opcode)}, which is not supported`);
      }
    }
    this.finish(func, -1);
  }

  private steps(opcode: number, at: number): boolean {
    return at === this.gotAt && opcode >= Op.FirstLoad && opcode <= Op.LastLoad ? this.path.stepLoad(opcode, this.got) : this.path.step(opcode);
  }

  private finish(func: number, at: number): void {
    if (at !== this.end) throw new RewriteError('malformed', `function ${func} does not end where its body does`);
  }

  private check(at: number): void {
    this.edits.push(at, Edit.Check);
    this.path.checked(at);
  }

  // ---- blocks

  private block(opcode: number, at: number): void {
    if (opcode === Op.If) this.trace.pop(1);
    const type = this.blockType();
    if (OPCODES[opcode] === Imm.TryTable) this.skipCatches((label) => this.path.handler(label));
    this.blocks.push(type);
    this.trace.open(type.params);
    if (opcode === Op.Loop) this.loop(at);
    else if (opcode === Op.If) this.path.openIf();
    else this.path.openBlock();
  }

  private loop(at: number): void {
    this.path.openLoop();
    this.check(this.pos);
    if (!this.marks) return;
    const range = this.loops.of(at, this.end);
    if (range) this.trace.enterLoop(this.loops.assigned, range.from, range.to);
    else this.trace.renumberAll();
  }

  private blockType(): Arity {
    const form = this.bytes[this.pos]!;
    if (form === 0x40) this.pos++;
    // the index of a function type is a number from zero up, the rest are negative
    else if (form < 0x40 || form >= 0x80) return this.module.typeArities[this.u32()]!;
    else this.skipBlockType();
    return form === 0x40 ? EMPTY : ONE_RESULT;
  }

  /** The other arm of a block, which an exception or the condition leads to. */
  private arm(params: number): void {
    this.trace.restart(params);
    this.cover.leave(this.trace.blocks - 1);
  }

  private handler(): void {
    this.path.catch();
    this.arm(0);
  }

  private branchTable(): void {
    for (let labels = this.u32() + 1; labels > 0 && this.pos < this.end; labels--) this.path.branch(this.u32());
    this.stop();
  }

  /** Control never comes to the next instruction. */
  private stop(): void {
    this.path.stop();
    this.trace.forget();
  }

  private leave(): void {
    this.path.close();
    this.trace.close(this.blocks.pop()!.results);
    this.cover.leave(this.trace.blocks);
  }

  // ---- instructions

  /** An instruction without immediates. */
  private simple(opcode: number): void {
    const { trace } = this;
    if (opcode === Op.I32Add) trace.sum(1);
    else if (opcode === Op.I32Sub) trace.sum(-1);
    else if (ARITY[opcode] !== ARITY_UNKNOWN) trace.compute(ARITY[opcode]!);
    else if (opcode === Op.End) this.leave();
    else if (opcode === Op.Else) {
      this.path.else();
      this.arm(this.blocks.at(-1)!.params);
    } else if (opcode === Op.CatchAll) this.handler();
    else if (opcode === Op.Drop) trace.pop(1);
    else if (stopsHere(opcode)) this.stop();
    else if (opcode !== Op.Nop) trace.forget();
  }

  private constant(opcode: number): void {
    if (opcode === Op.I32Const) this.trace.push(ZERO, this.s32());
    else {
      this.skipLeb();
      this.trace.push(UNKNOWN);
    }
  }

  private index(opcode: number, at: number): void {
    const { trace } = this;
    if (opcode === Op.MemoryGrow) this.check(at);
    const index = this.u32();
    switch (opcode) {
      case Op.LocalGet: trace.get(index); this.got = index; this.gotAt = this.pos; break;
      case Op.LocalSet: trace.set(index); this.path.wrote(index, at); break;
      case Op.LocalTee: trace.set(index); trace.get(index); this.path.wrote(index, at); break;
      case Op.GlobalGet: trace.push(UNKNOWN); break;
      case Op.GlobalSet: trace.pop(1); break;
      case Op.BrIf: trace.pop(1); this.path.branch(index); break;
      case Op.Call: this.callDirect(index); break;
      case Op.CallRef: this.callUnknown(this.module.typeArities[index]!); break;
      case Op.Catch: this.handler(); break;
      case Op.Br: this.path.branch(index); this.stop(); break;
      case Op.BrOnNull: case Op.BrOnNonNull: this.path.branch(index); trace.forget(); break;
      case Op.Delegate: this.leave(); break;
      case Op.TableSet: this.lasting ??= 'table.set'; trace.pop(2); break;
      case Op.MemorySize: this.replace(at, Edit.Size); trace.push(UNKNOWN); break;
      case Op.MemoryGrow: this.replace(at, Edit.Grow); trace.compute(1); break;
      default:
        if (stopsHere(opcode)) this.stop();
        else trace.forget();
    }
  }

  private callDirect(func: number): void {
    const { importedFuncs, funcArities } = this.module;
    const { params, results } = funcArities[func]!;
    if (func < importedFuncs) this.path.calledImport();
    else if (this.bodies[func - importedFuncs]!.isLeaf) this.path.calledLeaf();
    else this.path.calledChecked(this.pos);
    this.trace.compute(params, results);
  }

  private callIndirect(opcode: number): void {
    const type = this.module.typeArities[this.u32()]!;
    this.skipLeb();
    if (opcode === Op.CallIndirect) this.callUnknown(type);
    else this.stop();
  }

  /** One more operand says which function it is. */
  private callUnknown({ params, results }: Arity): void {
    this.path.calledUnknown();
    this.trace.compute(params + 1, results);
  }

  private replace(at: number, edit: Edit): void {
    if (this.marks) this.edits.push(at, edit, this.pos - at);
  }

  /** An instruction with a memory argument; `stored` is what it stores, if so. */
  private memory(stored: Edit, at: number): void {
    const offset = this.memArg();
    if (stored === Edit.None) {
      this.trace.compute(1);
      return;
    }
    if (this.marks) this.store(stored, at, offset);
    this.trace.pop(2);
  }

  private store(stored: Edit, at: number, offset: number): void {
    const { trace, cover } = this;
    const address = trace.index(1);
    if (address < 0) {
      this.edits.push(at, stored, offset);
      return;
    }
    const value = trace.value(address);
    const distance = trace.distance(address);
    if (cover.has(value, (distance + offset) | 0)) return;
    this.edits.push(at, stored, offset, trace.local(address));
    const marked = (distance + windowOf(offset)) | 0;
    if (value === ZERO) cover.addCard(value, marked, trace.blocks);
    else cover.add(value, marked, trace.blocks);
  }

  private prefixed(func: number, opcode: number, at: number): void {
    const sub = this.u32();
    const imm = prefixedImm(opcode, sub);
    if (opcode === 0xfc) this.bulk(sub, at);
    if (opcode === 0xfe && isAtomicWrite(sub)) this.unmarkable ??= 'an atomic store';
    const vector = opcode === 0xfd && vectorStores(sub) ? Edit.StoreV128 : Edit.None;
    if (imm === Imm.MemArg || imm === Imm.MemArgLane) {
      this.memory(vector, at);
      if (imm === Imm.MemArgLane) this.pos++;
    } else if (imm === Imm.Cast) {
      this.pos++;
      this.path.branch(this.u32());
      this.skipLeb();
      this.skipLeb();
    } else if (!this.skip(imm)) throw new RewriteError('unsupported', `function ${func} uses ${instructionName(opcode, sub)}, which is not supported`);
    if (opcode === 0xfc && sub < 8) this.trace.compute(1);
    else if (opcode === 0xfc && bulkWrites(sub)) this.trace.pop(3);
    // what a vector store takes is known, memory() has taken it
    else if (vector === Edit.None) this.trace.forget();
  }

  private bulk(sub: number, at: number): void {
    if (isBulk(sub)) this.check(at);
    if (this.marks && bulkWrites(sub)) this.edits.push(at, Edit.Range);
    this.lasting ??= tableOrSegmentWrite(sub);
  }
}
