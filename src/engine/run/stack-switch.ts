import { trap, type Flat } from '#engine/run/abi/layout.js';
import { fixedArity } from './arity.js';
import type { Scheduler } from './scheduler.js';
import type { Task } from './task.js';
import { THUNK_EXPORT, THUNK_MODULE, type CoreSignature, type ThunkModules } from './thunk.js';

/** Calls a core function on a stack of its own; see `StackSwitch.entry`. */
export type StackEntry = (task: Task, core: WebAssembly.CoreFunction, flat: Flat) => unknown;

/** Suspendable wasm stacks of one slot (JSPI): entering them, suspending them, and going on. */
export class StackSwitch {
  private readonly blocked = new WebAssembly.Global({ value: 'i32', mutable: true }, 0);
  private readonly entries = new Map<WebAssembly.Module, StackEntry>();

  constructor(private readonly scheduler: Scheduler, private readonly thunks: ThunkModules) {}

  /** Gives the core result, or a promise when the stack was suspended (or trapped): the result is then in the task. */
  entry(signature: CoreSignature): StackEntry {
    const module = this.thunks.get('entry', signature);
    const known = this.entries.get(module);
    if (known) return known;
    const thunk = new WebAssembly.Instance(module, { [THUNK_MODULE]: { returned: (result: unknown) => this.returned(result) } });
    const call = WebAssembly.promising(thunk.exports[THUNK_EXPORT] as WebAssembly.CoreFunction);
    const entry: StackEntry = (task, core, flat) => {
      task.returned = false;
      const promise = call(core, ...flat);
      return task.returned ? task.coreResult : promise;
    };
    this.entries.set(module, entry);
    return entry;
  }

  /** An import that may wait: `attempt` either gives the core result or calls `block`. */
  waiting(signature: CoreSignature, attempt: (flat: Flat) => unknown): WebAssembly.CoreFunction {
    // what a blocked attempt returns is not looked at, but has to convert
    const call = signature.result === 'i64' ? (flat: Flat) => attempt(flat) ?? 0n : attempt;
    const thunk = new WebAssembly.Instance(this.thunks.get('wait', signature), {
      [THUNK_MODULE]: {
        attempt: fixedArity(signature.params.length, call),
        wait: new WebAssembly.Suspending(() => this.suspend()) as unknown as WebAssembly.CoreFunction,
        resumed: () => this.resumed(),
        blocked: this.blocked,
      },
    });
    return thunk.exports[THUNK_EXPORT] as WebAssembly.CoreFunction;
  }

  /**
   * The running task must wait: `finish` gives the core result of its import when it is woken. `host`: it waits for the host in a
   * call that is synchronous for the guest, during which nothing else of its instance may run.
   */
  block(finish: () => unknown, host: boolean): undefined {
    const task = this.scheduler.current;
    if (!task?.fn) return trap('nothing can be waited for while a component is instantiated');
    if (!host && !task.fn.async) trap('a synchronous function cannot wait for an asynchronous one');
    task.wait = 'stack';
    task.finish = finish;
    if (host) {
      task.hostBlocked = true;
      task.gate.hostBlocked++;
    }
    this.blocked.value = 1;
    return undefined;
  }

  /** V8 takes the stack off when this returns. */
  private suspend(): Promise<unknown> {
    const { scheduler } = this;
    const task = scheduler.current!;
    this.blocked.value = 0;
    return new Promise((resume, reject) => {
      task.suspension = { resume, reject };
      scheduler.current = null;
      this.stopClock(task);
      scheduler.pumpSoon();
    });
  }

  /** First thing on a stack that goes on. */
  private resumed(): void {
    const { scheduler } = this;
    if (scheduler.dead) throw scheduler.dead;
    const task = scheduler.current!;
    task.resumed = true;
    scheduler.meter.enter(task.account);
  }

  /** Last thing on the stack of a task. */
  private returned(coreResult: unknown): void {
    const task = this.scheduler.current!;
    task.returned = true;
    task.coreResult = coreResult;
    this.stopClock(task);
  }

  /** On a stack that was suspended before, no caller below stops the clock. */
  private stopClock(task: Task): void {
    if (!task.resumed) return;
    task.resumed = false;
    this.scheduler.meter.leave();
  }
}
