import { cancelAccount } from './cancellation.js';
import { CpuAccount } from './cpu-account.js';
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

  resolve(value: unknown, cancelled: boolean): void {
    if (!cancelled) this.on.result(value);
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
  onSwitch: ((holder: unknown) => void) | null;
}

/** A seat for a guest: instantiated, called, and reset for the next. */
export class Slot<State> {
  private readonly meter: Meter;
  private realm: Realm;
  private account = new CpuAccount(0n);

  constructor(readonly state: State, private readonly program: ProgramParts, private readonly hosts: BoundHosts, private readonly parts: SlotParts) {
    this.meter = new Meter(parts.clock, parts.onSwitch);
    this.realm = new Realm(program, hosts, this.meter);
  }

  /** Makes new core instances and runs their start functions, unless the reset before kept the old ones. Throws Trap, LimitTrap or RuntimeError; the slot is then poisoned. */
  instantiate(cpuBudgetNs: bigint): void {
    this.realm.instantiate(this.setBudget(cpuBudgetNs));
  }

  /**
   * Forgets everything of the guest: memory, handles, tasks. What comes late from before touches nothing any more. Throws ResetDifference when
   * the check mode (`ProgramOptions.verifyEvery`) finds that something was not forgotten; the slot is poisoned until the next reset.
   */
  reset(): void {
    const { scheduler } = this.realm;
    if (scheduler.isBusy || scheduler.dead) scheduler.fail(new Trap('the slot was reset'));
    this.meter.forget();
    if (!scheduler.isEntangled) {
      this.realm.reset();
      return;
    }
    // code of the old life is still on its way out of a stack: it keeps its own, dead world
    scheduler.fail(new Trap('the slot was reset'));
    this.realm = new Realm(this.program, this.hosts, this.meter);
  }

  /** CPU time for the calls that are started from now on, on an account of their own. `holder`: whom they are made for. */
  setBudget(cpuNs: bigint, holder: unknown = null): CpuAccount {
    return (this.account = new CpuAccount(cpuNs, holder));
  }

  /** CPU time used since the budget was set; waiting is not counted, host functions that run inside the guest's calls are. */
  get cpuNs(): bigint {
    return this.cpuNsOf(this.account);
  }

  /** The same of an account that others have followed. */
  cpuNsOf(account: CpuAccount): bigint {
    return this.meter.cpuNs(account);
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
    const task = new Task(realm.lift(lift), realm.liftInstance(lift).gate, new HostCall(args, on), this.account);
    try {
      realm.scheduler.startFromHost(task);
    } catch (error) {
      // it was not let in at all
      on.fail(error as Error);
    }
  }

  /** Stops everything that runs or waits in this slot, now: each call fails with `error`. */
  kill(error: Error): void {
    this.realm.scheduler.fail(error, null);
  }

  /**
   * Asks the calls of an account to end early (CanonicalABI.md, Task.request_cancellation); calls of others go on. `account.tasks` tells
   * what has not ended. A call that never entered its instance ends without a word; so does, but for `exit`, one that the guest gives up.
   */
  cancel(account: CpuAccount): void {
    const { scheduler } = this.realm;
    if (scheduler.dead) return;
    cancelAccount(scheduler, account);
    scheduler.pump();
  }
}
