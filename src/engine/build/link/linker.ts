import type { Plan, PlanExport } from '#engine/plan.js';
import { ENGINE_VERSION } from '#engine/plan.js';
import { LinkError } from '#engine/build/build-error.js';
import { alone, type Composition } from '#engine/build/compose/composition.js';
import { validateComposition } from '#engine/build/compose/composition-validator.js';
import { type CompositionSummary, summarise } from '#engine/build/compose/summary.js';
import type { CoreModule } from '#engine/build/core/core-module.js';
import { signatureOf } from '#engine/build/core/core-types.js';
import type { Alias, ComponentAst, Definition, InstanceDef, SortIndex, TypeDef } from '#engine/build/decode/ast.js';
import { addItem, Binder } from './binding.js';
import { CanonLinker } from './canon-linker.js';
import { CoreLinker } from './core-linker.js';
import { HostImports, type HostResources } from './host-imports.js';
import { checkKey } from './label.js';
import { LinkBudget } from './link-budget.js';
import { ModuleCache } from './module-cache.js';
import { Scope, type CoreInstanceEntity, type InstanceEntity, type Item, type TypeEntity } from './scope.js';
import { TypeEvaluator } from './type-evaluator.js';
import { TypeTable } from './type-table.js';

/** Component instances of one app: each has a handle table. */
const MAX_INSTANCES = 1_000;

/** A plan whose core modules are still the guest's own: `plan.steps[].module` is an index into `modules`. */
export interface LinkedComponent extends CompositionSummary {
  plan: Omit<Plan, 'modules'>;
  modules: CoreModule[];
}

/** Gives what an import of a component is bound to. */
type ImportSource = (scope: Scope, def: Extract<Definition, { k: 'import' }>) => Item;

class Linker {
  private readonly budget = new LinkBudget();
  private readonly types = new TypeEvaluator(new TypeTable(), this.budget);
  private readonly binder = new Binder(this.types, this.budget);
  private readonly canons = new CanonLinker(this.types);
  private readonly core = new CoreLinker(this.budget);
  /** By component instance: the one whose component instantiated it, -1 for the host. */
  private readonly parents: number[] = [];

  constructor(private readonly modules: ModuleCache) {}

  link(composition: Composition): LinkedComponent {
    const root = this.composed(composition, composition.dependencies.length > 0 ? new Map() : null);
    const { table, resources } = this.types;
    return {
      plan: {
        engine: ENGINE_VERSION,
        steps: this.core.steps,
        trampolines: this.canons.trampolines,
        lifts: this.canons.lifts,
        types: table.types,
        funcTypes: table.funcTypes,
        resources,
        instances: this.parents.length,
        parents: this.parents,
        exports: this.planExports(root, ''),
      },
      modules: this.core.modules,
      ...summarise(composition),
    };
  }

  /** Each dependency is an instance of its own, made before what depends on it; none is the parent of another. */
  private composed(composition: Composition, resources: HostResources | null): InstanceEntity {
    const { component, wires, dependencies, denied } = composition;
    const made = new Map(dependencies.map((dependency) => [dependency, this.composed(dependency, resources)]));
    const host = new HostImports(this.types, this.binder, resources, denied);
    return this.component(component, null, (scope, def) => {
      const wire = wires.get(def.name);
      if (wire === undefined) return host.item(scope, def.name, def.type);
      return this.binder.match(scope, def.name, def.type, made.get(wire.from)!.exports.get(wire.export)!);
    });
  }

  private component(ast: ComponentAst, parent: Scope | null, imports: ImportSource, by = -1): InstanceEntity {
    if (this.parents.length >= MAX_INSTANCES) throw new LinkError('limit', `more than ${MAX_INSTANCES} component instances`);
    const scope = new Scope(parent, this.parents.push(by) - 1);
    const exports = new Map<string, Item>();
    const imported = new Set<string>();
    for (const def of ast.defs) {
      this.budget.spend();
      switch (def.k) {
        case 'import':
          if (imported.has(def.name)) throw new LinkError('invalid', `${JSON.stringify(def.name)} is imported twice`);
          imported.add(def.name);
          addItem(scope, imports(scope, def));
          break;
        case 'export': {
          if (exports.has(def.name)) throw new LinkError('invalid', `${JSON.stringify(def.name)} is exported twice`);
          const item = this.item(scope, def);
          const shown = def.type === null ? item : this.binder.match(scope, def.name, def.type, item);
          exports.set(checkKey(def.name), shown);
          addItem(scope, shown);
          break;
        }
        default: this.define(scope, def);
      }
    }
    return { exports };
  }

