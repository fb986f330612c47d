import type { ErrorCode } from '#contract/errors.js';
import { isLimitCode, type LimitCode } from '#contract/errors/component.js';
import { ERRORS } from '#contract/errors.js';
import { LimitTrap } from '#engine/run/host.js';
import type { CpuAccount } from '#engine/run/program.js';
import { Ending } from '#runtime/capability/ending.js';
import type { ByteSink, ByteSource, Headers, HttpExchange } from '#runtime/capability/guest.js';
import { HostMemory, type HostMemoryTotal } from '#runtime/capability/host-memory.js';
import type { UsageCounter } from '#runtime/meter/meter.js';
import type { Belongings } from './belongings.js';
import type { Deadlines, Expiring } from './deadlines.js';
import { ClientGone, isCpuLimit, toFailure, toStartFailure, type Failure } from './failure.js';
import type { Entrant, Gate } from './gate.js';
import type { GuestPool, GuestSlot } from './guest-pool.js';
import type { HandlerEvents, HandlerRun, InvocationIo } from './handler/handler.js';
import type { InvocationLog } from './invocation-log.js';
import type { Limits } from './limits.js';
import { MeteredExchange } from './metered-exchange.js';
import type { Occupant } from './occupant.js';

/** One request for a component. */
export interface InvocationRequest {
  readonly exchange: HttpExchange;
  readonly requestId: string;
  /** Calls of components by components so far; 0: from outside. */
  readonly depth: number;
  /** A call of this component to another (null: to whichever its path belongs to); `ending` is that of this one. */
  chain(component: string | null, exchange: HttpExchange, from: InvocationRequest, ending: Ending): void;
  /** A place where the invocation may use more CPU; null: there is none. */
  readonly elsewhere: Mover | null;
  /** It asked for an effect, and was refused. */
  refused?(): void;
  /**
   * The invocation is over; called once, whatever became of it.
   * @param code of a failure of the invocation's; null: none, or the client is gone
   * @param status of the answer; 0: there was none
   */
  over(code: ErrorCode | null, status: number, cpuMs: number): void;
}

export interface Mover {
  /** Makes the invocation again; the exchange is untouched, and `over` is left to the mover, who calls `unserved` when nothing comes of it. */
  move(unserved: (why: string) => void): void;
}

/** What runs of one component share. */
export interface RunContext {
  pool: GuestPool;
  gate: Gate;
  deadlines: Deadlines;
  usage: UsageCounter;
  /** CPU that an invocation may use here, and altogether. */
  cpuMs: { here: number; full: number };
  /** `cpuMs.here` in ns. */
  budgetNs: bigint;
  /** @param hold whether the invocation may still be made again elsewhere */
  openLog(requestId: string, hold: boolean): InvocationLog;
  /** What the log says of an invocation that struck `cpuMs.here` and is not made again. */
  struckNote: string;
  limits: Limits;
  hostMemory: HostMemoryTotal;
  /** An invocation has struck the CPU bound of this lane, below the component's own limit. */
  onStrike(): void;
  /** CPU that an invocation has used, in ms. */
  onUsed(cpuMs: number): void;
}

const RETRY_AFTER_S = '1';

/**
 * One invocation, from the request to the reset of its slot:
 *
 *   begin ─▶ (body read) ─▶ waits at the gate ─▶ runs in a slot ─▶ over
 *                  └────────────────┴───refused──────────────────────┘
 */
export class InvocationRun implements Occupant, HandlerRun, HandlerEvents, Entrant, Expiring {
  readonly exchange: MeteredExchange;
  deadlineAt: number;
  deadlinePlace: number | undefined = undefined;
  stdin: ByteSource | null = null;
  stdout: ByteSink | null = null;
  args: readonly string[] = [];
  environment: readonly (readonly [string, string])[] = [];
  account: CpuAccount | null = null;
  belongings: Belongings | null = null;
  private slot: GuestSlot | null = null;
  private launch: ((slot: GuestSlot, on: HandlerEvents) => void) | null = null;
  private leaveQueue: (() => void) | null = null;
  private end: Ending | null = null;
  private startedAt = 0;
  private hasEffect = false;
  private strikes: LimitCode[] | null = null;
  private usedMs = 0;
  /** By other processes on its behalf. */
  private elsewhereMs = 0;
  private opened: InvocationLog | null = null;
  isOver = false;
  private isWaiting = true;

