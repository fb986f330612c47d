import type { BuiltComponent, HandlerKind } from '#contract/artifact.js';
import type { HttpExecutor } from '#contract/bundle/locked-app.js';
import { WhorlError } from '#contract/errors.js';
import type { RuntimeGrant } from '#contract/runtime-grant.js';
import type { Plan } from '#engine/plan.js';
import { LimitTrap, ResetDifference } from '#engine/run/host.js';
import { Program, type CpuClock } from '#engine/run/program.js';
import type { Log } from '#platform/log.js';
import { HostMemoryTotal } from '#runtime/capability/host-memory.js';
import { resolverFor } from '#runtime/capability/table.js';
import { withKnownVariables } from '#runtime/capability/variables/known-variables.js';
import type { VariableSource } from '#runtime/capability/variables/variable-source.js';
import type { SyntheticTrigger } from '#contract/journal.js';
import type { Meter, MeterSource, UsageCounter } from '#runtime/meter/meter.js';
import type { Admission } from './admission.js';
import { declaredFailure } from './body-limit.js';
import type { Deadlines } from './deadlines.js';
import { Gate } from './gate.js';
import type { GuestPool } from './guest-pool.js';
import type { ComponentGrant } from './grant.js';
import { kindsOf, type Handler } from './handler/handler.js';
import { HANDLERS } from './handler/table.js';
import { InvocationLog } from './invocation-log.js';
import { InvocationRun, type InvocationRequest, type RunContext } from './invocation-run.js';
import { SHARED_LANE_CPU_MS, type Limits, type Reuse } from './limits.js';
import type { ModuleCache } from './module-cache.js';
import type { Occupant } from './occupant.js';
import { SharedPool } from './shared-pool.js';
import { SharedSlotState } from './shared-slot-state.js';
import { SlotPool } from './slot-pool.js';
import type { SlotState } from './slot-state.js';

/** All invocations of a component in one runner together may have as much held for them as so many that use up their limit. */
const HOST_MEMORY_SHARES = 4;

/** What all components of a runner share. */
export interface ComponentHost {
  lane: 'shared' | 'heavy';
  /** null: it answers clients. Else its invocations are the platform's own, and counted apart from theirs. */
  synthetic: Synthetic | null;
  clock: CpuClock;
  deadlines: Deadlines;
  admission: Admission;
  modules: ModuleCache;
  meter: Meter;
  log: Log;
  /** Check mode of resets in place, see the engine's ProgramOptions; 0: off. */
  verifyResetEvery: number;
}

/** Invocations that no client asked for. */
export interface Synthetic {
  /** Under which their usage is counted. */
  trigger: SyntheticTrigger;
  /** The most CPU that one may use, in ms. */
  cpuMs: number;
  /** The field by which a guest can tell them. */
  mark: readonly [name: string, value: string];
}

/** One component of one version. */
export interface ComponentSource {
  build: BuiltComponent;
  grant: ComponentGrant;
  limits: Limits;
  /** null: each invocation gets a fresh instance. */
  reuse: Reuse | null;
  meterSource: MeterSource;
  /** An invocation struck the shared lane's CPU bound. */
  onStrike(): void;
  /** CPU that an invocation has used, in ms. */
  onUsed(cpuMs: number): void;
}

/** Who calls a component, and how. */
export interface TriggerBinding {
  id: string;
  executor: HttpExecutor;
}

const QUICK_CPU_MS = 0.25;
const NEWEST_SHARE = 0.1;

/** One component of one version, compiled and warm in this runner. */
export class ComponentProgram {
  private readonly pool: SlotPool;
  private readonly shared: SharedPool | null;
  private readonly gate: Gate;
  private readonly hostMemory: HostMemoryTotal;
  /** CPU of an invocation, the newer ones counting more; nothing is known of the first. */
  private typicalCpuMs = Infinity;
  private readonly handlers = new Map<string, { handler: Handler; context: RunContext }>();
  private readonly asksForVariables: boolean;