  private define(scope: Scope, def: Exclude<Definition, { k: 'import' | 'export' }>): void {
    switch (def.k) {
      case 'core module': scope.add('core module', this.modules.get(def)); break;
      case 'core type': scope.add('core type', def.type); break;
      case 'core instance': scope.add('core instance', this.core.coreInstance(scope, def)); break;
      case 'component': scope.add('component', { ast: def.component, scope }); break;
      case 'instance': scope.add('instance', this.instance(scope, def)); break;
      case 'alias': this.alias(scope, def); break;
      case 'type': scope.add('type', this.type(scope, def.type)); break;
      case 'canon': this.canons.define(scope, def); break;
    }
  }

  private item(scope: Scope, { sort, index }: SortIndex): Item {
    switch (sort) {
      case 'func': return { sort, value: scope.get('func', index) };
      case 'type': return { sort, value: scope.get('type', index) };
      case 'instance': return { sort, value: scope.get('instance', index) };
      case 'component': return { sort, value: scope.get('component', index) };
      case 'core module': return { sort, value: scope.get('core module', index) };
      case 'value': throw new LinkError('unsupported', 'values are not supported');
      default: throw new LinkError('invalid', `a ${sort} cannot cross the border of a component`);
    }
  }

  private instance(scope: Scope, def: InstanceDef): InstanceEntity {
    const parts = new Map<string, Item>();
    const listed = def.form === 'exports' ? def.exports : def.args;
    this.budget.spend(listed.length);
    for (const part of listed) {
      if (parts.has(part.name)) throw new LinkError('invalid', `${JSON.stringify(part.name)} is given twice`);
      parts.set(part.name, this.item(scope, part));
    }
    if (def.form === 'exports') return { exports: parts };
    const component = scope.get('component', def.component);
    return this.budget.nested(() => this.component(component.ast, component.scope, (inner, { name, type }) => {
      const item = parts.get(name);
      if (item === undefined) throw new LinkError('invalid', `the argument ${JSON.stringify(name)} is missing`);
      return this.binder.match(inner, name, type, item);
    }, scope.instance));
  }

  private type(scope: Scope, def: TypeDef): TypeEntity {
    if (def.t !== 'resource') return this.types.type(scope, def);
    const dtor = def.dtor === null ? null : scope.get('core func', def.dtor);
    if (dtor !== null && signatureOf(dtor.type) !== 'i32>') throw new LinkError('invalid', 'the destructor of a resource does not have the type i32>');
    return this.types.resource({ name: '', host: null, instance: scope.instance, dtor: dtor?.ref ?? null });
  }

  private alias(scope: Scope, alias: Alias): void {
    if (alias.target !== 'core export') return this.binder.alias(scope, alias);
    const instance: CoreInstanceEntity = scope.get('core instance', alias.instance);
    const item = instance.items.get(alias.name);
    if (item === undefined) throw new LinkError('invalid', `an alias names ${JSON.stringify(alias.name)}, which the core instance does not export`);
    const { kind } = item.type;
    if (alias.sort !== `core ${kind}`) throw new LinkError('invalid', `an alias of ${JSON.stringify(alias.name)} wants a ${alias.sort}, it is a ${kind}`);
    scope.add(`core ${kind}`, item);
  }

  /** Types vanish: what a caller of the app can use are functions. */
  private planExports({ exports }: InstanceEntity, path: string): Record<string, PlanExport> {
    const tree: Record<string, PlanExport> = {};
    for (const [name, item] of exports) {
      this.budget.spend();
      const place = JSON.stringify(path === '' ? name : `${path}#${name}`);
      switch (item.sort) {
        case 'type': break;
        case 'instance': tree[checkKey(name)] = { k: 'instance', exports: this.budget.nested(() => this.planExports(item.value, name)) }; break;
        case 'func':
          if (item.value.k === 'host') throw new LinkError('unsupported', `the export ${place} hands on a function of the host, which is not supported`);
          tree[checkKey(name)] = { k: 'func', lift: item.value.lift };
          break;
        default: throw new LinkError('unsupported', `the export ${place} of a ${item.sort} is not supported`);
      }
    }
    return tree;
  }
}

/**
 * Validates and links decoded components: nested components, instances and aliases are resolved and gone, what is left are core
 * instantiations and the functions between them. Throws `LinkError` for what is invalid or not covered, `RewriteError` for a core
 * module that is not valid by itself; `BuildError` for either inside a dependency.
 */
export function linkComposition(composition: Composition): LinkedComponent {
  const modules = new ModuleCache();
  validateComposition(composition, modules);
  return new Linker(modules).link(composition);
}

/** Links a component without dependencies. */
export function linkComponent(ast: ComponentAst): LinkedComponent {
  return linkComposition(alone(ast));
}
