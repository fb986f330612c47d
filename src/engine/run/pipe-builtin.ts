import { trap, type CoreType, type Flat } from '#engine/run/abi/layout.js';
import { BLOCKED, blockOn, type BuiltinTrampoline } from './builtin.js';
import { importFunction } from './import-function.js';
import type { Parts } from './parts.js';
import { Pipe } from './pipe.js';
import { READABLE_FUTURE, READABLE_STREAM, WRITABLE_FUTURE, WRITABLE_STREAM, type EndKind, type PipeEnd } from './pipe-end.js';

const I32: CoreType = 'i32';

export function isPipeBuiltin(op: BuiltinTrampoline['op']): boolean {
  return op.startsWith('stream.') || op.startsWith('future.');
}

/** The end that a built-in works on: `stream.cancel-read` on the readable one. */
function kindOf(op: string): EndKind {
  const isReadable = op.includes('read');
  if (op.startsWith('future.')) return isReadable ? READABLE_FUTURE : WRITABLE_FUTURE;
  return isReadable ? READABLE_STREAM : WRITABLE_STREAM;
}

/** `canon stream.*` and `canon future.*`. */
export function pipeBuiltin(parts: Parts, id: number, plan: BuiltinTrampoline): WebAssembly.CoreFunction {
  const instance = parts.instances[plan.instance];
  const type = parts.types.pipe(plan.type!);
  const kind = kindOf(plan.op);
  const define = (params: CoreType[], result: CoreType | null, call: (flat: Flat) => unknown): WebAssembly.CoreFunction =>
    importFunction(parts, id, { params, result }, (flat) => {
      instance.leave();
      return call(flat);
    });
  const end = (handle: number | bigint): PipeEnd => instance.end(kind, type, handle as number);

  switch (plan.op.slice(plan.op.indexOf('.') + 1)) {
    case 'new': return define([], 'i64', () => {
      const pipe = new Pipe(type.future, null, null);
      pipe.type = type;
      const reader = instance.addEnd(pipe, type.future ? READABLE_FUTURE : READABLE_STREAM, type);
      const writer = instance.addEnd(pipe, type.future ? WRITABLE_FUTURE : WRITABLE_STREAM, type);
      return BigInt(reader) | (BigInt(writer) << 32n);
    });
    case 'read':
    case 'write': {
      const context = parts.context(plan.options!);
      const params = type.future ? [I32, I32] : [I32, I32, I32];
      return define(params, 'i32', ([handle, ptr, length]) => {
        const copied = end(handle);
        if (plan.async !== true && copied.set) trap(`a ${kind.name} in a waitable set cannot be waited for`);
        copied.start(context, (ptr as number) >>> 0, type.future ? 1 : (length as number) >>> 0);
        if (copied.pending) return copied.takeEvent();
        return plan.async === true ? BLOCKED : blockOn(parts, copied, () => copied.pending);
      });
    }
    case 'cancel-read':
    // real guests cancel ends that are in a set, synchronously: as nothing waits here, it does no harm
    case 'cancel-write': return define([I32], 'i32', ([handle]) => end(handle).cancel());
    case 'drop-readable':
    case 'drop-writable': return define([I32], null, ([handle]) => {
      end(handle).drop();
      instance.handles.remove(handle as number);
    });
    default: throw new Error(`${plan.op} is no built-in of streams and futures`);
  }
}
