import { LinkError } from '#engine/build/build-error.js';
import type { Alias, Decl, ExternType } from '#engine/build/decode/ast.js';
import type { LinkBudget } from './link-budget.js';
import { Scope, type InstanceEntity, type Item, type TypeEntity } from './scope.js';
import type { TypeEvaluator } from './type-evaluator.js';

type InstanceType = Extract<TypeEntity, { k: 'instance' | 'component' }>;

/** Where an item for a declared import or export comes from: the host, or what another component gives. */
export type Supply = (name: string, type: ExternType, scope: Scope) => Item;

/** Adds an item to the index space of its sort. */
export function addItem(scope: Scope, item: Item): void {
  switch (item.sort) {
    case 'func': scope.add('func', item.value); break;
    case 'type': scope.add('type', item.value); break;
    case 'instance': scope.add('instance', item.value); break;
    case 'component': scope.add('component', item.value); break;
    case 'core module': scope.add('core module', item.value); break;
  }
}

/** Binds declared imports and exports to actual items, with the resource types that are in fact given in place of abstract ones. */
export class Binder {
  constructor(private readonly types: TypeEvaluator, private readonly budget: LinkBudget) {}

  /** Makes an instance of an instance type: every export comes from `supply`, later ones see the earlier. */
  instance(type: InstanceType, supply: Supply): InstanceEntity {
    return this.budget.nested(() => {
      const scope = new Scope(type.scope, -1);
      const exports = new Map<string, Item>();
      for (const decl of type.decls) this.declare(scope, decl, exports, supply);
      return { exports };
    });
  }

  private declare(scope: Scope, decl: Decl, exports: Map<string, Item>, supply: Supply): void {
    this.budget.spend();
    switch (decl.k) {
      case 'core type': scope.add('core type', decl.type); return;
      case 'type':
        if (decl.type.t === 'resource') throw new LinkError('invalid', 'a resource definition inside an instance type');
        scope.add('type', this.types.type(scope, decl.type));
        return;
      case 'alias': this.alias(scope, decl); return;
      case 'import': throw new LinkError('unsupported', 'the type of a component that is imported is not supported');
      case 'export': {
        if (exports.has(decl.name)) throw new LinkError('invalid', `an instance type exports ${JSON.stringify(decl.name)} twice`);
        const item = supply(decl.name, decl.type, scope);
        exports.set(decl.name, item);
        addItem(scope, item);
      }
    }
  }

  /** The alias of something that is not core, in a component or a type. */
  alias(scope: Scope, alias: Alias): void {
    if (alias.target === 'core export') throw new LinkError('invalid', 'a core alias inside a type');
    if (alias.target === 'outer') {
      const from = scope.outer(alias.count);
      switch (alias.sort) {
        case 'type': scope.add('type', from.get('type', alias.index)); return;
        case 'component': scope.add('component', from.get('component', alias.index)); return;
        case 'core module': scope.add('core module', from.get('core module', alias.index)); return;
        case 'core type': scope.add('core type', from.get('core type', alias.index)); return;
        default: throw new LinkError('invalid', `an outer alias of a ${alias.sort}`);
      }
    }
    const item = scope.get('instance', alias.instance).exports.get(alias.name);
    if (item === undefined) throw new LinkError('invalid', `an alias names ${JSON.stringify(alias.name)}, which the instance does not export`);
    if (item.sort !== alias.sort) throw new LinkError('invalid', `an alias of ${JSON.stringify(alias.name)} wants a ${alias.sort}, it is a ${item.sort}`);
    addItem(scope, item);
  }

  /**
   * Checks that `item` is what `type` (written in `scope`) declares, and gives the item as the declaration shows it: an instance
   * keeps only the exports that its type names.
   */
  match(scope: Scope, name: string, type: ExternType, item: Item): Item {
    const place = JSON.stringify(name);
    if (item.sort !== type.sort) throw new LinkError('invalid', `${place}: a ${type.sort} is asked for, a ${item.sort} given`);
    switch (item.sort) {
      case 'func': {
        const wanted = type.sort === 'func' ? this.types.funcIndex(scope, type.index) : -1;
        if (wanted !== item.value.type) throw new LinkError('invalid', `${place}: the function given has another type than asked for`);
        return item;
      }
      case 'type':
        if (type.sort === 'type' && type.bound === 'eq') this.matchType(scope, place, type.index, item.value);
        else if (item.value.k !== 'resource') throw new LinkError('invalid', `${place}: a resource is asked for, a ${item.value.k} type given`);
        return item;
      case 'instance': {
        const wanted = this.instanceType(scope, type.sort === 'instance' ? type.index : -1);
        const given = item.value.exports;
        const value = this.instance(wanted, (inner, innerType, innerScope) => {
          const found = given.get(inner);
          if (found === undefined) throw new LinkError('invalid', `${place}: the instance given lacks ${JSON.stringify(inner)}`);
          return this.match(innerScope, `${name}#${inner}`, innerType, found);
        });
        return { sort: 'instance', value };
      }
      default: throw new LinkError('unsupported', `${place}: a ${item.sort} as an argument or with a type is not supported`);
    }
  }

  instanceType(scope: Scope, index: number): InstanceType {
    const entity = scope.get('type', index);
    if (entity.k !== 'instance') throw new LinkError('invalid', `type ${index} is a ${entity.k} type where an instance type must stand`);
    return entity;
  }

  private matchType(scope: Scope, place: string, index: number, given: TypeEntity): void {
    const wanted = scope.get('type', index);
    const same = (wanted.k === 'value' && given.k === 'value' && wanted.type === given.type)
      || (wanted.k === 'func' && given.k === 'func' && wanted.type === given.type)
      || (wanted.k === 'resource' && given.k === 'resource' && wanted.resource === given.resource)
      || ((wanted.k === 'instance' || wanted.k === 'component') && wanted.k === given.k);
    if (!same) throw new LinkError('invalid', `${place}: the type given is not the type asked for`);
  }
}
