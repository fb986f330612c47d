/** Of the client library's column definitions. */
export interface MysqlField {
  name: string;
  columnType: number;
  flags: number | string[];
}

export interface DbValue {
  tag: string;
  val?: unknown;
}

/** A value that the interfaces have no type for. */
export class NotConvertible extends Error {
  override name = 'NotConvertible';
}

/** Protocol::ColumnType, and two flags of a column (MySQL, "Column Definition Flags"). */
const TINY = 1;
const SHORT = 2;
const LONG = 3;
const FLOAT = 4;
const DOUBLE = 5;
const LONGLONG = 8;
const INT24 = 9;
const BLOBS = [249, 250, 251, 252];
const VARCHAR = 15;
const VAR_STRING = 253;
const STRING = 254;
const UNSIGNED_FLAG = 32;
const BINARY_FLAG = 128;

const INTEGERS: ReadonlyMap<number, string> = new Map([[TINY, 'int8'], [SHORT, 'int16'], [LONG, 'int32'], [INT24, 'int32'], [LONGLONG, 'int64']]);
const TEXTS: ReadonlySet<number> = new Set([...BLOBS, VARCHAR, VAR_STRING, STRING]);

/**
 * Case of `db-data-type` for a column, as in Spin: there is no boolean, text and bytes are told apart by the column's binary flag, and what has no case
 * (decimals, dates, times, JSON, bits) is `other`.
 */
export function dataTypeOf({ columnType, flags }: MysqlField): string {
  const has = (flag: number): boolean => (Number(flags) & flag) !== 0;
  const integer = INTEGERS.get(columnType);
  if (integer !== undefined) return has(UNSIGNED_FLAG) ? `u${integer}` : integer;
  if (columnType === FLOAT) return 'floating32';
  if (columnType === DOUBLE) return 'floating64';
  if (TEXTS.has(columnType)) return has(BINARY_FLAG) ? 'binary' : 'str';
  return 'other';
}

/** A value as the client library reads it, in the terms of the interface. Throws NotConvertible. */
export function valueOf(value: unknown, type: string, column: string): DbValue {
  if (value === null) return { tag: 'db-null', val: undefined };
  switch (type) {
    case 'int64':
    case 'uint64': return { tag: type, val: BigInt(value as string) };
    case 'str': return { tag: type, val: Buffer.isBuffer(value) ? value.toString() : value };
    case 'binary': return { tag: type, val: new Uint8Array(Buffer.isBuffer(value) ? value : Buffer.from(value as string)) };
    case 'other': throw new NotConvertible(`Cannot convert value ${shown(value)} in column ${column} data type DbDataType::Other`);
    default: return { tag: type, val: value };
  }
}

const SHOWN_CHARS = 100;

function shown(value: unknown): string {
  return `Bytes(${JSON.stringify(String(value).slice(0, SHOWN_CHARS))})`;
}
