import type { CpuAccount } from './cpu-account.js';
import type { BorrowScope } from './handle-table.js';

/** Event codes of the specification (EventCode). */
export const EVENT_NONE = 0;
export const EVENT_SUBTASK = 1;
export const EVENT_STREAM_READ = 2;
export const EVENT_STREAM_WRITE = 3;
export const EVENT_FUTURE_READ = 4;
export const EVENT_FUTURE_WRITE = 5;
export const EVENT_CANCELLED = 6;

/** What a task waits for when it does not run. */
export type Wait =
  | 'nothing'
  /** To enter its instance: backpressure, or the instance runs another task. */
  | 'enter'
  /** Its callback returned WAIT or YIELD: no stack is kept. */
  | 'event' | 'yield'
  /** On a suspended wasm stack. */
  | 'stack';

export type Cancellation = 'none' | 'pending' | 'delivered';

/** The lifted function that a task runs. */
export interface GuestFunction {
  readonly async: boolean;
  /** How the core function gives its result: by returning it, by `task.return` with a callback, or by `task.return` on its own stack. */
  readonly style: 'sync' | 'callback' | 'stackful';
  /** Lowers the arguments and calls the core function; a promise when its stack was suspended (the result is then in the task). */
  call(task: Task, args: unknown[]): unknown;
  callback(task: Task, event: EventTriple): unknown;
  /** For `sync`: lifts the result, resolves the task, runs post-return. */
  finish(task: Task, coreResult: unknown): void;
  /** Whether a `task.return` with this result type and these options is the function's own. */
  isReturnedBy?(resultKey: string, context: object): boolean;
}

export type EventTriple = readonly [code: number, handle: number, payload: number];

/** What the caller of a task is told. `start` gives the arguments when the task really starts; all others come at most once. */
export interface TaskEvents {
  start(): unknown[];
  /** `cancelled`: the task ended without a value because it was asked to. */
  resolve(value: unknown, cancelled: boolean): void;
  exit?(): void;
  fail?(error: Error): void;
}

/** A suspended wasm stack: what its Suspending import waits on. */
export interface Suspension {
  resume(coreValue: unknown): void;
  reject(error: Error): void;
}

/** Returned by `finish` of a blocked task: what it waited for is gone again, go on waiting. */
export const AGAIN = Symbol('wait again');

/** Who may run in a component instance. */
export class Gate {
  backpressure = 0;
  exclusive: Task | null = null;
  /** Tasks that wait to enter, in order. */
  entering: Task[] = [];
  /** Tasks that are ready but wait until the running one leaves. */
  parked: Task[] = [];
  /** Number of tasks suspended in a synchronous call of the host: to the guest such a call takes no time, so nothing else may run. */
  hostBlocked = 0;

  /** `parent`: that of the instance whose component instantiated this one; null: the host. */
  constructor(readonly parent: Gate | null) {}

  /** Whether it is `inner`, or the instance of it is an ancestor of that of `inner`: who is in there is in here too. */
  encloses(inner: Gate): boolean {
    for (let gate: Gate | null = inner; gate !== null; gate = gate.parent) if (gate === this) return true;
    return false;
  }

  clear(): void {
    this.backpressure = 0;
    this.exclusive = null;
    if (this.entering.length > 0) this.entering = [];
    if (this.parked.length > 0) this.parked = [];
    this.hostBlocked = 0;
  }

  /** Whether a new task has to wait before it enters (Task.enter_implicit_thread: backpressure). */
  mustQueue(task: Task): boolean {
    if (this.hostBlocked > 0) return true;
    return task.isAsync && (this.isClosedTo(task) || this.entering.length > 0);
  }

  isClosedTo(task: Task): boolean {
    return task.isAsync && (this.backpressure > 0 || (task.needsExclusive && this.exclusive !== null));
  }

  /** Wakes the next task that waits to enter; it queues again when it cannot yet. */
  admit(waker: Waker): void {
    if (this.backpressure > 0) return;
    const next = this.entering.shift();
    if (next) waker.wake(next);
  }

  /** The task leaves the instance, for good or until its next event. */
  unlock(task: Task, waker: Waker): void {
    if (this.exclusive === task) this.exclusive = null;
    this.release(waker);
  }

  /** The host answered the task's synchronous call. */
  endHostBlock(task: Task, waker: Waker): void {
    if (!task.hostBlocked) return;
    task.hostBlocked = false;
    if (--this.hostBlocked === 0) this.release(waker);
  }

  private release(waker: Waker): void {
    if (this.parked.length > 0) for (const task of this.parked.splice(0)) waker.wake(task);
    if (this.entering.length > 0) this.admit(waker);
  }
}

