import { MAX_LEAF_INSTRUCTIONS } from './leaf-functions.js';
import { Imm, OPCODES } from './opcodes.js';

/** How much may be done between two checks: of the order of ten microseconds. */
const MAX_LENGTH = 1_000;
/**
 * From here on a call may have returned: what is done without a check then, every frame of a deep recursion may do when it unwinds,
 * more than ten thousand times in a row. It must be less than a microsecond.
 */
const TAIL = 500;
/** A function that nobody knows here, but which may do without a check, or be the host's. */
const UNKNOWN_CALLEE = 250;

/** What an instruction counts, by the time that it can take: a load may miss the caches, a division or root takes some ten cycles. */
function lengthsOf({ load, store, prefixed }: { load: number; store: number; prefixed: number }): Uint8Array {
  const lengths = new Uint8Array(256).fill(1);
  for (let opcode = 0; opcode < 256; opcode++) {
    if (OPCODES[opcode] === Imm.MemArg) lengths[opcode] = opcode < FIRST_STORE ? load : store;
    else if (OPCODES[opcode] === Imm.Prefix) lengths[opcode] = prefixed;
  }
  lengths[TABLE_GET] = load;
  const slow: [number, number][] = [[0x6d, 0x70], [0x7f, 0x82], [0x91, 0x91], [0x95, 0x95], [0x9f, 0x9f], [0xa3, 0xa3]];
  for (const [from, to] of slow) lengths.fill(10, from, to + 1);
  return lengths;
}

const FIRST_STORE = 0x36;
const TABLE_GET = 0x25;
const LENGTHS = lengthsOf({ load: 4, store: 4, prefixed: 8 });
/** Each load can wait for the one before, for up to two tenths of a microsecond; stores are not waited for. */
const TAIL_LENGTHS = lengthsOf({ load: 60, store: 8, prefixed: 60 });
/** A load from an address that was there when the call returned: several are under way at once. */
const KNOWN_ADDRESS = 10;

/** A loop's label: its head has a check, so that ways to it count nothing. */
const NO_WAY = -1;

/**
 * The longest way in a function since a deadline check, up to where the walk over its code stands. Loops have a check at their head, so
 * only ways forward count: those that reach the end of a block by its branches too.
 */
export class PathLength {
  private length = 0;
  /** Where the last call returned or check stands that every way to here has met. */
  private since = 0;
  /** Where each local was last written. */
  private written = new Int32Array(64);
  private readonly sinces: number[] = [];
  /** Of each open block: the way to its begin, and the longest of those to its label. */
  private readonly entries: number[] = [];
  private readonly longest: number[] = [];

  /** A function whose code begins at `from`, after that of those before: what they wrote counts as long ago. */
  reset(locals: number, from: number): void {
    this.length = 0;
    this.since = from;
    this.sinces.length = 0;
    if (this.written.length < locals) this.written = new Int32Array(locals * 2);
    this.entries.length = 0;
    this.longest.length = 0;
  }

  /** Goes over one instruction; true when a check must stand before it. */
  step(opcode: number): boolean {
    this.length += (this.length < TAIL ? LENGTHS : TAIL_LENGTHS)[opcode]!;
    return this.length > MAX_LENGTH;
  }

  /** Goes over a load from an address in a local. */
  stepLoad(opcode: number, local: number): boolean {
    if (this.length < TAIL || this.written[local]! > this.since) return this.step(opcode);
    this.length += KNOWN_ADDRESS;
    return this.length > MAX_LENGTH;
  }

  wrote(local: number, at: number): void {
    this.written[local] = at;
  }

  checked(at: number): void {
    this.length = 0;
    this.since = at;
  }

  /** A call of a function that has a check at its entry has returned. */
  calledChecked(at: number): void {
    this.length = TAIL;
    this.since = at;
  }

  /** A call of a short function without a check has returned (leaf-functions.ts): it called nothing itself. */
  calledLeaf(): void {
    this.length += this.length < TAIL ? MAX_LEAF_INSTRUCTIONS : UNKNOWN_CALLEE;
  }

  /** A call through a table or a reference has returned. */
  calledUnknown(): void {
    this.length = Math.max(this.length, TAIL) + UNKNOWN_CALLEE;
  }

  /** A call of an import has returned: of another module, or of the host, which takes its time. */
  calledImport(): void {
    this.length = MAX_LENGTH;
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
    this.since = this.sinces.at(-1)!;
  }

  /** A handler: control comes from anywhere in the block. */
  catch(): void {
    this.branch(0);
    this.length = MAX_LENGTH;
    this.since = this.sinces.at(-1)!;
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
    this.since = this.sinces.pop()!;
    this.length = Math.max(this.length, this.longest.pop()!);
  }

  private open(longest: number): void {
    this.entries.push(this.length);
    this.sinces.push(this.since);
    this.longest.push(longest);
  }

  private reach(label: number, length: number): void {
    const at = this.longest.length - 1 - label;
    if (at >= 0 && this.longest[at] !== NO_WAY) this.longest[at] = Math.max(this.longest[at]!, length);
  }
}
