import { Trap } from './host.js';
import { type CpuClock, Meter } from './meter.js';
import { type BoundHosts, type ProgramParts, Realm } from './realm.js';
import { Task, type TaskEvents } from './task.js';

/** What the host is told of a call. Each at most once; after `fail` nothing else comes. */
export interface CallEvents {
  /** The value; the guest may go on working after it (0.3). */
  result(value: unknown): void;
  /** The guest is done: nothing of the call runs any more. The slot may be reset from here. */
  exit(): void;
  /** Trap, LimitTrap, what a host function threw, or what `kill` was given. Nothing of the slot runs any more. */
  fail(error: Error): void;
}

/** A call of the host as its task sees it. */
class HostCall implements TaskEvents {
  constructor(private readonly args: unknown[], private readonly on: CallEvents) {}

  start(): unknown[] {
    return this.args;
  }

  resolve(value: unknown): void {
    this.on.result(value);
  }

  exit(): void {
    this.on.exit();
  }

  fail(error: Error): void {
    this.on.fail(error);
  }
}

interface SlotParts {
  clock: CpuClock;
  findLift(iface: string | null, name: string): number | undefined;
}

/** A seat for a guest: instantiated, called, and reset for the next. */
export class Slot<State> {
  private readonly meter: Meter;
  private realm: Realm;

  constructor(readonly state: State, private readonly program: ProgramParts, private readonly hosts: BoundHosts, private readonly parts: SlotParts) {
    this.meter = new Meter(parts.clock);
    this.realm = new Realm(program, hosts, this.meter);
  }

  /** Makes new core instances and runs their start functions, unless the reset before kept the old ones. Throws Trap, LimitTrap or RuntimeError; the slot is then poisoned. */
  instantiate(cpuBudgetNs: bigint): void {
    this.meter.setBudget(cpuBudgetNs);
    this.realm.instantiate();
  }

  /**
   * Forgets everything of the guest: memory, handles, tasks. What comes late from before touches nothing any more. Throws ResetDifference when
   * the check mode (`ProgramOptions.verifyEvery`) finds that something was not forgotten; the slot is poisoned until the next reset.
   */
  reset(): void {
    const { scheduler } = this.realm;
    if (scheduler.isBusy || scheduler.dead) scheduler.fail(new Trap('the slot was reset'));
    if (!scheduler.isEntangled) {
      this.realm.reset();
      return;
    }
    // code of the old life is still on its way out of a stack: it keeps its own, dead world
    scheduler.fail(new Trap('the slot was reset'));
    this.realm = new Realm(this.program, this.hosts, this.meter);
  }

  /** CPU time for the coming invocation. */
  setBudget(cpuNs: bigint): void {
    this.meter.setBudget(cpuNs);
  }

  /** CPU time used since the budget was set; waiting is not counted, host functions that run inside the guest's calls are. */
  get cpuNs(): bigint {
    return this.meter.cpuNs;
  }

  /** Some call has not ended. */
  get busy(): boolean {
    return this.realm.scheduler.isBusy;
  }

  /** It trapped or was killed (or was never instantiated): reset and instantiate before the next call. */
  get poisoned(): boolean {
    return !this.realm.ready || this.realm.scheduler.dead !== null;
  }

  get memoryBytes(): number {
    return this.realm.memoryBytes;
  }

  /** What is not as it was after instantiation, compared in full; null: nothing, or slots of the program get new instances. */
  get difference(): string | null {
    return this.realm.difference;
  }

  /** Calls an export and waits for its end. A `result` comes as `{ tag, val }`. */
  call(iface: string | null, name: string, args: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      let result: unknown;
      this.start(iface, name, args, {
        result: (value) => {
          result = value;
        },
        exit: () => resolve(result),
        fail: reject,
      });
    });
  }

  /** Starts a call, of an asynchronous or a synchronous export. Events may come before this returns. */
  start(iface: string | null, name: string, args: unknown[], on: CallEvents): void {
    const lift = this.parts.findLift(iface, name);
    if (lift === undefined) {
      on.fail(new Error(`the component exports no ${iface === null ? '' : `${iface}#`}${name}`));
      return;
    }
    if (this.poisoned) {
      on.fail(this.realm.scheduler.dead ?? new Error('the slot is not instantiated'));
      return;
    }
    const { realm } = this;
    const task = new Task(realm.lift(lift), realm.liftInstance(lift).gate, new HostCall(args, on));
    try {
      realm.scheduler.startFromHost(task);
    } catch (error) {
      // it was not let in at all
      on.fail(error as Error);
    }
  }

  /** Stops everything that runs or waits in this slot, now: each call fails with `error`. */
  kill(error: Error): void {
    this.realm.scheduler.fail(error);
  }
}
