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
  }

  delete(task: Task): void {
    const { liveAt } = task;
    if (liveAt < 0) return;
    task.liveAt = -1;
    const last = this.tasks.pop()!;
    if (last === task) return;
    this.tasks[liveAt] = last;
    last.liveAt = liveAt;
  }

  /** Takes all of them out, the oldest first as far as none has ended in between. */
  drain(): Task[] {
    const all = this.tasks.splice(0);
    for (const task of all) task.liveAt = -1;
    return all;
  }
}
