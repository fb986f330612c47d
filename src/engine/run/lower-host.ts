import type { PlanTrampoline } from '#engine/plan.js';
import type { Flat } from '#engine/run/abi/layout.js';
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
  const values = new LoweredValues(parts.types.signature(type), parts.context(options), options.async);
  const call = options.async ? asyncCall(parts, id, values, instance) : syncCall(parts, id, values, plan);
  return importFunction(parts, id, values.core, call);
}

function syncCall(parts: Parts, id: number, values: LoweredValues, { type, instance: index }: Lower) {
  const host = parts.host(id)!;
  const call = values.caller(host);
  const instance = parts.instances[index];
  const { async: isAsync, hasBorrow, lendsAndTakes } = parts.types.signature(type);
  const mayWait = parts.analysis.mayWait(id);
  // a call that cannot wait ends before anything could drop a handle that it borrowed, but for its own parameters
  const countsLends = hasBorrow && (mayWait || lendsAndTakes);
  return (flat: Flat): unknown => {
    instance.leave();
    const lends = countsLends ? { handles: [] as number[] } : null;
    const given = call(flat, lends);
    if (!isPromise(given)) {
      if (lends) instance.handles.giveBack(lends.handles);
      return values.writeFromHost(flat, given);
    }
    const finish = (value: unknown): unknown => {
      if (lends) instance.handles.giveBack(lends.handles);
      return values.writeFromHost(flat, value);
    };
    if (!mayWait) {
      given.then(undefined, () => undefined);
      throw new TypeError('a host function that does not wait returned a promise');
    }
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
