/**
 * The link plan: what `build/` makes of a component and `run/` instantiates. It is plain JSON, holds core things only
 * (nested components, instances and aliases are gone) and is stored beside the rewritten core modules.
 *
 * Everything refers to everything else by index: into `types`, `funcTypes`, `resources`, `lifts`, `trampolines`, `steps`, `modules`.
 */

/** Raised whenever build/ or run/ change what a plan or a rewritten module means: results are cached by (component digest, this). */
export const ENGINE_VERSION = '8';

export type PrimitiveName =
  | 'bool' | 's8' | 'u8' | 's16' | 'u16' | 's32' | 'u32' | 's64' | 'u64' | 'f32' | 'f64' | 'char' | 'string' | 'error-context';

/** A component value type. Numbers are indices into `Plan.types`; field, case and flag names are the kebab-case WIT labels. */
export type PlanType =
  | { t: PrimitiveName }
  | { t: 'list'; of: number; length?: number }
  | { t: 'record'; fields: [name: string, type: number][] }
  | { t: 'tuple'; of: number[] }
  | { t: 'variant'; cases: [name: string, type: number | null][] }
  | { t: 'enum'; names: string[] }
  | { t: 'flags'; names: string[] }
  | { t: 'option'; of: number }
  | { t: 'result'; ok: number | null; err: number | null }
  | { t: 'own' | 'borrow'; resource: number }
  | { t: 'stream' | 'future'; of: number | null };

export interface PlanFuncType {
  async: boolean;
  params: [name: string, type: number][];
  result: number | null;
}

/** A core function, table, memory or global: exported by a core instance, or a function made by the host at run time. */
export type CoreRef = { k: 'export'; step: number; name: string } | { k: 'trampoline'; id: number };

/** Canonical options of one lift, lower or built-in (Component Model, CanonicalABI.md). `instance` owns the handle table. */
export interface PlanOptions {
  encoding: 'utf8' | 'utf16' | 'latin1+utf16';
  memory: CoreRef | null;
  realloc: CoreRef | null;
  postReturn: CoreRef | null;
  callback: CoreRef | null;
  async: boolean;
  instance: number;
}

/**
 * `host` names the import that made the type (`iface` is '' for a root import); null when a component of the app defines it. `denied`: of an
 * interface that the component asks in vain.
 */
export interface PlanResource {
  name: string;
  host: { iface: string; name: string; denied?: true } | null;
  /** Component instance that defines it, -1 for the host's. */
  instance: number;
  dtor: CoreRef | null;
}

/** A core function lifted to a component function. */
export interface PlanLift {
  core: CoreRef;
  type: number;
  options: PlanOptions;
  instance: number;
}

/**
 * What a lowered function calls: a function of the host, or a lift of another component instance of the same plan. `denied`: the component
 * does not inherit the interface from the app's component that depends on it, and the host refuses in its place.
 */
export type PlanCallee = { k: 'host'; iface: string; name: string; denied?: true } | { k: 'lift'; lift: number };

export type BuiltinName =
  | 'task.return' | 'task.cancel' | 'context.get' | 'context.set' | 'backpressure.inc' | 'backpressure.dec' | 'thread.yield'
  | 'subtask.cancel' | 'subtask.drop' | 'waitable-set.new' | 'waitable-set.wait' | 'waitable-set.poll' | 'waitable-set.drop' | 'waitable.join'
  | 'stream.new' | 'stream.read' | 'stream.write' | 'stream.cancel-read' | 'stream.cancel-write' | 'stream.drop-readable' | 'stream.drop-writable'
  | 'future.new' | 'future.read' | 'future.write' | 'future.cancel-read' | 'future.cancel-write' | 'future.drop-readable' | 'future.drop-writable'
  | 'error-context.new' | 'error-context.debug-message' | 'error-context.drop';

export type PlanTrampoline =
  | { op: 'lower'; callee: PlanCallee; type: number; options: PlanOptions; instance: number }
  | { op: 'resource.new' | 'resource.rep' | 'resource.drop'; resource: number; instance: number }
  | {
      op: BuiltinName;
      instance: number;
      /** stream/future type (into `types`). */
      type?: number;
      /** Result type of `task.return`. */
      result?: number | null;
      options?: PlanOptions;
      async?: boolean;
      cancellable?: boolean;
      /** Index of `context.get` and `context.set`. */
      slot?: number;
    };

/** Supplier of one import module name of a core instantiation. */
export type StepArg = { k: 'instance'; step: number } | { k: 'bag'; exports: Record<string, CoreRef> };

/** One core instantiation, in order. */
export interface PlanStep {
  module: number;
  instance: number;
  args: [module: string, arg: StepArg][];
}

/**
 * Whether putting back memory and globals puts an instance of the module back to how it was: proved from its code, at deploy.
 * `globals`: it exports its own mutable globals as `whorl:global:0` and so on. `unmarked`: why its stores cannot be marked in cards.
 */
