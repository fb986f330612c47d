import { describe, expect, it } from '@jest/globals';
import { OPERATION_MEMORY_MS } from './key-value-store.js';
import { findOperation, logOperation, type LoggedOperation } from './operation-log.js';

describe('the log of a counter\'s operations', () => {
  it('finds what was done, for as long as it is remembered', () => {
    const log = logOperation([], 'op', -(2n ** 63n), 1_000);
    expect(findOperation(log, 'op', 1_000)).toBe(-(2n ** 63n));
    expect(findOperation(log, 'other', 1_000)).toBeUndefined();
    expect(findOperation(log, 'op', 999 + OPERATION_MEMORY_MS)).toBe(-(2n ** 63n));
    expect(findOperation(log, 'op', 1_000 + OPERATION_MEMORY_MS)).toBeUndefined();
    expect(logOperation(log, 'next', 1n, 1_000 + OPERATION_MEMORY_MS)).toHaveLength(1);
  });

  it('stays small: the oldest make room', () => {
    let log: LoggedOperation[] = [];
    for (let i = 0; i < 1_000; i += 1) log = logOperation(log, 'x'.repeat(200) + i, BigInt(i), 1_000);
    expect(JSON.stringify(log).length).toBeLessThan(40_000);
    expect(findOperation(log, `${'x'.repeat(200)}999`, 1_000)).toBe(999n);
    expect(findOperation(log, `${'x'.repeat(200)}400`, 1_000)).toBeUndefined();
  });
});
