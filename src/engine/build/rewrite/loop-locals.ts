import { CodeCursor } from './code-cursor.js';
import { Imm, OPCODES } from './opcodes.js';

const LOOP = 0x03;
const END = 0x0b;
const DELEGATE = 0x18;
const LOCAL_SET = 0x21;
const LOCAL_TEE = 0x22;

/** Which locals loops assign: what is known of the others before a loop holds in all of its turns. */
export class LoopLocals extends CodeCursor {
  /** In the order of the code, so that those of a loop within another lie within its. */
  assigned: Int32Array = new Int32Array(1 << 10);
  private length = 0;
  /** Of each loop in the order of the code, where its assignments begin and end. */
  private begins: number[] = [];
  private ends: number[] = [];
  private next = 0;
  private scannedTo = 0;

  /** The function is another. */
  reset(): void {
    this.scannedTo = 0;
  }

  /**
   * The loop whose opcode stands at `at`, in a body that ends at `to`: the range of its assignments, or null when the code does not
   * end as it should. Loops must be asked for in the order of the code: the outermost is looked through once, with all that are in it.
   */
  of(at: number, to: number): { from: number; to: number } | null {
    if (at >= this.scannedTo) this.look(at, to);
    const loop = this.next++;
    const end = this.ends[loop]!;
    return end < 0 ? null : { from: this.begins[loop]!, to: end };
  }

  private look(at: number, to: number): void {
    this.pos = at;
    this.length = 0;
    this.next = 0;
    this.begins = [];
    this.ends = [];
    const open: number[] = [];
    do {
      const opcode = this.bytes[this.pos++]!;
      if (opcode === LOCAL_SET || opcode === LOCAL_TEE) this.push(this.u32());
      else if (opcode === END || opcode === DELEGATE) {
        if (opcode === DELEGATE) this.skipLeb();
        const loop = open.pop()!;
        if (loop >= 0) this.ends[loop] = this.length;
      } else if (OPCODES[opcode] === Imm.Block || OPCODES[opcode] === Imm.TryTable) {
        this.skipBlockType();
        if (OPCODES[opcode] === Imm.TryTable) this.skipCatches();
        open.push(opcode === LOOP ? this.begins.push(this.length) - 1 : -1);
        if (opcode === LOOP) this.ends.push(-1);
      } else if (!this.skipOperands(opcode)) break;
    } while (open.length > 0 && this.pos < to);
    this.scannedTo = this.pos;
  }

  private push(local: number): void {
    if (this.length === this.assigned.length) {
      const larger = new Int32Array(this.length * 2);
      larger.set(this.assigned);
      this.assigned = larger;
    }
    this.assigned[this.length++] = local;
  }
}