  private constructor(private readonly program: Program<SlotState>, private readonly host: ComponentHost, private readonly source: ComponentSource) {
    const { limits, reuse, build } = source;
    this.asksForVariables = source.grant.asksForVariables;
    this.hostMemory = new HostMemoryTotal(limits.hostBytes * HOST_MEMORY_SHARES);
    const startCpuMs = Math.min(limits.cpuMs, SHARED_LANE_CPU_MS);
    this.pool = new SlotPool(program, source.grant, BigInt(startCpuMs) * 1_000_000n, (error) => this.notRenewed(error), reuse !== null);
    // the handlers of other kinds are synchronous functions: an instance runs one at a time
    const concurrent = build.handlers.includes('wasi-http-0.3') ? reuse?.concurrent : 1;
    this.shared = reuse && new SharedPool(this.pool, { ...reuse, concurrent: concurrent ?? 1 }, host.deadlines);
    this.gate = new Gate({ concurrency: limits.concurrency, maxQueued: limits.queued, maxWaitMs: Math.min(limits.queueMs, limits.wallMs) }, host.deadlines, host.admission);
  }

  /**
   * Reads plan and modules, compiles, and makes one instance. Throws a WhorlError: NODE_BLOB_CORRUPT, COMPONENT_COMPILE_FAILED,
   * COMPONENT_IMPORT_MISSING, COMPONENT_MEMORY_LIMIT or COMPONENT_START_FAILED.
   */
  static async load(host: ComponentHost, source: ComponentSource): Promise<ComponentProgram> {
    const { build, grant } = source;
    const [planBytes, ...modules] = await Promise.all([host.modules.bytes(build.plan), ...build.modules.map((digest) => host.modules.module(digest))]);
    const plan = JSON.parse((planBytes as Buffer).toString('utf8')) as Plan;
    const component = new ComponentProgram(makeProgram(plan, modules as WebAssembly.Module[], host, source), host, source);
    const { missing } = component.program;
    if (missing.length > 0) throw new WhorlError('COMPONENT_IMPORT_MISSING', `${grant.component} imports ${missing.join(', ')}`);
    try {
      component.pool.prewarm((stream, text) => component.logStart(stream, text));
    } catch (cause) {
      if (cause instanceof LimitTrap && cause.limit === 'memory') throw new WhorlError('COMPONENT_MEMORY_LIMIT', `${grant.component}: ${cause.message}`, { cause });
      throw new WhorlError('COMPONENT_START_FAILED', `${grant.component}: ${(cause as Error).message}`, { cause });
    }
    return component;
  }

  /** Makes ready for calls by a trigger. Throws COMPONENT_HANDLER_MISSING. */
  bind({ id, executor }: TriggerBinding): void {
    const wanted = kindsOf(executor);
    const kind = wanted.find((each) => this.source.build.handlers.includes(each));
    const handler = kind && HANDLERS[kind]({ executor, findExport: (prefix) => this.program.findExport(prefix) });
    if (!handler) throw new WhorlError('COMPONENT_HANDLER_MISSING', `${this.source.grant.component} exports none of ${wanted.join(', ')} for the trigger ${id}`);
    this.handlers.set(id, { handler, context: this.contextOf(this.poolFor(kind), this.host.meter.counter(this.source.meterSource, this.host.synthetic?.trigger ?? id)) });
  }

  /** False: it has to be loaded anew for these values. It was made ready when no provider had to be asked for them, and cannot wait. */
  setValues(values: VariableSource, runtime: RuntimeGrant): boolean {
    this.source.grant.setValues(values, runtime);
    return this.asksForVariables || !this.source.grant.asksForVariables;
  }

