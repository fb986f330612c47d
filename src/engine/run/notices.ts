import type { TaskEvents } from './task.js';

/** Who is to be told that its task has ended, once it may be told. */
export class Notices {
  private waiting: { events: TaskEvents; error: Error | null }[] = [];

  /** @param error of a task that failed; null: it ended by itself */
  add(events: TaskEvents, error: Error | null): void {
    this.waiting.push({ events, error });
  }

  /** Whoever is told may add others, or clear. */
  tell(): void {
    if (this.waiting.length === 0) return;
    const { waiting } = this;
    this.waiting = [];
    for (const { events, error } of waiting) {
      if (error) events.fail!(error);
      else events.exit!();
    }
  }

  clear(): void {
    if (this.waiting.length > 0) this.waiting = [];
  }
}
