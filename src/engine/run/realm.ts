import {
  CARDS_IMPORT, CLOCK_IMPORT, type CoreRef, DEADLINE_EXPORT, GLOBAL_EXPORT, MEMORY_IMPORT, type Plan, type PlanOptions, START_EXPORT, WHORL_MODULE,
} from '#engine/plan.js';
import { type AbiLimits, CallContext } from '#engine/run/abi/codec.js';
import { trap } from '#engine/run/abi/layout.js';
import type { TypeTable } from '#engine/run/abi/type-table.js';
import { builtin } from './builtin.js';
import type { CpuAccount } from './cpu-account.js';
import { GuestMemory } from './guest-memory.js';
import type { HostFunction } from './host.js';
import { ComponentInstance } from './instance.js';
import { LiftedFunction } from './lift.js';
import { lowerGuest } from './lower-guest.js';
import { lowerHost } from './lower-host.js';
import type { Meter } from './meter.js';
import type { Parts } from './parts.js';
import { isPipeBuiltin, pipeBuiltin } from './pipe-builtin.js';
import type { ResetState } from './reset-state.js';
import { resourceBuiltin } from './resource-builtin.js';
import type { ResourceType } from './resource.js';
import { Scheduler } from './scheduler.js';
import type { StackAnalysis } from './stack-analysis.js';
import { StackSwitch } from './stack-switch.js';
import { Task } from './task.js';
import type { ThunkModules } from './thunk.js';

/** Imports that the rewriter added. */
export type OwnImport = 'memory' | 'clock' | 'cards';

/** One import of a core instantiation: from the slot itself, or a function, table, memory or global of the plan. */
export interface StepImport {
  module: string;
  name: string;
  kind: WebAssembly.ImportExportKind;
  source: OwnImport | CoreRef;
}

/** What all slots of a program share. */
export interface ProgramParts {
  readonly plan: Plan;
  readonly modules: readonly WebAssembly.Module[];
  readonly imports: readonly (readonly StepImport[])[];
  /** Pages that the memory of each step may grow to; null when its module defines none. */
  readonly maxPages: readonly (number | null)[];
  readonly types: TypeTable;
  readonly resources: readonly ResourceType[];
  readonly analysis: StackAnalysis;
  readonly thunks: ThunkModules;
  readonly clockMemory: WebAssembly.Memory;
  readonly reset: ResetState;
  readonly limits: AbiLimits & { maxHandles: number };
}

/** The host's functions, bound to one slot's state. */
export interface BoundHosts {
  readonly functions: readonly (HostFunction | null)[];
  /** By resource: what `[resource-drop]` is for the host's own types. */
  readonly drops: readonly (HostFunction | null)[];
}

/**
 * Everything of a slot that guest code can reach: memories, handle tables, tasks, and the functions that it imports. It is used
 * again after a reset, unless code of the life before may still be on a suspended stack: then the slot gets a new realm, and the old
 * one stays dead, whatever its code still does on its way out.
 */
export class Realm implements Parts {
  readonly types: TypeTable;
  readonly resources: readonly ResourceType[];
  readonly analysis: StackAnalysis;
  readonly scheduler: Scheduler;
  readonly stacks: StackSwitch;
  readonly instances: readonly ComponentInstance[];
  instantiation = 0;
  /** Core instances exist and may be called. */
  ready = false;
  /** The instances are there and in their first state: nothing is to be made. */
  private restored = false;
  /** They can be put back to it. */
  private restorable = false;
  private readonly memories: readonly (GuestMemory | null)[];
  /** Own mutable globals of all steps. */
  private globals: WebAssembly.Global[] = [];
  private live: (WebAssembly.Exports | undefined)[] = [];
  private readonly trampolines: readonly WebAssembly.CoreFunction[];
  private readonly imports: readonly WebAssembly.Imports[];
  private readonly lifts: (LiftedFunction | undefined)[] = [];
  private readonly contexts = new Map<string, CallContext>();
  /** By step: binds contexts to what the step exports. */
  private readonly binders: (() => void)[][];

