import type { SqlJson } from '#contract/store-request.js';
import type { SqlValue } from '#runtime/capability/sqlite/sql.js';

/** A number that stands for an integer is one, as in SQL text. */
export function fromSqlJson(value: SqlJson): SqlValue {
  if (value === null || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  return 'integer' in value ? BigInt(value.integer) : Buffer.from(value.base64, 'base64');
}

/** What JSON would round, or cannot say, is given as text. */
export function toSqlJson(value: SqlValue): SqlJson {
  if (typeof value === 'bigint') return isSafe(value) ? Number(value) : { integer: value.toString() };
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  return value instanceof Uint8Array ? { base64: Buffer.from(value).toString('base64') } : value;
}

const isSafe = (value: bigint): boolean => value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER);
