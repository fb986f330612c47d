import { createHash } from 'node:crypto';
import { PAGE_BYTES, type Plan, type PlanModule } from '#engine/plan.js';
import { DecodeError, RewriteError } from './build-error.js';
import { componentize } from './componentize.js';
import type { ComponentDependency } from './compose/composition.js';
import type { DependencySummary } from './compose/summary.js';
import { compose } from './compose/wiring.js';
import { readCoreModule, type CoreModule } from './core/core-module.js';
import type { ComponentAst } from './decode/ast.js';
import { decodeComponent, wasmKind } from './decode/component.js';
import { handlersOf, type ComponentHandler } from './handlers.js';
import { elideShims } from './link/elide-shims.js';
import { linkComposition, type LinkedComponent } from './link/linker.js';
import { type CodeScan, scanCode } from './rewrite/code-scan.js';
import { proveReset } from './rewrite/reset-proof.js';
import { rewriteModule, type RewrittenModule } from './rewrite/rewriter.js';

export interface BuildOptions {
  /** Hard maximum of the linear memory of the component. */
  memoryCapBytes: number;
  /** Components that satisfy some of its imports. */
  dependencies?: readonly ComponentDependency[];
}

export interface BuiltComponent {
  plan: Plan;
  /** Rewritten core modules; `plan.modules[i]` describes `modules[i]`. Equal ones are stored once. */
  modules: Uint8Array[];
  /** What the component and its dependencies ask of the host, as they name it (`wasi:http/types@0.2.3`), and what the component exports. */
  imports: string[];
  exports: string[];
  /** What each dependency asks of the host, and what of it in vain. */
  dependencies: DependencySummary[];
  handlers: ComponentHandler[];
  /** True when the input was a core module. */
  componentized: boolean;
}

/** A core module that the plan instantiates. */
interface UsedModule {
  module: CoreModule;
  scan: CodeScan | null;
  label: string;
}

/** Does it for one module, whose label goes before the message of what is wrong with it. */
function labelled<T>(label: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof RewriteError) throw new RewriteError(error.kind, `${label}: ${error.message}`);
    throw error;
  }
}

/** Marks on stores serve resets in place, and only when no store to the same memories goes without. */
function rewriteAll(used: UsedModule[], memoryCapPages: number): RewrittenModule[] {
  const inPlace = used.every(({ module, scan }) => proveReset(module, scan).inPlace);
  const rewrite = (cards: boolean): RewrittenModule[] =>
    used.map(({ module, scan, label }) => labelled(label, () => rewriteModule(module, { memoryCapPages, cards }, scan)));
  if (!inPlace || used.some(({ scan }) => scan?.unmarkable)) return rewrite(false);
  const marked = rewrite(true);
  return marked.every(({ cards }) => cards) ? marked : rewrite(false);
}

class ModuleStore {
  readonly modules: Uint8Array[] = [];
  readonly entries: PlanModule[] = [];
  private readonly byDigest = new Map<string, number>();

  /** Keeps a module and gives its index. */
  add({ bytes, ...facts }: RewrittenModule): number {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    const known = this.byDigest.get(digest);
    if (known !== undefined) return known;
    const index = this.modules.push(bytes) - 1;
    this.entries.push({ digest, bytes: bytes.length, ...facts });
    this.byDigest.set(digest, index);
    return index;
  }
}

function finish(linked: LinkedComponent, memoryCapPages: number): { plan: Plan; modules: Uint8Array[] } {
  const numbers = [...new Set(linked.plan.steps.map(({ module }) => module))];
  const used = numbers.map((number) => {
    const module = linked.modules[number]!;
    const label = `core module ${number}`;
    return { module, label, scan: labelled(label, () => scanCode(module)) };
  });
  const store = new ModuleStore();
  const indices = rewriteAll(used, memoryCapPages).map((module) => store.add(module));
  const steps = linked.plan.steps.map((step) => ({ ...step, module: indices[numbers.indexOf(step.module)]! }));
  const pages = steps.reduce((sum, step) => sum + (store.entries[step.module]!.memory?.minPages ?? 0), 0);
  if (pages > memoryCapPages) {
    throw new RewriteError('limit', `the memories want ${pages} pages together at the start, the limit is ${memoryCapPages} pages`);
  }
  return { plan: { ...linked.plan, modules: store.entries, steps }, modules: store.modules };
}

/**
 * Makes of an uploaded WebAssembly binary what the nodes run: a component is decoded, linked together with its dependencies and its core
 * modules rewritten; a core module is made into a component first. Needs no network and no disk but the toolbox's own files. Pure: the same bytes and
 * options give the same result. Throws `BuildError` (or one of its subclasses) for whatever is wrong with the input.
 */
export async function buildComponent(bytes: Uint8Array, options: BuildOptions): Promise<BuiltComponent> {
  const component = await read(bytes);
  const linked = elideShims(linkComposition(await compose(component, options.dependencies ?? [], read)));
  const { imports, exports, dependencies } = linked;
  const built = finish(linked, Math.floor(options.memoryCapBytes / PAGE_BYTES));
  return { ...built, imports, exports, dependencies, handlers: handlersOf(exports), componentized: wasmKind(bytes) === 'module' };
}

async function read(bytes: Uint8Array): Promise<ComponentAst> {
  const kind = wasmKind(bytes);
  if (kind === null) throw new DecodeError('not-wasm', 'neither a WebAssembly component (version 0x0d) nor a core module', 0);
  return decodeComponent(kind === 'component' ? bytes : await componentize(readCoreModule(bytes)));
}

