import type { PlanTrampoline } from '#engine/plan.js';
import { MAX_FLAT_PARAMS, trap, type CoreType, type Flat } from '#engine/run/abi/layout.js';
import { needsSpill } from '#engine/run/abi/type-table.js';
import { loadString, STRING } from '#engine/run/abi/string.js';
import { ERROR_CONTEXT_HANDLE, SUBTASK, WAITABLE_SET } from './handle-table.js';
import { importFunction } from './import-function.js';
import type { ComponentInstance } from './instance.js';
import type { Parts } from './parts.js';
import type { Subtask } from './subtask.js';
import { AGAIN, EVENT_CANCELLED, EVENT_NONE, type EventTriple, type Task, WaitableSet } from './task.js';
import type { CoreSignature } from './thunk.js';

export type BuiltinTrampoline = Exclude<PlanTrampoline, { op: 'lower' } | { resource: number }>;

/** What a read, write or cancellation returns while it goes on (0xffffffff). */
export const BLOCKED = -1;
const MAX_BACKPRESSURE = 0xffff;
/** Of an error-context: hosts may change messages as they like (CanonicalABI.md, "canon error-context.new"), and a guest may keep many. */
const MAX_MESSAGE_CHARS = 4096;

const signature = (params: CoreType[], result: CoreType | null): CoreSignature => ({ params, result });
const HANDLE_TO_NOTHING = signature(['i32'], null);

/** The built-ins that are not about streams and futures: tasks, waitables, error contexts. */
export function builtin(parts: Parts, id: number, plan: BuiltinTrampoline): WebAssembly.CoreFunction {
  const instance = parts.instances[plan.instance];
  const { scheduler } = parts;
  const make = (core: CoreSignature, call: (flat: Flat) => unknown): WebAssembly.CoreFunction => importFunction(parts, id, core, call);
  const leaving = (core: CoreSignature, call: (flat: Flat) => unknown): WebAssembly.CoreFunction =>
    make(core, (flat) => {
      instance.leave();
      return call(flat);
    });

  switch (plan.op) {
    case 'context.get': return make(signature([], 'i32'), () => scheduler.current!.context[plan.slot === 1 ? 1 : 0]);
    case 'context.set': return make(HANDLE_TO_NOTHING, ([value]) => {
      scheduler.current!.context[plan.slot === 1 ? 1 : 0] = value as number;
    });
    case 'backpressure.inc': return make(signature([], null), () => {
      if (++instance.gate.backpressure > MAX_BACKPRESSURE) trap('backpressure overflow');
    });
    case 'backpressure.dec': return make(signature([], null), () => {
      if (--instance.gate.backpressure < 0) trap('backpressure underflow');
      instance.gate.admit(scheduler);
    });
    case 'task.return': return taskReturn(parts, id, plan);
    case 'task.cancel': return leaving(signature([], null), () => {
      const task = scheduler.current!;
      if (task.cancellation !== 'delivered') trap('task.cancel in a task that was not told to cancel');
      scheduler.resolve(task, null, true);
    });
    case 'thread.yield': return leaving(signature([], 'i32'), () => threadYield(parts, plan.cancellable === true));
    case 'waitable-set.new': return leaving(signature([], 'i32'), () => instance.handles.add(WAITABLE_SET, new WaitableSet(scheduler)));
    case 'waitable-set.drop': return leaving(HANDLE_TO_NOTHING, ([handle]) => {
      const set = instance.waitableSet(handle as number);
      if (set.members > 0 || set.waiting > 0) trap('a waitable set in use was dropped');
      instance.handles.remove(handle as number);
    });
    case 'waitable.join': return leaving(signature(['i32', 'i32'], null), ([handle, setHandle]) => {
      const waitable = instance.waitable(handle as number);
      if (waitable.syncWaiter) trap('a waitable that is being waited on cannot join a set');
      waitable.join(setHandle === 0 ? null : instance.waitableSet(setHandle as number));
    });
    case 'waitable-set.wait':
    case 'waitable-set.poll': return waitOrPoll(parts, id, plan);
    case 'subtask.drop': return leaving(HANDLE_TO_NOTHING, ([handle]) => {
      const subtask = instance.handles.get(SUBTASK, handle as number) as Subtask;
      if (!subtask.delivered) trap('a subtask was dropped before its end was delivered');
      subtask.join(null);
      instance.handles.remove(handle as number);
    });
    case 'subtask.cancel': return leaving(signature(['i32'], 'i32'), ([handle]) =>
      cancelSubtask(parts, instance, handle as number, plan.async === true));
    case 'error-context.new': {
      const context = parts.context(plan.options!);
      return leaving(signature(['i32', 'i32'], 'i32'), ([ptr, length]) => {
        context.begin();
        return instance.handles.add(ERROR_CONTEXT_HANDLE, shorten(loadString(context, (ptr as number) >>> 0, (length as number) >>> 0)));
      });
    }
    case 'error-context.debug-message': {
      const context = parts.context(plan.options!);
      return leaving(signature(['i32', 'i32'], null), ([handle, ptr]) => {
        const message = instance.handles.get(ERROR_CONTEXT_HANDLE, handle as number);
        context.begin();
        context.checkOut((ptr as number) >>> 0, STRING.size, STRING.align);
        STRING.store(context, (ptr as number) >>> 0, message);
      });
    }
    case 'error-context.drop': return leaving(HANDLE_TO_NOTHING, ([handle]) => {
      instance.handles.get(ERROR_CONTEXT_HANDLE, handle as number);
      instance.handles.remove(handle as number);
    });
    default: throw new Error(`${plan.op} is not a built-in of tasks and waitables`);
  }
}

