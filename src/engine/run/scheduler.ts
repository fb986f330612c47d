import { trap } from '#engine/run/abi/layout.js';
import { causeOfDeath } from './cause-of-death.js';
import type { CpuAccount } from './cpu-account.js';
import { LiveTasks } from './live-tasks.js';
import type { Meter } from './meter.js';
import { Notices } from './notices.js';
import { isPromise } from './promise.js';
import { AGAIN, EVENT_CANCELLED, EVENT_NONE, type EventTriple, type Task, type Waker } from './task.js';

/** Low bits of what a callback returns (CallbackCode). */
const CALLBACK_EXIT = 0;
const CALLBACK_YIELD = 1;
const CALLBACK_WAIT = 2;

/** What the scheduler asks of the rest of the slot. */
export interface SchedulerOwner {
  /** The waitable set behind a handle in the task's instance. */
  waitableSet(task: Task, handle: number): Task['waitSet'] & object;
  /** After a trap: no instance may be entered, nor call out, ever again. */
  died(error: Error): void;
}

/**
 * Runs the tasks of one slot, one at a time. `current` is the task whose code is on the CPU, or about to go on: a resumed stack
 * continues only a microtask later, and until then nothing else may start. Wakes only append to the queue; it is run when nothing runs.
 */
export class Scheduler implements Waker {
  current: Task | null = null;
  /** Set by the trap or kill that ended this slot's life. */
  dead: Error | null = null;
  /** Of the task that it died of; null: of no single one. */
  private culprit: CpuAccount | null = null;
  /** All that the death entails has been done. */
  private buried = false;
  /** A stack trapped; the error is not known yet. */
  private doomed = false;
  /** Grows at each reset: whatever was begun before is ignored when it comes late. */
  generation = 0;
  /** Suspended wasm stacks that have not ended. */
  stacks = 0;
  /** Calls into the guest on the native stack. */
  private depth = 0;
  private queue: Task[] = [];
  private pumping = false;
  readonly live = new LiveTasks();
  /** Whom to tell of an end once no guest frame is below: they may reset the slot at once. */
  private readonly notices = new Notices();

  constructor(readonly meter: Meter, private readonly owner: SchedulerOwner) {}

  get isBusy(): boolean {
    return this.live.size > 0;
  }

  /** Code of this slot may still be on a stack: its memory and tables must not be used again. */
  get isEntangled(): boolean {
    return this.stacks > 0 || this.depth > 0;
  }

  reset(): void {
    this.generation++;
    this.current = null;
    this.dead = null;
    this.culprit = null;
    this.buried = false;
    this.doomed = false;
    if (this.queue.length > 0) this.queue = [];
    if (this.live.size > 0) this.live.drain();
    this.notices.clear();
  }

  // ---- calls into guests

  /** Starts a task, or queues it until its instance lets it in. Throws what the guest threw when a guest is the caller. */
  start(task: Task): void {
    if (this.dead) throw this.dead;
    if (this.doomed) trap('a component instance that trapped cannot be entered');
    const { gate } = task;
    const caller = this.current;
    if (caller && !caller.mayEnter(gate)) trap('a component instance cannot be entered again by what it called');
    this.live.add(task);
    // one that waits for its caller would wait forever if the caller had to wait for it
    const isAwaited = !task.isAsync && (caller?.isCalledFrom(gate) ?? false);
    if (!isAwaited && gate.mustQueue(task)) {
      task.wait = 'enter';
      gate.entering.push(task);
      return;
    }
    this.enter(task);
  }

  /** A call from the host; it waits while a guest of this slot runs. */
  startFromHost(task: Task): void {
    if (!this.current) {
      this.start(task);
      this.pump();
      return;
    }
    this.live.add(task);
    task.wait = 'enter';
    task.gate.entering.push(task);
    task.gate.admit(this);
  }

  private enter(task: Task): void {
    if (task.needsExclusive) task.gate.exclusive = task;
    this.run(task, null);
  }

  private callBack(task: Task, event: EventTriple): void {
    task.gate.exclusive = task;
    this.run(task, event);
  }

