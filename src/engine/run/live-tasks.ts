import type { CpuAccount } from './cpu-account.js';
import { InstanceLost } from './host.js';
import type { Notices } from './notices.js';
import type { Task } from './task.js';

/** The tasks of a slot that have not ended: an array with places, since a set makes garbage at each change. */
export class LiveTasks {
  private readonly tasks: Task[] = [];

  get size(): number {
    return this.tasks.length;
  }

  add(task: Task): void {
    task.liveAt = this.tasks.length;
    this.tasks.push(task);
    task.account.tasks++;
  }

  delete(task: Task): void {
    const { liveAt } = task;
    if (liveAt < 0) return;
    task.liveAt = -1;
    task.account.tasks--;
    const last = this.tasks.pop()!;
    if (last === task) return;
    this.tasks[liveAt] = last;
    last.liveAt = liveAt;
  }

  /** Those of one account. */
  of(account: CpuAccount): Task[] {
    return this.tasks.filter((task) => task.account === account);
  }

  /** Takes all of them out, the oldest first as far as none has ended in between. */
  drain(): Task[] {
    const all = this.tasks.splice(0);
    for (const task of all) {
      task.liveAt = -1;
      task.account.tasks--;
    }
    return all;
  }

  /** Ends all of them. Those of other accounts than the `culprit`, if there is one, are told that they lost their instance. */
  bury(error: Error, culprit: CpuAccount | null, notices: Notices): void {
    let lost: InstanceLost | null = null;
    for (const task of this.drain()) {
      task.ended = true;
      task.suspension?.reject(error);
      task.suspension = null;
      if (!task.events.fail) continue;
      const isOwn = culprit === null || culprit === task.account;
      notices.add(task.events, isOwn ? error : (lost ??= new InstanceLost(error)));
    }
  }
}