  constructor(private readonly request: InvocationRequest, private readonly context: RunContext) {
    this.exchange = new MeteredExchange(request.exchange, context.limits);
    this.deadlineAt = Date.now() + context.limits.wallMs;
  }

  requestHeader(name: string): string | undefined {
    return this.exchange.headers.find(([each]) => each.toLowerCase() === name)?.[1];
  }

  get requestId(): string {
    return this.request.requestId;
  }

  /** Made at the first line: most invocations write none. */
  private get log(): InvocationLog {
    if (this.opened) return this.opened;
    const { exchange } = this;
    const hold = this.request.elsewhere !== null && !exchange.touched && !this.hasEffect;
    const log = (this.opened = this.context.openLog(this.requestId, hold));
    if (hold) exchange.onTouch = () => log.release();
    return log;
  }

  get ending(): Ending {
    this.end ??= new Ending();
    if (!this.isWaiting) this.end.end();
    return this.end;
  }

  endWaits(): void {
    this.isWaiting = false;
    this.end?.end();
  }

  get isChained(): boolean {
    return this.request.depth > 0;
  }

  get guestRuns(): boolean {
    return this.account !== null && this.account.tasks > 0;
  }

  cutBody(): void {
    this.exchange.cutBody();
  }

  settle(): void {
    const cpuMs = Number(this.account!.usedNs) / 1e6 - this.usedMs;
    if (cpuMs > 0) this.context.usage.add({ requests: 0, errors: 0, wallMs: 0, cpuMs, bytesIn: 0, bytesOut: 0 });
  }

  write(stream: 'stdout' | 'stderr', bytes: Uint8Array): void {
    this.log.write(stream, bytes);
  }

  note(line: string): void {
    this.log.note(line);
  }

  /** A limit struck and the guest goes on: it is in the log and the metrics, once for an invocation. */
  struck(code: LimitCode, message: string): void {
    if (this.strikes?.includes(code)) return;
    (this.strikes ??= []).push(code);
    this.log.note(`${code}: ${message}`);
    this.context.usage.strike(code);
  }

  used(cpuMs: number): number {
    this.elsewhereMs += cpuMs;
    return this.context.cpuMs.full - this.elsewhereMs;
  }

  effect(): void {
    this.hasEffect = true;
    this.opened?.release();
  }

  refused(): void {
    this.request.refused?.();
  }

  chain(component: string | null, exchange: HttpExchange): void {
    this.effect();
    this.request.chain(component, exchange, this.request, this.ending);
  }

  start(io: InvocationIo, launch: (slot: GuestSlot, on: HandlerEvents) => void): void {
    if (this.isOver) return;
    this.stdin = io.stdin;
    this.stdout = io.stdout;
    this.args = io.args;
    this.environment = io.environment;
    this.launch = launch;
    this.leaveQueue = this.context.gate.arrive(this, this.request.depth > 0);
  }

  enter(): void {
    const { pool, gate, budgetNs, deadlines } = this.context;
    this.leaveQueue = null;
    this.startedAt = performance.now();
    this.deadlineAt = Date.now() + this.context.limits.wallMs;
    try {
      this.slot = pool.acquire(this);
    } catch (error) {
      gate.leave();
      this.close(toStartFailure(error), true);
      return;
    }
    this.slot.state.begin(this, new HostMemory(this.context.limits.hostBytes, this.context.hostMemory));
    this.account = this.slot.setBudget(budgetNs, this);
    try {
      this.launch!(this.slot, this);
    } catch (error) {
      this.fail(error);
    }
    if (!this.isOver) deadlines.add(this);
  }

  turnAway(why: string): void {
    this.leaveQueue = null;
    this.close({ code: 'COMPONENT_BUSY', message: why }, false);
  }

  refuse(code: ErrorCode, message: string): void {
    this.close({ code, message }, true);
  }

  done(): void {
    if (this.isOver) return;
    // What the guest left unfinished is broken off now: after that it is known whether there was an answer.
    this.releaseSlot();
    if (this.exchange.status === 0) this.close({ code: 'COMPONENT_NO_RESPONSE', message: 'the handler returned without a response' }, true);
    else if (this.exchange.broken) this.close({ code: 'COMPONENT_TRAP', message: 'the handler returned before its answer was complete' }, true);
    else this.close(null, true);
  }

