import { createHash } from 'node:crypto';
import { PAGE_BYTES, type Plan, type PlanModule } from '#engine/plan.js';
import { DecodeError, RewriteError } from './build-error.js';
import { componentize } from './componentize.js';
import { readCoreModule, type CoreModule } from './core/core-module.js';
import { decodeComponent, wasmKind } from './decode/component.js';
import { elideShims } from './link/elide-shims.js';
import { linkComponent, type LinkedComponent } from './link/linker.js';
import { rewriteModule } from './rewrite/rewriter.js';

/** How a component is called: Spin's kinds of HTTP handler, and a program that answers as a CGI script does. */
export type ComponentHandler = 'wasi-http-0.2' | 'wasi-http-0.3' | 'spin-http' | 'command';

const HANDLERS: [pattern: RegExp, handler: ComponentHandler][] = [
  [/^wasi:http\/incoming-handler@0\.2\.\d+$/, 'wasi-http-0.2'],
  [/^wasi:http\/handler@0\.3\.\d+$/, 'wasi-http-0.3'],
  [/^fermyon:spin\/inbound-http$/, 'spin-http'],
  [/^wasi:cli\/run@0\.2\.\d+$/, 'command'],
];

export interface BuildOptions {
  /** Hard maximum of the linear memory of the component. */
  memoryCapBytes: number;
}

export interface BuiltComponent {
  plan: Plan;
  /** Rewritten core modules; `plan.modules[i]` describes `modules[i]`. Equal ones are stored once. */
  modules: Uint8Array[];
  /** What the component imports and exports, as it names it (`wasi:http/types@0.2.3`). */
  imports: string[];
  exports: string[];
  handlers: ComponentHandler[];
  /** True when the input was a core module. */
  componentized: boolean;
}

/** The handlers among a component's exports, each once. */
export function handlersOf(exports: string[]): ComponentHandler[] {
  return HANDLERS.filter(([pattern]) => exports.some((name) => pattern.test(name))).map(([, handler]) => handler);
}

class ModuleStore {
  readonly modules: Uint8Array[] = [];
  readonly entries: PlanModule[] = [];
  private readonly byDigest = new Map<string, number>();

  constructor(private readonly memoryCapPages: number) {}

  /** Rewrites a module, keeps it and gives its index. */
  add(module: CoreModule, label: string): number {
    const { bytes, ...facts } = this.rewrite(module, label);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    const known = this.byDigest.get(digest);
    if (known !== undefined) return known;
    const index = this.modules.push(bytes) - 1;
    this.entries.push({ digest, bytes: bytes.length, ...facts });
    this.byDigest.set(digest, index);
    return index;
  }

  private rewrite(module: CoreModule, label: string) {
    try {
      return rewriteModule(module, { memoryCapPages: this.memoryCapPages });
    } catch (error) {
      if (error instanceof RewriteError) throw new RewriteError(error.kind, `${label}: ${error.message}`);
      throw error;
    }
  }
}

function finish(linked: LinkedComponent, memoryCapPages: number): { plan: Plan; modules: Uint8Array[] } {
  const store = new ModuleStore(memoryCapPages);
  const indices = new Map<number, number>();
  const steps = linked.plan.steps.map((step) => {
    const index = indices.get(step.module) ?? store.add(linked.modules[step.module]!, `core module ${step.module}`);
    indices.set(step.module, index);
    return { ...step, module: index };
  });
  const pages = steps.reduce((sum, step) => sum + (store.entries[step.module]!.memory?.minPages ?? 0), 0);
  if (pages > memoryCapPages) {
    throw new RewriteError('limit', `the memories want ${pages} pages together at the start, the limit is ${memoryCapPages} pages`);
  }
  return { plan: { ...linked.plan, modules: store.entries, steps }, modules: store.modules };
}

/**
 * Makes of an uploaded WebAssembly binary what the nodes run: a component is decoded, linked and its core modules rewritten; a core
 * module is made into a component first. Needs no network and no disk but the toolbox's own files. Pure: the same bytes and
 * options give the same result. Throws `BuildError` (or one of its subclasses) for whatever is wrong with the input.
 */
export async function buildComponent(bytes: Uint8Array, options: BuildOptions): Promise<BuiltComponent> {
  const kind = wasmKind(bytes);
  if (kind === null) throw new DecodeError('not-wasm', 'neither a WebAssembly component (version 0x0d) nor a core module', 0);
  const component = kind === 'component' ? bytes : await componentize(readCoreModule(bytes));
  const linked = elideShims(linkComponent(decodeComponent(component)));
  const { imports, exports } = linked;
  const built = finish(linked, Math.floor(options.memoryCapBytes / PAGE_BYTES));
  return { ...built, imports, exports, handlers: handlersOf(exports), componentized: kind === 'module' };
}

