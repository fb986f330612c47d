import type { PlanTrampoline } from '#engine/plan.js';
import type { Flat } from '#engine/run/abi/layout.js';
import { requestCancel } from './cancellation.js';
import { SUBTASK } from './handle-table.js';
import { importFunction } from './import-function.js';
import { LoweredValues } from './lowered-values.js';
import type { Parts } from './parts.js';
import { CANCELLED_BEFORE_RETURNED, CANCELLED_BEFORE_STARTED, RETURNED, STARTED, STARTING, Subtask } from './subtask.js';
import { type GuestFunction, Task } from './task.js';

type Lower = Extract<PlanTrampoline, { op: 'lower' }>;

/** A function of another component instance as a core function. Values go from one memory to the other as JavaScript values. */
export function lowerGuest(parts: Parts, id: number, plan: Lower & { callee: { k: 'lift' } }): WebAssembly.CoreFunction {
  const { options, callee } = plan;
  const values = new LoweredValues(parts.types.signature(plan.type), parts.context(options), options.async);
  const caller = parts.instances[plan.instance];
  const calleeInstance = parts.liftInstance(callee.lift);
  const { scheduler, stacks } = parts;

  const call = (flat: Flat): unknown => {
    caller.leave();
    const fn = parts.lift(callee.lift);
    const by = scheduler.current!;
    const subtask = new Subtask(scheduler, caller.handles);
    let isWaiting = false;
    let result: unknown;
    const task = new Task(fn, calleeInstance.gate, {
      start: () => {
        subtask.advance(STARTED);
        return values.read(flat, subtask.lends);
      },
      resolve: (value, cancelled) => {
        if (cancelled) {
          subtask.advance(subtask.state === STARTING ? CANCELLED_BEFORE_STARTED : CANCELLED_BEFORE_RETURNED);
          return;
        }
        result = scheduler.inside(by, () => values.write(flat, value));
        subtask.advance(RETURNED);
        if (isWaiting) scheduler.wake(by);
      },
    }, by.account);
    subtask.onCancel = () => requestCancel(scheduler, task);
    scheduler.start(task);
    if (subtask.isResolved) {
      subtask.deliver();
      return options.async ? subtask.state : result;
    }
    if (options.async) {
      subtask.handle = caller.handles.add(SUBTASK, subtask);
      return subtask.state | (subtask.handle << 4);
    }
    isWaiting = true;
    return stacks.block(() => {
      subtask.deliver();
      return result;
    }, !fn.async);
  };
  return importFunction(parts, id, values.core, call);
}

/** Calls a destructor as the synchronous function that it is, in the instance that defines the type. */
export function callDestructor(parts: Parts, destructor: GuestFunction, instance: number, rep: number): undefined {
  const { scheduler, stacks } = parts;
  const by = scheduler.current!;
  let isWaiting = false;
  let isDone = false;
  const task = new Task(destructor, parts.instances[instance].gate, {
    start: () => [rep],
    resolve: () => {
      isDone = true;
      if (isWaiting) scheduler.wake(by);
    },
  }, by.account);
  scheduler.start(task);
  if (isDone) return undefined;
  isWaiting = true;
  return stacks.block(() => undefined, true);
}
