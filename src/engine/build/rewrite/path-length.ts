import { MAX_LEAF_INSTRUCTIONS } from './leaf-functions.js';
import { Imm, OPCODES } from './opcodes.js';

/** How much may be done between two checks: of the order of a microsecond. */
const MAX_LENGTH = 1_000;
/**
 * As much may be left to do without a check when a call returns. Every frame of a deep recursion does that when it unwinds, some ten
 * thousand times in a row.
 */
const MAX_TAIL = 500;

/** What an instruction counts, by the time that it can take: a load may miss the caches, a division or root takes some ten cycles. */
const LENGTHS = ((): Uint8Array => {
  const lengths = new Uint8Array(256).fill(1);
  for (let opcode = 0; opcode < 256; opcode++) {
    if (OPCODES[opcode] === Imm.MemArg) lengths[opcode] = 4;
    else if (OPCODES[opcode] === Imm.Prefix) lengths[opcode] = 8;
  }
  const slow: [number, number][] = [[0x6d, 0x70], [0x7f, 0x82], [0x91, 0x91], [0x95, 0x95], [0x9f, 0x9f], [0xa3, 0xa3]];
  for (const [from, to] of slow) lengths.fill(10, from, to + 1);
  return lengths;
})();

/** A loop's label: its head has a check, so that ways to it count nothing. */
const NO_WAY = -1;

/**
 * The longest way in a function since a deadline check, up to where the walk over its code stands. Loops have a check at their head, so
 * only ways forward count: those that reach the end of a block by its branches too.
 */
export class PathLength {
  private length = 0;
  /** Of each open block: the way to its begin, and the longest of those to its label. */
  private readonly entries: number[] = [];
  private readonly longest: number[] = [];

  reset(): void {
    this.length = 0;
    this.entries.length = 0;
    this.longest.length = 0;
  }

  /** Goes over one instruction; true when a check must stand before it. */
  step(opcode: number): boolean {
    this.length += LENGTHS[opcode]!;
    return this.length > MAX_LENGTH;
  }

  checked(): void {
    this.length = 0;
  }

  /** A call has returned. `checked`: the callee has a check at its entry. */
  called(checked: boolean): void {
    const tail = MAX_LENGTH - MAX_TAIL;
    this.length = checked ? tail : Math.max(this.length, tail) + MAX_LEAF_INSTRUCTIONS;
  }

  openBlock(): void {
    this.open(0);
  }

  openLoop(): void {
    this.open(NO_WAY);
  }

  /** Without an else control goes from the condition to the end. */
  openIf(): void {
    this.open(this.length);
  }

  else(): void {
    this.branch(0);
    this.length = this.entries.at(-1)!;
  }

  /** A handler: control comes from anywhere in the block. */
  catch(): void {
    this.branch(0);
    this.length = MAX_LENGTH;
  }

  /** The label of a handler in a try_table that is about to open. */
  handler(label: number): void {
    this.reach(label, MAX_LENGTH);
  }

  branch(label: number): void {
    this.reach(label, this.length);
  }

  /** Control never comes to what follows. */
  stop(): void {
    this.length = 0;
  }

  close(): void {
    this.entries.pop();
    this.length = Math.max(this.length, this.longest.pop()!);
  }

  private open(longest: number): void {
    this.entries.push(this.length);
    this.longest.push(longest);
  }

  private reach(label: number, length: number): void {
    const at = this.longest.length - 1 - label;
    if (at >= 0 && this.longest[at] !== NO_WAY) this.longest[at] = Math.max(this.longest[at]!, length);
  }
}