  /** Starts an invocation for a trigger that was bound; it may be over when this returns. */
  invoke(trigger: string, request: InvocationRequest): InvocationRun {
    const { handler, context } = this.handlers.get(trigger)!;
    const run = new InvocationRun(request, context);
    const failure = declaredFailure(request.exchange, this.source.limits);
    if (failure) run.refuse(failure.code, failure.message);
    else this.begin(handler, run);
    return run;
  }

  /** Once it is known where the component may connect to. */
  private begin(handler: Handler, run: InvocationRun): void {
    const pending = this.source.grant.freshen();
    if (!pending) handler.begin(run);
    else {
      void pending.then(() => {
        if (!run.isOver) handler.begin(run);
      });
    }
  }

  /** Lets the slots go; what runs, runs to its end. */
  close(): void {
    this.shared?.close();
    this.pool.close();
  }

  private notRenewed(error: unknown): void {
    const { message } = error as Error;
    if (!(error instanceof ResetDifference)) return this.logStart('platform', `a slot could not be renewed: ${message}`);
    this.logStart('platform', `COMPONENT_RESET_DIFFERS: ${message}`);
    const { org: _org, ...component } = this.source.meterSource;
    this.host.log.error('a component is not reset in place any more', { code: 'COMPONENT_RESET_DIFFERS', ...component, error });
  }

  /** Whether its invocations have come to take little CPU. */
  get isQuick(): boolean {
    return this.typicalCpuMs <= QUICK_CPU_MS;
  }

  /** A command is a program that runs once. */
  private poolFor(kind: HandlerKind): GuestPool {
    return kind === 'command' ? this.pool : (this.shared ?? this.pool);
  }

  private contextOf(pool: GuestPool, usage: UsageCounter): RunContext {
    const { limits, meterSource, onStrike, onUsed } = this.source;
    const { lane, synthetic } = this.host;
    const hereMs = lane === 'shared' ? Math.min(limits.cpuMs, synthetic?.cpuMs ?? SHARED_LANE_CPU_MS) : limits.cpuMs;
    return {
      pool,
      gate: this.gate,
      deadlines: this.host.deadlines,
      usage,
      cpuMs: { here: hereMs, full: limits.cpuMs },
      budgetNs: BigInt(hereMs) * 1_000_000n,
      openLog: (requestId, hold) => new InvocationLog(this.host.meter, meterSource, requestId, limits.logBytes, hold),
      struckNote: synthetic ? 'what answers no client may use no more of it' : 'it was past the point where it could be run again in the heavy lane, where later requests go',
      limits,
      hostMemory: this.hostMemory,
      onStrike,
      onUsed: (cpuMs) => {
        this.typicalCpuMs = this.typicalCpuMs === Infinity ? cpuMs : this.typicalCpuMs + (cpuMs - this.typicalCpuMs) * NEWEST_SHARE;
        onUsed(cpuMs);
      },
    };
  }

  private logStart(stream: 'stdout' | 'stderr' | 'platform', text: string): void {
    const log = { kind: 'log', at: Date.now(), ...this.source.meterSource, requestId: 'start', stream } as const;
    for (const line of text.split('\n')) if (line !== '') this.host.meter.log({ ...log, line });
  }
}

function makeProgram(plan: Plan, modules: WebAssembly.Module[], host: ComponentHost, { build, grant, limits, reuse }: ComponentSource): Program<SlotState> {
  try {
    return new Program<SlotState>(plan, modules, {
      resolve: grant.asksForVariables ? resolverFor(build) : withKnownVariables(resolverFor(build)),
      clock: host.clock,
      maxMemoryBytes: limits.memoryBytes,
      verifyEvery: host.verifyResetEvery,
      ...(reuse && { onSwitch: (state, holder) => (state as SharedSlotState).switchTo(holder as Occupant | null) }),
    });
  } catch (cause) {
    if (cause instanceof LimitTrap) throw new WhorlError('COMPONENT_MEMORY_LIMIT', cause.message, { cause });
    throw new WhorlError('COMPONENT_COMPILE_FAILED', (cause as Error).message, { cause });
  }
}
