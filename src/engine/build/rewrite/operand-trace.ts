import { NO_LOCAL } from './code-edits.js';

/** A value of which nothing is known. */
export const UNKNOWN = -1;
/** Zero: constants are so far from it. */
export const ZERO = 0;
/** Operands above the floor of the outermost block that are looked at. */
const MAX_DEPTH = 1 << 12;
/** Numbers that may be given to locals at joins, per byte of a body; beyond, all locals get one at once. */
const WORK_PER_BYTE = 8;

function enlarged(list: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  if (length <= list.length) return list;
  const larger = new Int32Array(Math.max(length, list.length * 2));
  larger.set(list);
  return larger;
}

/**
 * Numbers for the values of locals and operands, while one walks over a body: within one turn of the loops around it, two of the same
 * number are equal. An operand is such a number and a distance from it, modulo 2^32, so `local.get $p; i32.const 8; i32.add` is eight
 * behind the value of `$p`.
 *
 * A local gets a number when it is assigned, when a loop begins that assigns it, when a block ends in which it was assigned, and at
 * `else` and `catch`: control may come from elsewhere to all of these, and from nowhere else in structured control flow.
 *
 * Operands are known from the top of the stack down to where an instruction of unknown effect stood, in each open block by itself: a
 * block cannot touch what lies below its parameters.
 */
export class OperandTrace {
  /** Blocks that are open. */
  blocks = 0;
  private values = new Int32Array(MAX_DEPTH);
  private distances = new Int32Array(MAX_DEPTH);
  /** The local that an operand came from. */
  private sources = new Int32Array(MAX_DEPTH);
  private depth = 0;
  /** Where the operands of the innermost block begin. */
  private floor = 0;
  private next = ZERO + 1;
  private localValues = new Int32Array(256);
  private localDistances = new Int32Array(256);
  /** A local whose entry is not of this age has not been looked at since all got new numbers. */
  private localAges = new Int32Array(256);
  private age = 0;
  private floors = new Int32Array(64);
  /** Where the assignments in each open block begin. */
  private begins = new Int32Array(64);
  private assigned = new Int32Array(256);
  private assignments = 0;
  private seen = new Int32Array(256);
  private pass = 0;
  private work = 0;

  /** Another body begins. */
  reset(locals: number, bytes: number): void {
    this.localValues = enlarged(this.localValues, locals);
    this.localDistances = enlarged(this.localDistances, locals);
    this.localAges = enlarged(this.localAges, locals);
    this.seen = enlarged(this.seen, locals);
    this.next = ZERO + 1;
    this.work = bytes * WORK_PER_BYTE;
    this.blocks = 0;
    this.depth = 0;
    this.floor = 0;
    this.assignments = 0;
    this.renumberAll();
  }

  // ---- operands

  /** Nothing is known any more of the operands in this block. */
  forget(): void {
    this.depth = this.floor;
  }

  push(value: number, distance = 0, source = NO_LOCAL): void {
    const at = this.depth++;
    if (at >= MAX_DEPTH) return;
    this.values[at] = value;
    this.distances[at] = distance;
    this.sources[at] = source;
  }

  pop(count: number): void {
    this.depth = Math.max(this.floor, this.depth - count);
  }

  /** An instruction that takes and gives so many operands. */
  compute(taken: number, given = 1): void {
    this.pop(taken);
    for (let i = 0; i < given; i++) this.push(UNKNOWN);
  }

  /** i32.add and i32.sub. */
  sum(sign: 1 | -1): void {
    const [left, right] = [this.index(1), this.index(0)];
    let [value, distance] = [UNKNOWN, 0];
    if (left >= 0 && right >= 0) {
      const swapped = sign > 0 && this.values[left] === ZERO;
      const [base, constant] = swapped ? [right, left] : [left, right];
      if (this.values[constant] === ZERO) {
        value = this.values[base]!;
        distance = (this.distances[base]! + sign * this.distances[constant]!) | 0;
      }
    }
    this.pop(2);
    this.push(value, distance);
  }

  get(local: number): void {
    this.number(local);
    this.push(this.localValues[local]!, this.localDistances[local], local);
  }

  set(local: number): void {
    const top = this.index(0);
    const [value, distance] = top < 0 ? [UNKNOWN, 0] : [this.values[top]!, this.distances[top]!];
    this.pop(1);
    this.assignments++;
    this.assigned = enlarged(this.assigned, this.assignments);
    this.assigned[this.assignments - 1] = local;
    if (value === UNKNOWN) return this.renumber(local);
    this.localAges[local] = this.age;
    this.localValues[local] = value;
    this.localDistances[local] = distance;
  }

  /** Where the operand lies that has so many above it; -1: nothing is known of it. */
  index(above: number): number {
    const at = this.depth - 1 - above;
    return at < this.floor || at >= MAX_DEPTH || this.values[at] === UNKNOWN ? -1 : at;
  }

  value(index: number): number {
    return this.values[index]!;
  }

  distance(index: number): number {
    return this.distances[index]!;
  }

  /** A local that the operand equals now. */
  local(index: number): number {
    const local = this.sources[index]!;
    if (local === NO_LOCAL) return NO_LOCAL;
    this.number(local);
    return this.localValues[local] === this.values[index] && this.localDistances[local] === this.distances[index] ? local : NO_LOCAL;
  }

  // ---- blocks

  open(params: number): void {
    this.pop(params);
    this.floors = enlarged(this.floors, this.blocks + 1);
    this.begins = enlarged(this.begins, this.blocks + 1);
    this.floors[this.blocks] = this.floor;
    this.begins[this.blocks++] = this.assignments;
    this.floor = this.depth;
    this.compute(0, params);
  }

  /** else, catch: what was done in this block up to here has not been done. */
  restart(params: number): void {
    this.join();
    this.forget();
    this.compute(0, params);
  }

  close(results: number): void {
    this.join();
    this.depth = this.floor;
    this.floor = this.floors[--this.blocks]!;
    this.compute(0, results);
  }

  /** A loop begins that assigns these locals. */
  enterLoop(locals: Int32Array, from: number, to: number): void {
    if (!this.mayWork(to - from)) return;
    for (let i = from; i < to; i++) this.renumber(locals[i]!);
  }

  /** Locals may have any value now. */
  renumberAll(): void {
    this.age++;
  }

  /** Control may come from elsewhere: locals that were assigned in this block may have any value. */
  private join(): void {
    const begin = this.begins[this.blocks - 1]!;
    if (!this.mayWork(this.assignments - begin)) return;
    const pass = ++this.pass;
    let kept = begin;
    for (let i = begin; i < this.assignments; i++) {
      const local = this.assigned[i]!;
      if (this.seen[local] === pass) continue;
      this.seen[local] = pass;
      this.renumber(local);
      this.assigned[kept++] = local;
    }
    this.assignments = kept;
  }

  private mayWork(count: number): boolean {
    this.work -= count;
    if (this.work >= 0) return true;
    this.renumberAll();
    return false;
  }

  private number(local: number): void {
    if (this.localAges[local] !== this.age) this.renumber(local);
  }

  private renumber(local: number): void {
    this.localAges[local] = this.age;
    this.localValues[local] = this.next++;
    this.localDistances[local] = 0;
  }
}