  constructor(private readonly program: ProgramParts, private readonly hosts: BoundHosts, private readonly meter: Meter) {
    const { plan } = program;
    this.types = program.types;
    this.resources = program.resources;
    this.analysis = program.analysis;
    this.scheduler = new Scheduler(meter, {
      waitableSet: (task, handle) => this.instances.find(({ gate }) => gate === task.gate)!.waitableSet(handle),
      died: () => this.die(),
    });
    this.stacks = new StackSwitch(this.scheduler, program.thunks);
    const instances: ComponentInstance[] = [];
    // a parent comes before what it instantiates
    for (const [i, parent] of plan.parents.entries()) instances.push(new ComponentInstance(i, this.scheduler, program.limits.maxHandles, instances[parent] ?? null));
    this.instances = instances;
    this.binders = plan.steps.map(() => []);
    this.memories = plan.steps.map(({ module }, i) => {
      const { memory } = plan.modules[module];
      return memory && new GuestMemory(memory.minPages, program.maxPages[i]!, program.reset.cards);
    });
    this.trampolines = plan.trampolines.map((_, id) => this.trampoline(id));
    this.imports = program.imports.map((imports) => this.fixedImports(imports));
    this.beginLife();
  }

  // ---- Parts

  context(options: PlanOptions): CallContext {
    const key = `${options.instance} ${options.encoding} ${keyOf(options.memory)} ${keyOf(options.realloc)}`;
    const known = this.contexts.get(key);
    if (known) return known;
    const context = new CallContext(this.instances[options.instance], options.encoding, this.program.limits);
    this.contexts.set(key, context);
    const { memory, realloc } = options;
    if (memory) this.onStep(memory, () => this.bindMemory(context, memory));
    if (realloc) this.onStep(realloc, () => context.bindRealloc(this.core(realloc) as WebAssembly.CoreFunction));
    return context;
  }

  private bindMemory(context: CallContext, ref: CoreRef): void {
    const memory = this.core(ref) as WebAssembly.Memory;
    context.bindMemory(memory, this.ownerOf(memory).cards?.marks ?? null);
  }

  private ownerOf(memory: WebAssembly.Memory): GuestMemory {
    return this.memories.find((own) => own?.memory === memory)!;
  }

  private onStep(ref: CoreRef, bind: () => void): void {
    const step = ref.k === 'export' ? ref.step : 0;
    this.binders[step].push(bind);
    if (this.live[step]) bind();
  }

  core(ref: CoreRef): WebAssembly.ExportValue {
    const found = ref.k === 'trampoline' ? this.trampolines[ref.id] : this.live[ref.step]?.[ref.name];
    return found ?? trap(ref.k === 'export' ? `core instance ${ref.step} has no ${ref.name} yet` : `there is no import ${ref.id}`);
  }

  lift(index: number): LiftedFunction {
    return (this.lifts[index] ??= new LiftedFunction(this, this.program.plan.lifts[index]));
  }

  liftInstance(index: number): ComponentInstance {
    return this.instances[this.program.plan.lifts[index].instance];
  }

  host(id: number): HostFunction | null {
    const plan = this.program.plan.trampolines[id];
    return plan.op === 'resource.drop' ? this.hosts.drops[plan.resource] : this.hosts.functions[id];
  }

  private trampoline(id: number): WebAssembly.CoreFunction {
    const plan = this.program.plan.trampolines[id];
    switch (plan.op) {
      case 'lower': {
        const { callee } = plan;
        return callee.k === 'host' ? lowerHost(this, id, plan) : lowerGuest(this, id, { ...plan, callee });
      }
      case 'resource.new':
      case 'resource.rep':
      case 'resource.drop': return resourceBuiltin(this, id, plan, this.program.plan.resources[plan.resource].dtor);
      default: return isPipeBuiltin(plan.op) ? pipeBuiltin(this, id, plan) : builtin(this, id, plan);
    }
  }

  // ---- instantiation

  private fixedImports(imports: readonly StepImport[]): WebAssembly.Imports {
    const object: WebAssembly.Imports = {};
    for (const { module, name, source } of imports) {
      const names = (object[module] ??= {});
      if (source === 'clock') names[name] = this.program.clockMemory;
      else if (typeof source !== 'string' && source.k === 'trampoline') names[name] = this.trampolines[source.id];
    }
    return object;
  }

  /** Instantiates the core modules in order, and runs their start functions on the given CPU account. Nothing to do after a reset in place. */
  instantiate(account: CpuAccount): void {
    if (this.ready) throw new Error('a slot is reset before it is instantiated again');
    if (!this.restored) this.instantiateAnew(account);
    this.restored = false;
    this.ready = true;
  }

  private instantiateAnew(account: CpuAccount): void {
    const { plan, modules } = this.program;
    this.instantiation++;
    this.meter.detachAll();
    try {
      plan.steps.forEach((step, i) => {
        const planned = plan.modules[step.module];
        this.live[i] = new WebAssembly.Instance(modules[step.module], this.importsOf(i)).exports;
        if (planned.metered) this.meter.attach(this.live[i]![DEADLINE_EXPORT] as WebAssembly.Global);
        for (const bind of this.binders[i]) bind();
        if (planned.start) this.runStart(i, step.instance, account);
      });
      this.restorable = this.canBeRestored();
    } catch (error) {
      this.scheduler.fail(error);
      throw this.scheduler.dead;
    }
  }