export type PlanReset = { inPlace: true; globals: number; unmarked?: string } | { inPlace: false; reason: string };

/** A rewritten core module. `digest` is that of the rewritten bytes (sha256:…). */
export interface PlanModule {
  digest: string;
  bytes: number;
  /** The module's own memory, now the import `whorl`/`memory`; null when it defines none. */
  memory: { minPages: number; maxPages: number } | null;
  /** True when it exports the mutable i64 global `whorl:deadline` and imports `whorl`/`clock`. */
  metered: boolean;
  /** True when its start function became the export `whorl:start`, to be called by the slot after instantiation. */
  start: boolean;
  reset: PlanReset;
  /**
   * Whatever it writes to the one memory that it uses is marked in the card memory of that memory, its import `whorl`/`cards`.
   * True for all modules of a plan or for none.
   */
  cards: boolean;
}

export type PlanExport = { k: 'func'; lift: number } | { k: 'instance'; exports: Record<string, PlanExport> };

export interface Plan {
  engine: typeof ENGINE_VERSION;
  modules: PlanModule[];
  steps: PlanStep[];
  trampolines: PlanTrampoline[];
  lifts: PlanLift[];
  types: PlanType[];
  funcTypes: PlanFuncType[];
  resources: PlanResource[];
  /** Number of component instances (handle tables). */
  instances: number;
  /** By component instance: its parent, the one whose component instantiated it (CanonicalABI.md); -1 for the host. */
  parents: number[];
  exports: Record<string, PlanExport>;
}

/** Filling or copying more memory than this is slower than a new one, whose pages come zeroed on demand. */
export const MAX_REUSED_BYTES = 64 * 2 ** 20;

/**
 * How slots are made fresh, the cheapest way that holds: `in-place`, memory and globals are put back and the instances stay;
 * `new-instances`, the memory is zeroed and everything instantiated anew; `new-memory`, that too is new.
 */
export interface ResetMode {
  mode: 'in-place' | 'new-instances' | 'new-memory';
  /** Why it is not the better one. With `in-place`: why the whole memory is put back and not what was written. */
  reason?: string;
  /** Only what was written is put back. */
  cards: boolean;
}

/** The way that is proved for a plan. At run time a slot may fall back, when start functions call out of the component. */
export function resetModeOf({ steps, modules }: Pick<Plan, 'steps' | 'modules'>): ResetMode {
  const used = steps.map(({ module }) => ({ label: `core module ${module}`, ...modules[module]! }));
  const cards = used.every((module) => module.cards);
  const unproved = used.flatMap(({ label, reset }) => (reset.inPlace ? [] : [`${label}: ${reset.reason}`]));
  const [unmarked] = used.flatMap(({ label, reset }) => (reset.inPlace && reset.unmarked !== undefined ? [`${label} has ${reset.unmarked}`] : []));
  const fallback = newStateOf({ steps, modules });
  const tooLarge = !cards && fallback === 'new-memory' ? [unmarked ?? 'the memory is too large to be put back as a whole'] : [];
  const [refusal] = [...unproved, ...tooLarge];
  if (refusal !== undefined) return { mode: fallback, reason: refusal, cards: false };
  return { mode: 'in-place', cards, ...(unmarked === undefined ? {} : { reason: unmarked }) };
}

/** The cheapest way that needs no proof. */
export function newStateOf({ steps, modules }: Pick<Plan, 'steps' | 'modules'>): 'new-instances' | 'new-memory' {
  const memories = steps.flatMap(({ module }) => modules[module]!.memory ?? []);
  return memories.some(({ minPages }) => minPages * PAGE_BYTES > MAX_REUSED_BYTES) ? 'new-memory' : 'new-instances';
}

/** Names shared by the rewriter and the slots. Guests may neither import from nor export under them. */
export const WHORL_MODULE = 'whorl';
export const MEMORY_IMPORT = 'memory';
export const CLOCK_IMPORT = 'clock';
export const DEADLINE_EXPORT = 'whorl:deadline';
export const START_EXPORT = 'whorl:start';
/** Followed by a number. */
export const GLOBAL_EXPORT = 'whorl:global:';
export const CARDS_IMPORT = 'cards';
export const PAGE_BYTES = 65536;

/**
 * A card memory: at 0 the number of pages (u32) that the guest takes its memory to have, from `CARDS_OFFSET` on a byte for each KiB
 * of the memory, not 0 when a store may have begun there. A store may go at most `CARD_EDGE_BYTES` beyond the end of what it marks.
 */
export const CARDS_OFFSET = 8;
export const CARD_BYTES_SHIFT = 10;
export const CARD_EDGE_BYTES = 256;

/** Pages of a card memory for a memory of at most `pages` pages. */
export function cardMemoryPages(pages: number): number {
  return Math.ceil((CARDS_OFFSET + (pages * PAGE_BYTES) / 2 ** CARD_BYTES_SHIFT) / PAGE_BYTES);
}