  /** Runs guest code of a task (its function, or its callback with an event) until it ends, waits without a stack, or has its stack suspended. */
  private run(task: Task, event: EventTriple | null): void {
    const below = this.current;
    task.wait = 'nothing';
    task.caller = below;
    this.step(task);
    try {
      const result = event ? task.fn!.callback(task, event) : this.call(task);
      if (isPromise(result)) this.leftStack(task, result);
      else this.after(task, result);
    } catch (error) {
      // before the account is closed: it tells whether the deadline struck
      this.fail(error, task);
      if (below) throw this.dead;
    } finally {
      this.stepBack(below);
    }
  }

  private call(task: Task): unknown {
    const args = task.events.start();
    task.started = true;
    return task.fn!.call(task, args);
  }

  private leftStack(task: Task, stack: PromiseLike<unknown>): void {
    // not suspended and not returned: it trapped, and the promise says so a microtask later
    if (!task.suspension) this.doomed = true;
    this.stacks++;
    // control goes back to the caller: the callee may be entered by it again, unless the call is synchronous for the guest
    if (task.fn!.async) task.caller = null;
    this.watch(task, stack);
  }

  private watch(task: Task, stack: PromiseLike<unknown>): void {
    const { generation } = this;
    stack.then(
      () => {
        this.stacks--;
        if (this.dead || generation !== this.generation) return;
        this.current = null;
        this.guarded(() => this.inside(task, () => this.after(task, task.coreResult)));
      },
      (error) => {
        this.stacks--;
        if (generation === this.generation) this.fail(error, task);
      },
    );
  }

  /** Runs `fn` as the given task, on its CPU account. */
  inside<T>(task: Task, fn: () => T): T {
    const below = this.current;
    this.step(task);
    try {
      return fn();
    } catch (error) {
      this.fail(error, task);
      throw this.dead;
    } finally {
      this.stepBack(below);
    }
  }

  private step(task: Task): void {
    this.current = task;
    this.depth++;
    this.meter.enter(task.account);
  }

  private stepBack(below: Task | null): void {
    this.meter.leave();
    this.depth--;
    this.current = this.dead ? null : below;
  }

  /** For what comes from outside, such as a settled promise: errors end the slot, then the queue runs. */
  guarded(fn: () => void): void {
    try {
      fn();
    } catch (error) {
      this.fail(error);
    }
    this.pump();
  }

  /** The core function or the callback returned. */
  private after(task: Task, coreResult: unknown): void {
    const fn = task.fn!;
    if (fn.style === 'sync') fn.finish(task, coreResult);
    if (fn.style !== 'callback') {
      this.exit(task);
      return;
    }
    const packed = coreResult as number;
    const code = packed & 15;
    if (code === CALLBACK_EXIT) {
      this.exit(task);
      return;
    }
    if (code !== CALLBACK_YIELD && code !== CALLBACK_WAIT) trap(`a callback returned the unknown code ${code}`);
    task.caller = null;
    task.gate.unlock(task, this);
    if (code === CALLBACK_YIELD) {
      task.wait = 'yield';
      this.wakeLater(task);
      return;
    }
    const set = this.owner.waitableSet(task, packed >>> 4);
    set.waiting++;
    task.waitSet = set;
    task.wait = 'event';
    if (task.cancellation === 'pending' || set.hasEvent) this.wake(task);
    else set.addWaiter(task);
  }

  /** Gives the task's result to its caller. */
  resolve(task: Task, value: unknown, cancelled: boolean): void {
    if (task.resolved) trap('a task gave its result twice');
    if (task.borrows > 0) trap('borrowed handles are still held when the call returns');
    task.resolved = true;
    task.events.resolve(value, cancelled);
  }

  private exit(task: Task): void {
    if (!task.resolved) trap('a task ended without a result');
    task.ended = true;
    task.caller = null;
    this.live.delete(task);
    task.gate.unlock(task, this);
    if (task.events.exit) this.notices.add(task.events, null);
  }

  // ---- the queue

  wake(task: Task): void {
    if (task.queued || task.ended || this.dead) return;
    task.queued = true;
    this.queue.push(task);
    this.pump();
  }

  /** A yield lets sockets and timers go first, or a guest that polls would starve them. */
  wakeLater(task: Task): void {
    const { generation } = this;
    setImmediate(() => {
      if (generation === this.generation) this.wake(task);
    });
  }

