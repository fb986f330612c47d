/** A line of what `EXPLAIN` says of a statement (sqlite.org/opcode.html). */
export interface Instruction {
  opcode: string;
  p2: number;
  p4: string | null;
}

/**
 * Instructions whose work does not grow with the database, but for the depth of its trees and the length of the values. None of them
 * writes, and none walks from row to row.
 */
const SHORT: ReadonlySet<string> = new Set([
  'Init', 'Transaction', 'Goto', 'Halt', 'Noop', 'Explain', 'OpenRead', 'Close', 'SeekRowid', 'NotExists', 'SeekGE', 'SeekGT', 'SeekLE', 'SeekLT',
  'IdxGE', 'IdxGT', 'IdxLE', 'IdxLT', 'DeferredSeek', 'FinishSeek', 'IdxRowid', 'Rowid', 'Column', 'NullRow', 'Found', 'NotFound', 'NoConflict',
  'Rewind', 'Last', 'ResultRow', 'MakeRecord', 'Integer', 'Int64', 'Real', 'String', 'String8', 'Null', 'Blob', 'Variable', 'Copy', 'SCopy', 'Move',
  'IntCopy', 'MustBeInt', 'Affinity', 'RealAffinity', 'Cast', 'CollSeq', 'IsNull', 'NotNull', 'If', 'IfNot', 'IsTrue', 'ZeroOrNull', 'Eq', 'Ne', 'Lt',
  'Le', 'Gt', 'Ge', 'ElseEq', 'Add', 'Subtract', 'Multiply', 'Divide', 'Remainder', 'And', 'Or', 'Not', 'BitAnd', 'BitOr', 'BitNot', 'ShiftLeft',
  'ShiftRight', 'Concat', 'Function', 'PureFunc',
]);
/** Of those, the ones whose `p2` is no place to jump to. */
const STAYS: ReadonlySet<string> = new Set([
  'Transaction', 'Halt', 'Noop', 'Explain', 'OpenRead', 'Close', 'DeferredSeek', 'FinishSeek', 'IdxRowid', 'Rowid', 'Column', 'NullRow', 'ResultRow',
  'MakeRecord', 'Integer', 'Int64', 'Real', 'String', 'String8', 'Null', 'Blob', 'Variable', 'Copy', 'SCopy', 'Move', 'IntCopy', 'Affinity',
  'RealAffinity', 'Cast', 'CollSeq', 'IsTrue', 'ZeroOrNull', 'Add', 'Subtract', 'Multiply', 'Divide', 'Remainder', 'And', 'Or', 'Not', 'BitAnd',
  'BitOr', 'BitNot', 'ShiftLeft', 'ShiftRight', 'Concat', 'Function', 'PureFunc',
]);
/** Functions that take no longer than their arguments are long. */
const FUNCTIONS: ReadonlySet<string> = new Set(['abs', 'coalesce', 'ifnull', 'iif', 'length', 'lower', 'nullif', 'octet_length', 'sign', 'typeof', 'upper']);
const MAX_INSTRUCTIONS = 500;

/**
 * Whether a program surely ends soon: short instructions alone, and no way back. A program begins with `Init`, which jumps to what is set up
 * once at its end, and from there one `Goto` jumps back to the second instruction; every other jump must go forward, and stay before that.
 */
export function isShortRead(program: readonly Instruction[]): boolean {
  const [init] = program;
  const last = program.at(-1);
  if (program.length > MAX_INSTRUCTIONS || init?.opcode !== 'Init' || last?.opcode !== 'Goto' || last.p2 !== 1) return false;
  const setUp = init.p2;
  if (setUp < 1 || setUp >= program.length) return false;
  return program.every(({ opcode, p2, p4 }, at) => {
    if (!SHORT.has(opcode)) return false;
    // `length(1)`: the name, and how many arguments
    if (opcode === 'Function' || opcode === 'PureFunc') return FUNCTIONS.has(p4?.replace(/\(-?\d+\)$/, '') ?? '');
    if (STAYS.has(opcode) || at === 0 || at === program.length - 1) return true;
    return p2 > at && (at < setUp ? p2 < setUp : p2 < program.length);
  });
}

const MAX_SQL_LENGTH = 4_096;
/** Views whose names are looked for in a statement; with more of them none is taken for short. */
const MAX_VIEWS = 100;

/**
 * Whether making the program of a statement surely takes little time: one SELECT of tables alone. SQLite puts views, subqueries and common
 * tables in where they are named, so that each level may double what is to be done.
 *
 * @param views names of all views of the database, in lower case
 */
export function isPlainSelect(sql: string, views: readonly string[]): boolean {
  if (sql.length > MAX_SQL_LENGTH || views.length > MAX_VIEWS || !/^\s*select\b/i.test(sql)) return false;
  const text = sql.toLowerCase();
  if (text.includes('with') || text.indexOf('select') !== text.lastIndexOf('select')) return false;
  // A name with other signs could be written in several ways.
  return views.every((name) => /^[a-z0-9_]+$/.test(name) && !text.includes(name));
}
