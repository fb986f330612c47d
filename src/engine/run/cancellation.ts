import type { CpuAccount } from './cpu-account.js';
import type { Scheduler } from './scheduler.js';
import type { Task } from './task.js';

/**
 * The host asks what it started for an account to end early. A task that waits where it can be told is told at once; whatever the guest makes of
 * that may come later. One that has given its result is not told: it sees that nobody takes what it writes.
 */
export function cancelAccount(scheduler: Scheduler, account: CpuAccount): void {
  for (const task of scheduler.live.of(account)) {
    if (!task.events.exit || task.resolved || task.cancellation !== 'none') continue;
    if (!task.started) {
      scheduler.withdraw(task);
      continue;
    }
    task.cancellation = 'pending';
    if (task.wait === 'event' || (task.wait === 'stack' && task.cancellable)) scheduler.wake(task);
  }
}

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
