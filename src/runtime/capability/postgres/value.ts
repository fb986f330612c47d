import { dateOfDays, splitMicros, timeOfMicros } from './calendar.js';
import { decimalOf } from './numeric.js';

/** A value of `spin:postgres@4`, which has all that the older interfaces have. */
export interface DbValue {
  tag: string;
  val?: unknown;
}

/** Reads one value in the server's binary form. */
export type Decode = (bytes: Buffer) => DbValue;

/** `date` and the timestamps count from 2000-01-01. */
const EPOCH_DAYS = 10_957;
const EPOCH_US = 946_684_800_000_000n;

const NULL_VALUE: DbValue = { tag: 'db-null', val: undefined };

/** A value that its WIT type cannot hold. */
export class NotConvertible extends Error {
  override name = 'NotConvertible';
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function text(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new NotConvertible('the server sent text that is not UTF-8', { cause });
  }
}

function date(bytes: Buffer): unknown {
  const days = bytes.readInt32BE();
  if (days === 0x7fffffff || days === -0x80000000) throw new NotConvertible('an infinite date cannot be represented');
  return dateOfDays(days + EPOCH_DAYS);
}

function dateTime(bytes: Buffer): unknown {
  const micros = bytes.readBigInt64BE();
  if (micros === 0x7fffffffffffffffn || micros === -0x8000000000000000n) throw new NotConvertible('an infinite timestamp cannot be represented');
  const { days, time } = splitMicros(micros + EPOCH_US);
  return [...dateOfDays(days), ...time];
}

/** 24:00, which PostgreSQL has, is the midnight after. */
function time(bytes: Buffer): unknown {
  const [hour, ...rest] = timeOfMicros(bytes.readBigInt64BE());
  return [hour % 24, ...rest];
}

function uuid(bytes: Buffer): unknown {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** The text as PostgreSQL keeps it: numbers lose no digit. */
function jsonb(bytes: Buffer): unknown {
  if (bytes[0] !== 1) throw new NotConvertible(`jsonb of version ${bytes[0]} is not known`);
  return new Uint8Array(bytes.subarray(1));
}

function interval(bytes: Buffer): unknown {
  return { micros: bytes.readBigInt64BE(0), days: bytes.readInt32BE(8), months: bytes.readInt32BE(12) };
}

/** rangetypes.h: flags, then the bounds that there are, each behind its length. An empty range has none, as Spin gives it. */
function range(element: (bytes: Buffer) => unknown): (bytes: Buffer) => unknown {
  return (bytes) => {
    const flags = bytes[0]!;
    let at = 1;
    const bound = (absent: number, inclusive: number) => {
      if (flags & (absent | 0x01)) return undefined;
      const length = bytes.readInt32BE(at);
      const value = element(bytes.subarray(at + 4, at + 4 + length));
      at += 4 + length;
      return [value, flags & inclusive ? 'inclusive' : 'exclusive'];
    };
    return [bound(0x08, 0x02), bound(0x10, 0x04)];
  };
}

/** array_send: dimensions, whether there are nulls, type of the elements; of each dimension its length and lower bound; the elements. */
function array(element: (bytes: Buffer) => unknown): (bytes: Buffer) => unknown {
  return (bytes) => {
    const dimensions = bytes.readInt32BE(0);
    if (dimensions > 1) throw new NotConvertible('array contains too many dimensions');
    const values: unknown[] = [];
    if (dimensions === 0) return values;
    const count = bytes.readInt32BE(12);
    for (let at = 20; values.length < count;) {
      const length = bytes.readInt32BE(at);
      at += 4;
      values.push(length < 0 ? undefined : element(bytes.subarray(at, at + length)));
      at += Math.max(0, length);
    }
    return values;
  };
}

const int4 = (bytes: Buffer): unknown => bytes.readInt32BE();
const int8 = (bytes: Buffer): unknown => bytes.readBigInt64BE();

interface Known {
  /** `db-data-type`. */
  type: string;
  read: (bytes: Buffer) => unknown;
}

const str: Known = { type: 'str', read: text };
const strings: Known = { type: 'array-str', read: array(text) };
const moment: Known = { type: 'datetime', read: dateTime };

/** By the oid of the type (pg_type.dat). */
const KNOWN: ReadonlyMap<number, Known> = new Map<number, Known>([
  [16, { type: 'boolean', read: (bytes) => bytes[0] !== 0 }],
  [17, { type: 'binary', read: (bytes) => new Uint8Array(bytes) }],
  [20, { type: 'int64', read: int8 }],
  [21, { type: 'int16', read: (bytes) => bytes.readInt16BE() }],
  [23, { type: 'int32', read: int4 }],
  [25, str],
  [700, { type: 'floating32', read: (bytes) => bytes.readFloatBE() }],
  [701, { type: 'floating64', read: (bytes) => bytes.readDoubleBE() }],
  [1007, { type: 'array-int32', read: array(int4) }],
  [1009, strings],
  [1014, strings],
  [1015, strings],
  [1016, { type: 'array-int64', read: array(int8) }],
  [1042, str],
  [1043, str],
  [1082, { type: 'date', read: date }],
  [1083, { type: 'time', read: time }],
  [1114, moment],
  [1184, moment],
  [1186, { type: 'interval', read: interval }],
  [1231, { type: 'array-decimal', read: array(decimalOf) }],
  [1700, { type: 'decimal', read: decimalOf }],
  [2950, { type: 'uuid', read: uuid }],
  [3802, { type: 'jsonb', read: jsonb }],
  [3904, { type: 'range-int32', read: range(int4) }],
  [3906, { type: 'range-decimal', read: range(decimalOf) }],
  [3926, { type: 'range-int64', read: range(int8) }],
]);

/** How values of a type are read; one that the interfaces do not have comes as the server's bytes. */
export function decoderOf(oid: number): Decode {
  const known = KNOWN.get(oid);
  if (!known) return (bytes) => ({ tag: 'unsupported', val: new Uint8Array(bytes) });
  const { type, read } = known;
  return (bytes) => ({ tag: type, val: read(bytes) });
}

/** Reads one row. Throws NotConvertible. */
export function decodeRow(decoders: readonly Decode[], fields: readonly (Buffer | null)[]): DbValue[] {
  try {
    return fields.map((bytes, at) => (bytes === null ? NULL_VALUE : decoders[at]!(bytes)));
  } catch (cause) {
    if (cause instanceof NotConvertible) throw cause;
    throw new NotConvertible('the server sent a value that cannot be read', { cause });
  }
}

export interface DbDataType {
  tag: string;
  val?: string;
}

/** `db-data-type` of a column; null: none of those that the interfaces have, and only the server knows its name. */
export function dataTypeOf(oid: number): DbDataType | null {
  const known = KNOWN.get(oid);
  return known ? { tag: known.type, val: undefined } : null;
}