/** A text of its own: a part of a longer one would keep all of that. */
function shorten(message: string): string {
  return message.length <= MAX_MESSAGE_CHARS ? message : Array.from(message.slice(0, MAX_MESSAGE_CHARS)).join('').toWellFormed();
}

function taskReturn(parts: Parts, id: number, plan: BuiltinTrampoline): WebAssembly.CoreFunction {
  const { scheduler, types } = parts;
  const instance = parts.instances[plan.instance];
  const index = plan.result ?? null;
  const codec = index === null ? null : types.codec(index);
  const key = types.key(index);
  const context = parts.context(plan.options!);
  const inMemory = codec !== null && needsSpill(codec.flat.length, MAX_FLAT_PARAMS);
  const params: CoreType[] = !codec ? [] : inMemory ? ['i32'] : [...codec.flat];
  return importFunction(parts, id, signature(params, null), (flat) => {
    instance.leave();
    const task = scheduler.current!;
    if (!task.fn?.isReturnedBy?.(key, context)) trap('task.return of another type, or with other options, than the function has');
    context.begin();
    if (!codec) {
      scheduler.resolve(task, undefined, false);
      return;
    }
    const ptr = (flat[0] as number) >>> 0;
    if (inMemory) context.check(ptr, codec.size, codec.align);
    scheduler.resolve(task, inMemory ? codec.load(context, ptr) : codec.lift(context, flat, 0), false);
  });
}

function waitOrPoll(parts: Parts, id: number, plan: BuiltinTrampoline): WebAssembly.CoreFunction {
  const { scheduler, stacks } = parts;
  const instance = parts.instances[plan.instance];
  const context = parts.context(plan.options!);
  const cancellable = plan.cancellable === true;

  const give = (ptr: number, [code, handle, payload]: EventTriple): number => {
    context.begin();
    context.checkOut(ptr, 8, 4);
    context.view.setUint32(ptr, handle, true);
    context.view.setInt32(ptr + 4, payload, true);
    return code;
  };
  return importFunction(parts, id, signature(['i32', 'i32'], 'i32'), ([setHandle, pointer]) => {
    instance.leave();
    const ptr = (pointer as number) >>> 0;
    const set = instance.waitableSet(setHandle as number);
    const task = scheduler.current!;
    if (cancellable && task.takeCancellation()) return give(ptr, [EVENT_CANCELLED, 0, 0]);
    const event = set.next();
    if (event) return give(ptr, event);
    if (plan.op === 'waitable-set.poll') return give(ptr, [EVENT_NONE, 0, 0]);
    const blocked = stacks.block(() => {
      const cancelled = cancellable && task.takeCancellation();
      const next: EventTriple | null = cancelled ? [EVENT_CANCELLED, 0, 0] : set.next();
      if (!next) {
        // another task took the event first
        set.addWaiter(task);
        return AGAIN;
      }
      set.removeWaiter(task);
      set.waiting--;
      task.cancellable = false;
      return give(ptr, next);
    }, false);
    set.waiting++;
    set.addWaiter(task);
    task.cancellable = cancellable;
    return blocked;
  });
}

function threadYield({ scheduler, stacks }: Parts, cancellable: boolean): unknown {
  const task = scheduler.current!;
  const cancelled = (): number => (cancellable && task.takeCancellation() ? 1 : 0);
  // a synchronous function may not wait: to it a yield is nothing
  if (!task.fn?.async) return 0;
  if (cancelled()) return 1;
  const blocked = stacks.block(() => {
    task.cancellable = false;
    return cancelled();
  }, false);
  task.cancellable = cancellable;
  scheduler.wakeLater(task);
  return blocked;
}

function cancelSubtask({ scheduler, stacks }: Parts, instance: ComponentInstance, handle: number, isAsync: boolean): unknown {
  const subtask = instance.handles.get(SUBTASK, handle) as Subtask;
  if (subtask.delivered || subtask.cancelRequested) trap('a subtask was cancelled twice, or after its end');
  if (subtask.syncWaiter) trap('a subtask that is being waited on cannot be cancelled');
  if (!subtask.isResolved) {
    subtask.cancelRequested = true;
    subtask.onCancel?.();
  }
  if (subtask.isResolved) return subtask.takeEvent();
  if (isAsync) return BLOCKED;
  if (subtask.set) trap('a subtask in a waitable set cannot be waited for');
  return blockOn({ scheduler, stacks }, subtask, () => subtask.isResolved);
}

/** Blocks the running task on one waitable, and gives the payload of its event. */
export function blockOn(
  { scheduler, stacks }: Pick<Parts, 'scheduler' | 'stacks'>,
  waitable: { syncWaiter: Task | null; takeEvent(): number },
  isReady: () => boolean,
): unknown {
  const task = scheduler.current!;
  const blocked = stacks.block(() => {
    if (!isReady()) return AGAIN;
    waitable.syncWaiter = null;
    return waitable.takeEvent();
  }, false);
  waitable.syncWaiter = task;
  return blocked;
}

