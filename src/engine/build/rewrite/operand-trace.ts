import { CARD_EDGE_BYTES } from '#engine/plan.js';
import { NO_LOCAL } from './code-edits.js';

/** More is not looked at: what lies deeper counts as unknown. */
const MAX_DEPTH = 32;
const MAX_MARKS = 32;
/** The widest store. */
const MAX_STORE_BYTES = 16;
/** Stores whose offsets fall into one window of this size may share a mark: with the widest store they stay within the edge of a card. */
const WINDOW_BYTES = CARD_EDGE_BYTES - MAX_STORE_BYTES;

/** The offset whose card is marked for a store at this one. */
export function windowOf(offset: number): number {
  return offset - (offset % WINDOW_BYTES);
}

/**
 * What is known while one walks over code without branches: which local each operand on top of the stack came from and still equals,
 * and which cards are marked for sure. A card stays marked as long as the instance runs, so a mark counts until its local changes or
 * control may come from elsewhere.
 */
export class OperandTrace {
  private readonly operands = new Int32Array(MAX_DEPTH);
  private depth = 0;
  private readonly locals = new Int32Array(MAX_MARKS);
  private readonly windows = new Float64Array(MAX_MARKS);
  private marks = 0;

  /** Control may come from elsewhere to here. */
  join(): void {
    this.depth = 0;
    this.marks = 0;
  }

  /** An instruction of unknown operands: nothing is known of those that are there now. */
  forget(): void {
    this.depth = 0;
  }

  push(local: number): void {
    if (this.depth === MAX_DEPTH) this.depth = 0;
    this.operands[this.depth++] = local;
  }

  pop(count: number): void {
    this.depth = Math.max(0, this.depth - count);
  }

  /** An instruction that takes `count` operands and gives one. */
  compute(count: number): void {
    this.pop(count);
    this.push(NO_LOCAL);
  }

  /** The local gets another value. */
  assign(local: number): void {
    for (let i = 0; i < this.depth; i++) if (this.operands[i] === local) this.operands[i] = NO_LOCAL;
    for (let i = this.marks - 1; i >= 0; i--) {
      if (this.locals[i] !== local) continue;
      this.marks--;
      this.locals[i] = this.locals[this.marks]!;
      this.windows[i] = this.windows[this.marks]!;
    }
  }

  /** The local that equals the operand below the uppermost. */
  get second(): number {
    return this.depth < 2 ? NO_LOCAL : this.operands[this.depth - 2]!;
  }

  /** The card of the local's address and this offset is marked now; true when it was before. */
  mark(local: number, offset: number): boolean {
    const window = windowOf(offset);
    for (let i = 0; i < this.marks; i++) if (this.locals[i] === local && this.windows[i] === window) return true;
    if (this.marks === MAX_MARKS) this.marks = 0;
    this.locals[this.marks] = local;
    this.windows[this.marks++] = window;
    return false;
  }
}
