import type { PlanFuncType } from '#engine/plan.js';
import type { Signature } from '#engine/build/core/core-types.js';
import type { TypeTable } from './type-table.js';

/** CanonicalABI.md: parameters of an async-lowered function that are passed as values before they go through memory. */
const MAX_FLAT_ASYNC_PARAMS = 4;

export interface CoreShape {
  params: string[];
  results: string[];
  /** Parameters, or results, go through memory for their number. */
  paramsSpill: boolean;
  resultSpills: boolean;
}

export function signature(params: string[], results: string[]): NonNullable<Signature> {
  return `${params.join(',')}>${results.join(',')}`;
}

/** The core form of a function (CanonicalABI.md, flatten_functype, with 32-bit pointers). */
export function coreShape(table: TypeTable, type: PlanFuncType, side: 'lift' | 'lower', options: { async: boolean; callback: boolean }): CoreShape {
  const flatParams = table.flatten(type.params.map(([, param]) => param));
  const flatResults: string[] | null = type.result === null ? [] : table.factsOf(type.result).flat;
  const maxParams = options.async && side === 'lower' ? MAX_FLAT_ASYNC_PARAMS : 16;
  const paramsSpill = flatParams === null || flatParams.length > maxParams;
  const params: string[] = paramsSpill ? ['i32'] : [...flatParams];
  const resultLong = flatResults === null || flatResults.length > 1;
  if (!options.async) {
    if (!resultLong) return { params, results: flatResults, paramsSpill, resultSpills: false };
    if (side === 'lift') return { params, results: ['i32'], paramsSpill, resultSpills: true };
    return { params: [...params, 'i32'], results: [], paramsSpill, resultSpills: true };
  }
  if (side === 'lift') return { params, results: options.callback ? ['i32'] : [], paramsSpill, resultSpills: false };
  const resultSpills = type.result !== null;
  return { params: resultSpills ? [...params, 'i32'] : params, results: ['i32'], paramsSpill, resultSpills };
}

/** Core types of the built-ins that depend on nothing (CanonicalABI.md, canonical definitions). */
export const BUILTIN_SIGNATURES: Record<string, NonNullable<Signature>> = {
  'resource.new': 'i32>i32', 'resource.rep': 'i32>i32', 'resource.drop': 'i32>',
  'task.cancel': '>', 'context.get': '>i32', 'context.set': 'i32>', 'backpressure.inc': '>', 'backpressure.dec': '>', 'thread.yield': '>i32',
  'subtask.cancel': 'i32>i32', 'subtask.drop': 'i32>', 'waitable-set.new': '>i32', 'waitable-set.wait': 'i32,i32>i32',
  'waitable-set.poll': 'i32,i32>i32', 'waitable-set.drop': 'i32>', 'waitable.join': 'i32,i32>',
  'stream.new': '>i64', 'stream.read': 'i32,i32,i32>i32', 'stream.write': 'i32,i32,i32>i32', 'stream.cancel-read': 'i32>i32',
  'stream.cancel-write': 'i32>i32', 'stream.drop-readable': 'i32>', 'stream.drop-writable': 'i32>',
  'future.new': '>i64', 'future.read': 'i32,i32>i32', 'future.write': 'i32,i32>i32', 'future.cancel-read': 'i32>i32',
  'future.cancel-write': 'i32>i32', 'future.drop-readable': 'i32>', 'future.drop-writable': 'i32>',
  'error-context.new': 'i32,i32>i32', 'error-context.debug-message': 'i32,i32>', 'error-context.drop': 'i32>',
};
