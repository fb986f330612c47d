import type { PlanStep, StepArg } from '#engine/plan.js';
import { LinkError } from '#engine/build/build-error.js';
import type { CoreModule } from '#engine/build/core/core-module.js';
import { coreMismatch, signatureOf } from '#engine/build/core/core-types.js';
import type { CoreInstanceDef } from '#engine/build/decode/ast.js';
import { checkKey } from './label.js';
import type { LinkBudget } from './link-budget.js';
import type { CoreInstanceEntity, CoreItem, Scope } from './scope.js';

/** Core instantiations of one component; composed apps have some dozens. */
const MAX_STEPS = 1_000;

/** Makes the steps of a plan. Every import is resolved here, against the export lists of the modules as the guest wrote them. */
export class CoreLinker {
  readonly modules: CoreModule[] = [];
  readonly steps: PlanStep[] = [];

  constructor(private readonly budget: LinkBudget) {}

  coreInstance(scope: Scope, def: CoreInstanceDef): CoreInstanceEntity {
    return def.form === 'exports' ? this.bag(scope, def.exports) : this.instantiate(scope, def);
  }

  private bag(scope: Scope, exports: Extract<CoreInstanceDef, { form: 'exports' }>['exports']): CoreInstanceEntity {
    this.budget.spend(exports.length);
    const items = new Map<string, CoreItem>();
    for (const { name, sort, index } of exports) {
      if (sort === 'type' || sort === 'module' || sort === 'instance') {
        throw new LinkError('unsupported', `a core instance that exports a ${sort} (${name}) is not supported`);
      }
      if (items.has(name)) throw new LinkError('invalid', `a core instance exports ${JSON.stringify(name)} twice`);
      items.set(checkKey(name), scope.get(`core ${sort}`, index));
    }
    return { step: null, items };
  }

  private instantiate(scope: Scope, def: Extract<CoreInstanceDef, { form: 'instantiate' }>): CoreInstanceEntity {
    const module = scope.get('core module', def.module);
    this.budget.spend(def.args.length + module.imports.length + module.exports.length);
    const args = new Map<string, CoreInstanceEntity>();
    for (const [name, index] of def.args) {
      if (args.has(name)) throw new LinkError('invalid', `the argument ${JSON.stringify(name)} stands twice`);
      args.set(checkKey(name), scope.get('core instance', index));
    }
    this.checkImports(module, args);
    if (this.steps.length >= MAX_STEPS) throw new LinkError('limit', `more than ${MAX_STEPS} core instances`);
    const step = this.steps.push({ module: this.moduleIndex(module), instance: scope.instance, args: this.stepArgs(module, args) }) - 1;
    const items = new Map<string, CoreItem>();
    for (const { name, type } of module.exports) items.set(name, { ref: { k: 'export', step, name }, type });
    return { step, items };
  }

  /** The arguments that the module imports from, in the order of its imports, and of bags only what it imports. */
  private stepArgs(module: CoreModule, args: Map<string, CoreInstanceEntity>): PlanStep['args'] {
    const used = new Map<string, StepArg>();
    for (const { module: from, name } of module.imports) {
      const { step, items } = args.get(from)!;
      const arg: StepArg = used.get(from) ?? (step === null ? { k: 'bag', exports: {} } : { k: 'instance', step });
      if (arg.k === 'bag') arg.exports[name] = items.get(name)!.ref;
      used.set(from, arg);
    }
    return [...used];
  }

  private moduleIndex(module: CoreModule): number {
    const known = this.modules.indexOf(module);
    return known === -1 ? this.modules.push(module) - 1 : known;
  }

  /** V8 checks again what one module gives another, but a function made by the host takes any signature. */
  private checkImports(module: CoreModule, args: Map<string, CoreInstanceEntity>): void {
    for (const { module: from, name, type } of module.imports) {
      const place = `core import ${JSON.stringify(from)} ${JSON.stringify(name)}`;
      const arg = args.get(from);
      if (arg === undefined) throw new LinkError('invalid', `${place}: the argument is missing`);
      const item = arg.items.get(name);
      if (item === undefined) throw new LinkError('invalid', `${place}: the argument does not export it`);
      const mismatch = coreMismatch(type, item.type);
      if (mismatch !== null) throw new LinkError('invalid', `${place}: ${mismatch}`);
      if (item.ref.k === 'trampoline' && signatureOf(type) === null) throw new LinkError('unsupported', `${place}: its type is not supported here`);
    }
  }
}
