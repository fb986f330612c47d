import type { HandleTable } from './handle-table.js';
import { EVENT_SUBTASK, Waitable, type Waker } from './task.js';

export const STARTING = 0;
export const STARTED = 1;
export const RETURNED = 2;
export const CANCELLED_BEFORE_STARTED = 3;
export const CANCELLED_BEFORE_RETURNED = 4;

/** The caller's side of an asynchronous call. */
export class Subtask extends Waitable {
  readonly eventCode = EVENT_SUBTASK;
  state = STARTING;
  cancelRequested = false;
  /** The caller knows that it ended: handles lent to it are given back. */
  delivered = false;
  /** Asks the callee to stop. */
  onCancel: (() => void) | null = null;
  readonly lends: { handles: number[] } = { handles: [] };

  constructor(waker: Waker, private readonly table: HandleTable) {
    super(waker);
  }

  get isResolved(): boolean {
    return this.state >= RETURNED;
  }

  advance(state: number): void {
    this.state = state;
    if (this.handle !== 0) this.signal();
  }

  takeEvent(): number {
    this.pending = false;
    if (this.isResolved) this.deliver();
    return this.state;
  }

  deliver(): void {
    if (this.delivered) return;
    this.delivered = true;
    this.pending = false;
    this.table.giveBack(this.lends.handles);
  }
}