  /** Runs what is ready, unless guest code of this slot is running or about to. */
  pump(): void {
    if (this.pumping || this.depth > 0) return;
    this.pumping = true;
    try {
      while (this.queue.length > 0 && !this.current && !this.dead && !this.doomed) {
        const task = this.queue.shift()!;
        task.queued = false;
        this.go(task);
      }
    } finally {
      this.pumping = false;
    }
    this.notices.tell();
  }

  pumpSoon(): void {
    const { generation } = this;
    queueMicrotask(() => {
      if (generation === this.generation) this.pump();
    });
  }

  private go(task: Task): void {
    const { gate } = task;
    if (task.ended) return;
    if (gate.hostBlocked > 0 && !task.hostBlocked) {
      gate.parked.push(task);
      return;
    }
    switch (task.wait) {
      case 'enter': this.goEnter(task); return;
      case 'event': this.goEvent(task); return;
      case 'yield':
        if (gate.exclusive) gate.parked.push(task);
        else this.callBack(task, task.takeCancellation() ? [EVENT_CANCELLED, 0, 0] : [EVENT_NONE, 0, 0]);
        return;
      case 'stack': this.goStack(task); return;
      case 'nothing':
    }
  }

  private goEnter(task: Task): void {
    const { gate } = task;
    if (gate.isClosedTo(task)) {
      gate.entering.unshift(task);
      return;
    }
    this.enter(task);
    gate.admit(this);
  }

  private goEvent(task: Task): void {
    const { gate } = task;
    const set = task.waitSet!;
    if (gate.exclusive) {
      gate.parked.push(task);
      return;
    }
    const cancelled = task.takeCancellation();
    const event: EventTriple | null = cancelled ? [EVENT_CANCELLED, 0, 0] : set.next();
    if (!event) {
      set.addWaiter(task);
      return;
    }
    task.leaveWaitSet();
    this.callBack(task, event);
  }

  private goStack(task: Task): void {
    const { finish, suspension, gate } = task;
    if (!finish || !suspension) return;
    try {
      const value = this.inside(task, finish);
      if (value === AGAIN) return;
      task.finish = null;
      task.suspension = null;
      task.wait = 'nothing';
      gate.endHostBlock(task, this);
      // the stack goes on in a microtask: until it blocks or ends, nothing else of this slot may run
      this.current = task;
      suspension.resume(value);
    } catch (error) {
      this.fail(error, task);
    }
  }

  // ---- cancelling

  /** Takes a task without a stack out of its wait and tells it that it was cancelled. */
  interrupt(task: Task): void {
    this.queue = this.queue.filter((other) => other !== task);
    task.queued = false;
    task.leaveWaitSet();
    task.cancellation = 'delivered';
    this.callBack(task, [EVENT_CANCELLED, 0, 0]);
  }

  /** Drops a task that has not entered its instance. */
  withdraw(task: Task): void {
    task.gate.entering = task.gate.entering.filter((other) => other !== task);
    task.ended = true;
    task.resolved = true;
    this.live.delete(task);
    task.events.resolve(null, true);
  }

  // ---- the end

  /**
   * A trap, a host error or a kill: nothing of this slot runs any more, and everything that waits is settled. `by` is the task that it came
   * of: calls of other accounts end with InstanceLost. null: of no single one, all calls end with the same error.
   */
  fail(cause: unknown, by: Task | null = this.current): void {
    if (this.buried) return;
    if (!this.dead) this.culprit = by && by.account;
    const error = (this.dead ??= causeOfDeath(cause, this.meter, this.culprit));
    // with the native stack used up, nothing of what is to be done would get done: once more from a shallow one
    if (error.name === 'RangeError' && error === cause) queueMicrotask(() => this.dead === error && this.fail(null));
    else this.bury(error);
  }

  private bury(error: Error): void {
    // what settles from now on comes too late
    this.generation++;
    this.queue = [];
    this.current = null;
    this.meter.stop();
    this.live.bury(error, this.culprit, this.notices);
    this.owner.died(error);
    this.buried = true;
    this.pump();
  }
}
