import { ENGINE_VERSION, PAGE_BYTES, type Plan, type PlanExport, type PlanStep, type ResetMode } from '#engine/plan.js';
import { TypeTable } from '#engine/run/abi/type-table.js';
import { LimitTrap, Trap, type HostBinding, type HostFunction, type HostResolver } from './host.js';
import type { CpuClock } from './meter.js';
import { ownImport, type ProgramParts, type StepImport } from './realm.js';
import { ResetState } from './reset-state.js';
import { ResourceType } from './resource.js';
import { Slot } from './slot.js';
import { StackAnalysis } from './stack-analysis.js';
import { ThunkModules } from './thunk.js';

export type { CpuAccount } from './cpu-account.js';
export type { CpuClock } from './meter.js';
export type { ResetMode } from '#engine/plan.js';
export type { Slot } from './slot.js';

export interface ProgramOptions<State> {
  resolve: HostResolver<State>;
  clock: CpuClock;
  /** Told whom calls are made for (`Slot.setBudget`) before code of another holder than the last runs in a slot. */
  onSwitch?(state: State, holder: unknown): void;
  /** Handles that one component instance may hold. */
  maxHandles?: number;
  /** Bytes of values that one call may pass between guest and host. */
  maxAllocationBytes?: number;
  /** Memory of one slot; with several linear memories the part above their initial sizes is shared out evenly. */
  maxMemoryBytes?: number;
  /** Check mode: after every so many resets in place, all memory and globals are compared with what they must be. */
  verifyEvery?: number;
}

const DEFAULT_MAX_HANDLES = 10_000;
const DEFAULT_MAX_ALLOCATION_BYTES = 64 * 2 ** 20;
const WASM32_PAGES = 65_536;

/** A linked component with compiled modules, ready to make slots. Shared by all slots of its thread. */
export class Program<State> {
  /** `iface#name` of every imported function that the host does not answer; calling one traps. */
  readonly missing: readonly string[];
  private readonly parts: ProgramParts;
  private readonly lifts = new Map<string | null, Map<string, number | undefined>>();
  private readonly bindings: readonly (HostBinding<State> | null)[];
  private readonly dropBindings: readonly (HostBinding<State> | null)[];

  /** Throws Error for a plan of another engine version or one that does not fit its modules, LimitTrap when it needs more memory than allowed. */
  constructor(private readonly plan: Plan, modules: WebAssembly.Module[], private readonly options: ProgramOptions<State>) {
    if (plan.engine !== ENGINE_VERSION) throw new Error(`the plan is of engine ${plan.engine}, this is ${ENGINE_VERSION}`);
    const { resolve } = options;
    this.bindings = plan.trampolines.map((trampoline) =>
      trampoline.op === 'lower' && trampoline.callee.k === 'host' ? (resolve(trampoline.callee.iface, trampoline.callee.name, trampoline.callee.denied) ?? null) : null);
    this.dropBindings = plan.resources.map(({ host }) => (host && resolve(host.iface, `[resource-drop]${host.name}`, host.denied)) ?? null);
    this.missing = this.findMissing();
    const resources = plan.resources.map(({ name, host, instance }) => new ResourceType(name, host ? -1 : instance));
    this.parts = {
      plan,
      modules,
      imports: plan.steps.map((step) => stepImports(modules[step.module], step)),
      maxPages: this.shareMemory(),
      types: new TypeTable(plan, resources),
      resources,
      analysis: new StackAnalysis(plan, (id) => this.bindings[id]?.waits ?? false),
      thunks: new ThunkModules(),
      clockMemory: options.clock.memory,
      reset: new ResetState(plan, options.verifyEvery ?? 0),
      limits: {
        maxHandles: options.maxHandles ?? DEFAULT_MAX_HANDLES,
        maxAllocationBytes: options.maxAllocationBytes ?? DEFAULT_MAX_ALLOCATION_BYTES,
      },
    };
  }

  /** How slots are reset. Known for good once the first slot is instantiated. */
  get resetMode(): ResetMode {
    return this.parts.reset.mode;
  }

