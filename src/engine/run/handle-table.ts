import { trap } from '#engine/run/abi/layout.js';
import { LimitTrap } from './host.js';

/** What a handle stands for: a resource type, or one of the constants below. Compared by identity. */
export interface HandleKind {
  readonly name: string;
}

export const WAITABLE_SET: HandleKind = { name: 'waitable set' };
export const SUBTASK: HandleKind = { name: 'subtask' };
export const ERROR_CONTEXT_HANDLE: HandleKind = { name: 'error context' };

/** A table is not shrunk below this when it is cleared. */
const KEPT_HANDLES = 128;

/** Who counts a borrowed handle until it is dropped: the task that it was lent to. */
export interface BorrowScope {
  borrows: number;
}

/**
 * Handles of one component instance, as parallel arrays with a list of free places: host calls make and drop several handles per
 * invocation, and an object for each would be most of their cost. Handle 0 is never given out.
 */
export class HandleTable {
  private kinds: (HandleKind | null)[] = [null];
  private values: unknown[] = [null];
  /** The borrow's scope; null for what is owned. */
  private scopes: (BorrowScope | null)[] = [null];
  private lends: number[] = [0];
  /** A stack of `freeCount` places. Counted by hand: to shorten an array costs V8 more than all else here. */
  private free: number[] = [];
  private freeCount = 0;
  /** The first place that was never used. */
  private end = 1;

  constructor(private readonly maxHandles: number) {}

  get isEmpty(): boolean {
    return this.freeCount === this.end - 1;
  }

  /** Forgets all handles. The arrays stay as long as few were in use: the next invocation needs them again. */
  clear(): void {
    const { end } = this;
    // the next one that is given out is 1, as in a new table
    this.end = 1;
    this.freeCount = 0;
    if (end > KEPT_HANDLES) {
      this.kinds = [null];
      this.values = [null];
      this.scopes = [null];
      this.lends = [0];
      this.free = [];
      return;
    }
    for (let handle = 1; handle < end; handle++) {
      this.kinds[handle] = null;
      this.values[handle] = null;
      this.scopes[handle] = null;
      this.lends[handle] = 0;
    }
  }

  add(kind: HandleKind, value: unknown, scope: BorrowScope | null = null): number {
    const handle = this.freeCount > 0 ? this.free[--this.freeCount] : this.grow();
    this.kinds[handle] = kind;
    this.values[handle] = value;
    this.scopes[handle] = scope;
    return handle;
  }

  private grow(): number {
    const handle = this.end;
    if (handle > this.maxHandles) throw new LimitTrap('handles', `an instance holds more than ${this.maxHandles} handles`);
    this.end++;
    this.lends[handle] = 0;
    return handle;
  }

  /** The value behind a handle of this kind; traps for any other handle. */
  get(kind: HandleKind, handle: number): unknown {
    const found = this.kinds[handle];
    if (found !== kind) trap(found ? `handle ${handle} is a ${found.name}, not a ${kind.name}` : `there is no handle ${handle}`);
    return this.values[handle];
  }

  /** The value behind any handle, undefined when there is none. */
  peek(handle: number): unknown {
    return this.values[handle];
  }

  scopeOf(handle: number): BorrowScope | null {
    return this.scopes[handle];
  }

  remove(handle: number): void {
    if (this.lends[handle] > 0) trap(`handle ${handle} is lent to a call that has not ended`);
    this.kinds[handle] = null;
    this.values[handle] = null;
    this.scopes[handle] = null;
    this.free[this.freeCount++] = handle;
  }

  lend(handle: number): void {
    this.lends[handle]++;
  }

  giveBack(handles: readonly number[]): void {
    for (const handle of handles) this.lends[handle]--;
  }

  /** Gives out everything still held, each thing once, and is empty then. */
  drain(take: (kind: HandleKind, value: unknown, owned: boolean) => void): void {
    for (let handle = 1; handle < this.end; handle++) {
      const kind = this.kinds[handle];
      if (!kind) continue;
      this.kinds[handle] = null;
      take(kind, this.values[handle], this.scopes[handle] === null);
    }
    this.clear();
  }
}