  fail(error: unknown): void {
    if (this.isOver) return;
    const { here, full } = this.context.cpuMs;
    // What other processes used up is none of this lane's, and would be used up in any other.
    const struck = isCpuLimit(error) && here < full && this.elsewhereMs < full;
    if (struck) this.context.onStrike();
    if (struck && this.request.elsewhere && !this.exchange.touched && !this.hasEffect) return this.moveElsewhere(this.request.elsewhere);
    if (error instanceof ClientGone) return this.close(null, true);
    const failure = toFailure(error);
    if (!failure) return this.done();
    const message = struck ? `${failure.message}; ${this.context.struckNote}` : failure.message;
    this.close({ ...failure, message }, true);
  }

  expire(): void {
    this.stop(new LimitTrap('wall', `the invocation took longer than ${this.context.limits.wallMs} ms`));
  }

  /** Ends the invocation, wherever it is: its client is gone, or its time is up. */
  stop(error: Error): void {
    if (this.isOver) return;
    this.leaveQueue?.();
    if (this.slot) {
      this.context.pool.stop(this.slot, this, error);
      // A slot whose guest is just done has nothing left to kill.
      if (!this.isOver) this.fail(error);
    } else {
      this.close(error instanceof ClientGone ? null : (toFailure(error) ?? null), false);
    }
  }

  private moveElsewhere(elsewhere: Mover): void {
    this.isOver = true;
    this.opened?.forget();
    this.exchange.detach();
    this.releaseSlot();
    // The request is counted where it ends; the CPU was used here.
    this.context.usage.add({ requests: 0, errors: 0, wallMs: 0, cpuMs: this.usedMs + this.elsewhereMs, bytesIn: 0, bytesOut: 0 });
    elsewhere.move((why) => {
      this.context.usage.add({ requests: 1, errors: 1, wallMs: 0, cpuMs: 0, bytesIn: 0, bytesOut: 0 });
      this.log.forget();
      this.log.note(`COMPONENT_BUSY: ${why}`);
      this.log.release();
    });
  }

  /** @param counts whether the request reached the component */
  private close(outcome: Failure | null, counts: boolean): void {
    if (this.isOver) return;
    this.isOver = true;
    const { overrun } = this.exchange;
    // What the guest made of a body that was cut off follows from that.
    const failure = outcome && overrun && !isLimitCode(outcome.code) ? overrun : outcome;
    if (failure) {
      this.answer(failure);
      this.log.note(`${failure.code}: ${failure.message}`);
      if (isLimitCode(failure.code)) this.context.usage.strike(failure.code);
    }
    if (overrun && failure !== overrun) this.struck(overrun.code as LimitCode, overrun.message);
    this.exchange.detach();
    this.releaseSlot();
    if (this.opened?.end()) this.context.usage.strike('COMPONENT_LOG_LIMIT');
    if (counts) {
      const { bytesIn, bytesOut, status } = this.exchange;
      const wallMs = this.startedAt === 0 ? 0 : performance.now() - this.startedAt;
      this.context.usage.add({ requests: 1, errors: failure || status >= 500 ? 1 : 0, wallMs, cpuMs: this.usedMs + this.elsewhereMs, bytesIn, bytesOut });
      this.context.onUsed(this.usedMs);
    }
    this.request.over(failure?.code ?? null, this.exchange.status, this.usedMs + this.elsewhereMs);
  }

  private answer({ code, message }: Failure): void {
    const { status } = ERRORS[code];
    const headers: Headers = status === 503 ? [['retry-after', RETRY_AFTER_S]] : [];
    if (this.exchange.broken) return;
    this.exchange.fail(status, headers, new Error(`${code}: ${message}`));
  }

  /** Gives the slot back. */
  private releaseSlot(): void {
    const { slot } = this;
    if (!slot) return;
    this.slot = null;
    this.context.deadlines.remove(this);
    this.context.pool.release(slot, this);
    if (this.account) this.usedMs = Number(slot.cpuNsOf(this.account)) / 1e6;
    this.context.gate.leave();
  }
}