  /** `iface` null: a function that the component exports by itself. */
  hasExport(iface: string | null, name: string): boolean {
    return this.findLift(iface, name) !== undefined;
  }

  /** Full name of the exported interface: `wasi:http/handler@0.3` finds `wasi:http/handler@0.3.0`. */
  findExport(prefix: string): string | undefined {
    return Object.keys(this.plan.exports).find((name) => name === prefix || (name.startsWith(prefix) && /[.@]/.test(name.charAt(prefix.length))));
  }

  /** A seat for one guest at a time; `instantiate` makes it usable. */
  newSlot(state: State): Slot<State> {
    const bind = (binding: HostBinding<State> | null): HostFunction | null => binding && binding.bind(state);
    const functions = this.plan.trampolines.map((trampoline, id) => {
      if (trampoline.op !== 'lower' || trampoline.callee.k !== 'host') return null;
      const { iface, name } = trampoline.callee;
      return bind(this.bindings[id]) ?? (() => {
        throw new Trap(`the host has no ${iface}#${name}`);
      });
    });
    const { onSwitch } = this.options;
    return new Slot(state, this.parts, { functions, drops: this.dropBindings.map(bind) }, {
      clock: this.options.clock,
      findLift: (iface, name) => this.findLift(iface, name),
      onSwitch: onSwitch ? (holder) => onSwitch(state, holder) : null,
    });
  }

  private findMissing(): string[] {
    const missing = new Set<string>();
    this.plan.trampolines.forEach((trampoline, id) => {
      if (trampoline.op !== 'lower' || trampoline.callee.k !== 'host' || this.bindings[id]) return;
      missing.add(`${trampoline.callee.iface}#${trampoline.callee.name}`);
    });
    return [...missing];
  }

  private findLift(iface: string | null, name: string): number | undefined {
    let known = this.lifts.get(iface);
    if (!known) this.lifts.set(iface, (known = new Map()));
    if (!known.has(name)) known.set(name, this.seekLift(iface, name));
    return known.get(name);
  }

  private seekLift(iface: string | null, name: string): number | undefined {
    const root = this.plan.exports;
    const own = (exports: Record<string, PlanExport>, key: string): PlanExport | undefined => (Object.hasOwn(exports, key) ? exports[key] : undefined);
    if (iface === null) {
      const found = own(root, name);
      return found?.k === 'func' ? found.lift : undefined;
    }
    const instance = own(root, iface);
    const found = instance?.k === 'instance' ? own(instance.exports, name) : undefined;
    return found?.k === 'func' ? found.lift : undefined;
  }

  private shareMemory(): (number | null)[] {
    const { steps, modules } = this.plan;
    const memories = steps.map((step) => modules[step.module].memory);
    const allowed = Math.min(WASM32_PAGES, Math.floor((this.options.maxMemoryBytes ?? Infinity) / PAGE_BYTES));
    const initial = memories.reduce((sum, memory) => sum + (memory?.minPages ?? 0), 0);
    if (initial > allowed) throw new LimitTrap('memory', `the component starts with ${initial * PAGE_BYTES} bytes of memory, ${allowed * PAGE_BYTES} are allowed`);
    const count = memories.filter((memory) => memory !== null).length;
    const spare = count === 0 ? 0 : Math.floor((allowed - initial) / count);
    return memories.map((memory) => memory && Math.min(memory.maxPages, memory.minPages + spare));
  }
}

function stepImports(module: WebAssembly.Module, { args }: PlanStep): StepImport[] {
  const suppliers = new Map(args);
  return WebAssembly.Module.imports(module).map(({ module: from, name, kind }) => {
    const source = ownImport(from, name);
    if (source) return { module: from, name, kind, source };
    const supplier = suppliers.get(from);
    if (supplier?.k === 'instance') return { module: from, name, kind, source: { k: 'export', step: supplier.step, name } };
    const ref = supplier && Object.hasOwn(supplier.exports, name) ? supplier.exports[name] : undefined;
    if (!ref) throw new Error(`the plan supplies no ${from} ${name}`);
    return { module: from, name, kind, source: ref };
  });
}