  private canBeRestored(): boolean {
    const { reset, plan } = this.program;
    if (this.instances.some(({ gate }) => gate.backpressure > 0)) reset.forbid('a start function sets backpressure');
    if (!reset.inPlace) return false;
    this.globals = plan.steps.flatMap(({ module }, i) => {
      const facts = plan.modules[module].reset;
      return Array.from({ length: facts.inPlace ? facts.globals : 0 }, (_, global) => this.live[i]![`${GLOBAL_EXPORT}${global}`] as WebAssembly.Global);
    });
    return reset.admit(this.state);
  }

  private get state(): { memories: readonly (GuestMemory | null)[]; globals: readonly WebAssembly.Global[] } {
    return { memories: this.memories, globals: this.globals };
  }

  /** For tests of resets: what is not as it was after instantiation. */
  get difference(): string | null {
    return this.program.reset.difference(this.state);
  }

  private importsOf(step: number): WebAssembly.Imports {
    const object = this.imports[step];
    for (const { module, name, source } of this.program.imports[step]) {
      if (source === 'memory') object[module][name] = this.memories[step]!.memory;
      else if (source === 'cards') object[module][name] = this.cardsOf(step);
      else if (source !== 'clock' && source.k === 'export') object[module][name] = this.core(source);
    }
    return object;
  }

  /** The card memory of the one memory that a step uses, its own or another's. */
  private cardsOf(step: number): WebAssembly.Memory {
    const own = this.memories[step];
    if (own) return own.cards!.memory;
    const used = this.program.imports[step].find(({ kind, source }) => kind === 'memory' && typeof source !== 'string')!;
    return this.ownerOf(this.core(used.source as CoreRef) as WebAssembly.Memory).cards!.memory;
  }

  private runStart(step: number, instance: number, account: CpuAccount): void {
    const boot = new Task(null, this.instances[instance].gate, { start: () => [], resolve: () => undefined }, account);
    // what the host or another component answers is not the same each time
    this.instances[instance].beginStart(() => this.program.reset.forbid('a start function calls out of its component'));
    this.scheduler.inside(boot, () => (this.live[step]![START_EXPORT] as WebAssembly.CoreFunction)());
    this.instances[instance].endStart();
  }

  // ---- the end of a life

  private die(): void {
    this.ready = false;
    for (const instance of this.instances) {
      instance.mayLeave = false;
      this.abandon(instance);
    }
  }

  /** Ends the life that is, and prepares the next. Only when no code of this realm can still run (`scheduler.isEntangled`). */
  reset(): void {
    this.ready = false;
    const wasDead = this.scheduler.dead !== null;
    this.scheduler.reset();
    if (!wasDead) for (const instance of this.instances) this.abandon(instance);
    this.beginLife();
    this.restored = false;
    try {
      this.restored = this.restorable && this.program.reset.restore(this.state);
    } finally {
      if (!this.restored) this.letGo();
    }
  }

  /** The next life needs new instances. */
  private letGo(): void {
    this.restorable = false;
    this.live = [];
    this.globals = [];
    for (const memory of this.memories) memory?.renew();
  }

  private abandon(instance: ComponentInstance): void {
    instance.abandon((type, value) => {
      try {
        this.hosts.drops[this.resources.indexOf(type)]?.(value);
      } catch {
        // the guest is gone, and so is the order in which it would have dropped things: there is nobody to tell
      }
    });
  }

  private beginLife(): void {
    const life = {};
    for (const instance of this.instances) instance.reset(life);
  }

  get memoryBytes(): number {
    return this.memories.reduce((sum, memory) => sum + (memory?.byteLength ?? 0), 0);
  }
}

function keyOf(ref: CoreRef | null): string {
  if (!ref) return '-';
  return ref.k === 'trampoline' ? `t${ref.id}` : `${ref.step}.${ref.name}`;
}

const OWN_IMPORTS: Record<string, OwnImport> = { [MEMORY_IMPORT]: 'memory', [CLOCK_IMPORT]: 'clock', [CARDS_IMPORT]: 'cards' };

/** Where a core module's import comes from, if the slot itself supplies it. */
export function ownImport(module: string, name: string): OwnImport | null {
  return module === WHORL_MODULE ? (OWN_IMPORTS[name] ?? null) : null;
}