/** One call of a lifted function. */
export class Task implements BorrowScope {
  borrows = 0;
  /** `context.get` and `context.set`. */
  readonly context: [number, number] = [0, 0];
  started = false;
  resolved = false;
  ended = false;
  cancellation: Cancellation = 'none';
  /** The blocking call that it is in can be cancelled. */
  cancellable = false;
  wait: Wait = 'nothing';
  /** In the run queue. */
  queued = false;
  /** Place among the live tasks of its slot; -1: it is none. */
  liveAt = -1;
  waitSet: WaitableSet | null = null;
  /** The caller, while control has not gone back to it: calling into one of these instances again is re-entrance. */
  caller: Task | null = null;
  /** Its wasm stack ended, with `coreResult`; the promise of the stack says so only later. */
  returned = false;
  coreResult: unknown = undefined;
  /** Runs on a stack that was suspended before: nobody below it stops its CPU clock. */
  resumed = false;
  suspension: Suspension | null = null;
  /** Gives the core result of the blocking call when it can go on. */
  finish: (() => unknown) | null = null;
  hostBlocked = false;

  /** `fn` null: the instantiation of core modules, which may call out but not wait. `account`: its caller's, when a guest calls. */
  constructor(readonly fn: GuestFunction | null, readonly gate: Gate, readonly events: TaskEvents, readonly account: CpuAccount) {}

  get isAsync(): boolean {
    return this.fn?.async ?? false;
  }

  /** Async functions run one at a time in their instance, unless they are lifted without a callback. */
  get needsExclusive(): boolean {
    return this.fn !== null && this.fn.async && this.fn.style !== 'stackful';
  }

  /** It waits no more on a waitable set, if it did. */
  leaveWaitSet(): void {
    if (!this.waitSet) return;
    this.waitSet.removeWaiter(this);
    this.waitSet.waiting--;
    this.waitSet = null;
  }

  /** True once when it has been asked to cancel and was not told yet. */
  takeCancellation(): boolean {
    if (this.cancellation !== 'pending') return false;
    this.cancellation = 'delivered';
    return true;
  }

  /** Whether it runs in the instance or below it, or one of its callers does. */
  isInside(gate: Gate): boolean {
    return gate.encloses(this.gate) || (this.caller?.isInside(gate) ?? false);
  }

  /** Whether it runs in the instance itself, or one of its callers does. */
  isCalledFrom(gate: Gate): boolean {
    return this.gate === gate || (this.caller?.isCalledFrom(gate) ?? false);
  }

  /**
   * Whether a call of this task may enter an instance (CanonicalABI.md, `may_enter_from`): to go into an instance is to go into its
   * ancestors, but for those that the caller is in already, and none of these may be on the way here.
   */
  mayEnter(callee: Gate): boolean {
    for (let gate: Gate | null = callee; gate !== null && !gate.encloses(this.gate); gate = gate.parent) {
      if (this.isInside(gate)) return false;
    }
    return true;
  }
}

/** Wakes tasks: the scheduler. */
export interface Waker {
  wake(task: Task): void;
}

/** Something in a handle table that has events: a subtask, or an end of a stream or future. */
export abstract class Waitable {
  handle = 0;
  set: WaitableSet | null = null;
  /** An event is there and not yet delivered. */
  pending = false;
  /** The task that is blocked on just this one. */
  syncWaiter: Task | null = null;
  abstract readonly eventCode: number;

  constructor(protected readonly waker: Waker) {}

  /** Delivers the event: its payload. */
  abstract takeEvent(): number;

  protected signal(): void {
    if (this.pending) return;
    this.pending = true;
    if (this.syncWaiter) this.waker.wake(this.syncWaiter);
    else this.set?.push(this);
  }

  join(set: WaitableSet | null): void {
    if (this.set) this.set.members--;
    this.set = set;
    if (!set) return;
    set.members++;
    if (this.pending) set.push(this);
  }
}

export class WaitableSet {
  members = 0;
  /** Number of tasks that wait on it; a set in use cannot be dropped. */
  waiting = 0;
  private readonly ready: Waitable[] = [];
  private readonly waiters: Task[] = [];

  constructor(private readonly waker: Waker) {}

  push(waitable: Waitable): void {
    this.ready.push(waitable);
    const waiter = this.waiters.shift();
    if (waiter) this.waker.wake(waiter);
  }

  addWaiter(task: Task): void {
    this.waiters.push(task);
  }

  removeWaiter(task: Task): void {
    const at = this.waiters.indexOf(task);
    if (at >= 0) this.waiters.splice(at, 1);
  }

  get hasEvent(): boolean {
    this.dropStale();
    return this.ready.length > 0;
  }

  /** Takes the next event, null when there is none. */
  next(): EventTriple | null {
    this.dropStale();
    const waitable = this.ready.shift();
    return waitable ? [waitable.eventCode, waitable.handle, waitable.takeEvent()] : null;
  }

  /** Entries may have been delivered otherwise, or moved to another set, since they were pushed. */
  private dropStale(): void {
    while (this.ready.length > 0 && !(this.ready[0].pending && this.ready[0].set === this)) this.ready.shift();
  }
}
