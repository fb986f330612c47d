import type { Scheduler } from './scheduler.js';
import type { Task } from './task.js';

/** A caller asks a task to end early (CanonicalABI.md, Task.request_cancellation). The task may go on and still return a value. */
export function requestCancel(scheduler: Scheduler, task: Task): void {
  const { gate } = task;
  if (!task.started) {
    scheduler.withdraw(task);
    return;
  }
  task.cancellation = 'pending';
  const isFree = gate.exclusive === null && gate.hostBlocked === 0 && (scheduler.current?.mayEnter(gate) ?? true);
  if ((task.wait === 'event' || task.wait === 'yield') && isFree) scheduler.interrupt(task);
  else if (task.wait === 'event' || (task.wait === 'stack' && task.cancellable)) scheduler.wake(task);
}
