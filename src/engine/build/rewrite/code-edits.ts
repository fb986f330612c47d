/** What is put into a function body. */
export const enum Edit {
  /** Nothing: a check that turned out not to be needed. */
  None,
  /** The deadline check. */
  Check,
  /** A store is coming: marks its card. By the type of the stored value. */
  StoreI32, StoreI64, StoreF32, StoreF64, StoreV128,
  /** memory.fill, memory.copy or memory.init is coming: marks its cards. */
  Range,
  /** memory.size and memory.grow, which are replaced. */
  Size, Grow,
}

/** No local holds the address of a store. */
export const NO_LOCAL = -1;

/** A growing list of edits, rising by offset, without a JavaScript object each. */
export class EditList {
  length = 0;
  private offsets = new Int32Array(1 << 14);
  private kinds = new Uint8Array(1 << 14);
  private operands = new Uint32Array(1 << 14);
  private locals = new Int32Array(1 << 14);

  /**
   * `operand`: of a store its constant offset, of what is replaced its length. `local`: one that holds the address of the store when
   * it comes.
   */
  push(at: number, kind: Edit, operand = 0, local = NO_LOCAL): void {
    if (this.length === this.offsets.length) this.enlarge();
    const i = this.length++;
    this.offsets[i] = at;
    this.kinds[i] = kind;
    this.operands[i] = operand;
    this.locals[i] = local;
  }

  at(index: number): number {
    return this.offsets[index]!;
  }

  kind(index: number): Edit {
    return this.kinds[index]!;
  }

  operand(index: number): number {
    return this.operands[index]!;
  }

  local(index: number): number {
    return this.locals[index]!;
  }

  cancel(index: number): void {
    this.kinds[index] = Edit.None;
  }

  private enlarge(): void {
    const size = this.length * 2;
    const larger = <T extends Int32Array | Uint8Array | Uint32Array>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.offsets = larger(new Int32Array(size), this.offsets);
    this.kinds = larger(new Uint8Array(size), this.kinds);
    this.operands = larger(new Uint32Array(size), this.operands);
    this.locals = larger(new Int32Array(size), this.locals);
  }
}
