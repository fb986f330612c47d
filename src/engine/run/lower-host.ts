import type { PlanTrampoline } from '#engine/plan.js';
import type { Flat } from '#engine/run/abi/layout.js';
import { reusedArity } from './arity.js';
import { SUBTASK } from './handle-table.js';
import { importFunction } from './import-function.js';
import { LoweredValues } from './lowered-values.js';
import type { Parts } from './parts.js';
import { isPromise } from './promise.js';
import { CANCELLED_BEFORE_RETURNED, RETURNED, STARTED, Subtask } from './subtask.js';

type Lower = Extract<PlanTrampoline, { op: 'lower' }>;
/** A promise of an asynchronous host function; `abort` is told when the guest cancels. */
type HostPromise = PromiseLike<unknown> & { abort?(): void };

/** A host function as a core function (CanonicalABI.md `canon lower`). */
export function lowerHost(parts: Parts, id: number, plan: Lower): WebAssembly.CoreFunction {
  const { type, options, instance } = plan;
  const signature = parts.types.signature(type);
  const values = new LoweredValues(signature, parts.context(options), options.async);
  if (options.async) return importFunction(parts, id, values.core, asyncCall(parts, id, values, instance));
  // a call that cannot wait ends before anything could drop a handle that it borrowed, but for its own parameters
  if (!parts.analysis.mayWait(id) && !signature.lendsAndTakes) return promptCall(parts, id, values, instance);
  return importFunction(parts, id, values.core, syncCall(parts, id, values, plan));
}

/** `importFunction` for host functions that are done when they return, which is most of what a guest calls: in one step, without garbage. */
function promptCall(parts: Parts, id: number, values: LoweredValues, index: number): WebAssembly.CoreFunction {
  const { scheduler } = parts;
  const call = values.caller(parts.host(id)!);
  const instance = parts.instances[index];
  return reusedArity(values.core.params.length, (flat) => {
    if (scheduler.dead) throw scheduler.dead;
    try {
      instance.leave();
      const given = call(flat, null);
      if (isPromise(given)) refuse(given);
      return values.writeFromHost(flat, given);
    } catch (error) {
      scheduler.fail(error);
      throw scheduler.dead;
    }
  });
}

function refuse(promise: PromiseLike<unknown>): never {
  promise.then(undefined, () => undefined);
  throw new TypeError('a host function that does not wait returned a promise');
}

function syncCall(parts: Parts, id: number, values: LoweredValues, { type, instance: index }: Lower) {
  const host = parts.host(id)!;
  const call = values.caller(host);
  const instance = parts.instances[index];
  const { async: isAsync, hasBorrow } = parts.types.signature(type);
  const mayWait = parts.analysis.mayWait(id);
  return (flat: Flat): unknown => {
    instance.leave();
    const lends = hasBorrow ? { handles: [] as number[] } : null;
    const given = call(flat, lends);
    if (!isPromise(given)) {
      if (lends) instance.handles.giveBack(lends.handles);
      return values.writeFromHost(flat, given);
    }
    const finish = (value: unknown): unknown => {
      if (lends) instance.handles.giveBack(lends.handles);
      return values.writeFromHost(flat, value);
    };
    if (!mayWait) refuse(given);
    return waitFor(parts, given, { finish, isHostCall: !isAsync });
  };
}

/** Blocks the running task until the host's promise settles. */
function waitFor(parts: Parts, promise: PromiseLike<unknown>, { finish, isHostCall }: { finish(value: unknown): unknown; isHostCall: boolean }): undefined {
  const { scheduler, stacks } = parts;
  const task = scheduler.current!;
  const { generation } = scheduler;
  let settled: unknown;
  // first of all, so that a rejection is never unhandled
  promise.then(
    (value) => {
      if (generation !== scheduler.generation) return;
      settled = value;
      scheduler.wake(task);
    },
    (error) => {
      if (generation === scheduler.generation) scheduler.fail(error, task);
    },
  );
  return stacks.block(() => finish(settled), isHostCall);
}

function asyncCall(parts: Parts, id: number, values: LoweredValues, index: number) {
  const host = parts.host(id)!;
  const instance = parts.instances[index];
  const { scheduler } = parts;
  return (flat: Flat): number => {
    instance.leave();
    const subtask = new Subtask(scheduler, instance.handles);
    const given = host(...values.read(flat, subtask.lends)) as unknown;
    subtask.state = STARTED;
    if (!isPromise(given)) {
      values.writeFromHost(flat, given);
      subtask.state = RETURNED;
      subtask.deliver();
      return RETURNED;
    }
    const promise: HostPromise = given;
    const caller = scheduler.current!;
    const { generation } = scheduler;
    const isOver = (): boolean => generation !== scheduler.generation || scheduler.dead !== null || subtask.isResolved;
    subtask.onCancel = () => {
      promise.abort?.();
      subtask.advance(CANCELLED_BEFORE_RETURNED);
    };
    promise.then(
      (value) => {
        if (isOver()) return;
        scheduler.guarded(() => {
          scheduler.inside(caller, () => values.writeFromHost(flat, value));
          subtask.advance(RETURNED);
        });
      },
      (error) => {
        if (!isOver()) scheduler.fail(error, caller);
      },
    );
    subtask.handle = instance.handles.add(SUBTASK, subtask);
    return subtask.state | (subtask.handle << 4);
  };
}
