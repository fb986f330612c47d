import { createHash } from 'node:crypto';
import { OPERATION_MEMORY_MS } from './key-value-store.js';

/**
 * What is remembered of the operations of one counter, kept in its own item, so that counter and memory change in one conditional write:
 * for stores without transactions over keys.
 */
export interface LoggedOperation {
  /** Of one length, whatever the caller's is. */
  id: string;
  /** A decimal: JSON's numbers hold no 64 bits. */
  sum: string;
  atMs: number;
}

/** An item is small: the oldest make room, however young. At some 60 bytes each. */
const MAX_LOGGED = 500;

const idOf = (operation: string): string => createHash('sha256').update(operation).digest('base64url').slice(0, 22);

/** What the operation came to, if it was done lately. */
export function findOperation(log: readonly LoggedOperation[], operation: string, nowMs: number): bigint | undefined {
  const id = idOf(operation);
  const found = log.find((each) => each.id === id && each.atMs > nowMs - OPERATION_MEMORY_MS);
  return found && BigInt(found.sum);
}

/** The log with one more, and without those that are over. */
export function logOperation(log: readonly LoggedOperation[], operation: string, sum: bigint, nowMs: number): LoggedOperation[] {
  const id = idOf(operation);
  const kept = log.filter((each) => each.id !== id && each.atMs > nowMs - OPERATION_MEMORY_MS);
  return [...kept.slice(-(MAX_LOGGED - 1)), { id, sum: `${sum}`, atMs: nowMs }];
}
