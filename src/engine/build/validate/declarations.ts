import { LinkError } from '#engine/build/build-error.js';
import type { Signature } from '#engine/build/core/core-types.js';
import type { Alias, CoreTypeDef, Decl, ExternType, TypeDef } from '#engine/build/decode/ast.js';
import { moduleType } from './core-module-type.js';
import { hasFreeResources } from './free-resources.js';
import { Space } from './space.js';
import { Substitution } from './substitution.js';
import { asFunc, type TypeStore } from './type-store.js';
import type { Binder, ComponentType, Extern, InstanceType, ModuleType, Type } from './types.js';

/** Gives types to type definitions, declarators and aliases (Explainer.md, Type Definitions). Throws `LinkError`. */
export class Declarations {
  constructor(private readonly store: TypeStore) {}

  /** Any type definition but that of a resource, which a component alone may have. */
  type(space: Space, def: TypeDef): Type {
    const lookup = (index: number) => space.get('type', index);
    switch (def.t) {
      case 'func': return this.store.func(def, lookup);
      case 'instance': return this.instanceType(space, def.decls);
      case 'component': return this.componentType(space, def.decls);
      case 'resource': throw new LinkError('invalid', 'a resource definition inside an instance or component type');
      default: return this.store.value(def, lookup);
    }
  }

  coreType(space: Space, def: CoreTypeDef): ModuleType | { k: 'core func'; signature: Signature } {
    if (def.t === 'func') return { k: 'core func', signature: def.signature };
    this.store.budget.spend(def.decls.length);
    return moduleType(def.decls, (count, index) => {
      const type = space.outer(count).space.get('core type', index);
      if (type.k === 'module') throw new LinkError('invalid', `core type ${index} is a module type where a function type must stand`);
      return type.signature;
    });
  }

  /** What an import or export of the given type is. Its abstract resource types are new ones of `binder`. */
  extern(space: Space, type: ExternType, binder: Binder): Extern {
    switch (type.sort) {
      case 'core module': return { sort: 'core module', type: this.moduleType(space, type.index) };
      case 'func': return { sort: 'func', type: asFunc(space.get('type', type.index), type.index) };
      case 'component': return { sort: 'component', type: this.asType(space, type.index, 'component') };
      case 'instance': {
        const instance = this.asType(space, type.index, 'instance');
        const open = new Substitution(this.store, instance.binder, binder);
        return { sort: 'instance', type: { ...open.instance(instance), binder: null } };
      }
      case 'type':
        if (type.bound === 'sub') return { sort: 'type', type: { k: 'resource', id: this.store.freshResource(binder) } };
        return named({ sort: 'type', type: space.get('type', type.index) });
    }
  }

  /** Adds what an alias names, core exports excepted, to its index space. */
  alias(space: Space, alias: Exclude<Alias, { target: 'core export' }>): void {
    if (alias.sort === 'value') throw new LinkError('unsupported', 'values are not supported');
    if (alias.target === 'outer') return this.outerAlias(space, alias);
    const extern = space.get('instance', alias.instance).exports.get(alias.name);
    const place = JSON.stringify(alias.name);
    if (extern === undefined) throw new LinkError('invalid', `an alias names ${place}, which the instance does not export`);
    if (extern.sort !== alias.sort) throw new LinkError('invalid', `an alias of ${place} wants a ${alias.sort}, it is a ${extern.sort}`);
    if (space.kind !== 'component' && alias.sort !== 'type' && alias.sort !== 'instance') {
      throw new LinkError('invalid', `an alias of a ${alias.sort} inside an instance or component type`);
    }
    space.addExtern(extern);
  }

  private outerAlias(space: Space, { sort, count, index }: Extract<Alias, { target: 'outer' }>): void {
    const { space: from, leavesComponent } = space.outer(count);
    if (space.kind !== 'component' && sort !== 'type' && sort !== 'core type') {
      throw new LinkError('invalid', `an outer alias of a ${sort} inside an instance or component type`);
    }
    switch (sort) {
      case 'type': {
        const type = from.get('type', index);
        if (leavesComponent && hasFreeResources(this.store, type)) {
          throw new LinkError('invalid', `an outer alias of type ${index}, which names a resource of the component around`);
        }
        space.add('type', type);
        return;
      }
      case 'component': space.add('component', from.get('component', index)); return;
      case 'core module': space.add('core module', from.get('core module', index)); return;
      case 'core type': space.add('core type', from.get('core type', index)); return;
      default: throw new LinkError('invalid', `an outer alias of a ${sort}`);
    }
  }

  private instanceType(parent: Space, decls: Decl[]): InstanceType {
    const space = new Space('instance type', parent, this.store);
    const exports = new Map<string, Extern>();
    for (const decl of decls) {
      if (decl.k === 'import') throw new LinkError('invalid', 'an import inside an instance type');
      // visibility is a matter of the component that imports or exports such an instance
      if (decl.k === 'export') exports.set(decl.name, this.declared(space, decl));
      else this.declare(space, decl);
    }
    return { k: 'instance', exports, binder: space.binder };
  }

  private componentType(parent: Space, decls: Decl[]): ComponentType {
    const space = new Space('component type', parent, this.store);
    const externs = { import: new Map<string, Extern>(), export: new Map<string, Extern>() };
    for (const decl of decls) {
      if (decl.k !== 'import' && decl.k !== 'export') {
        this.declare(space, decl);
        continue;
      }
      const extern = this.declared(space, decl);
      space.visibility.add(decl.k, decl.name, extern);
      externs[decl.k].set(decl.name, extern);
    }
    return { k: 'component', imports: externs.import, exports: externs.export, binder: space.binder };
  }

  private declared(space: Space, decl: Extract<Decl, { k: 'import' | 'export' }>): Extern {
    this.store.budget.spend();
    const extern = this.extern(space, decl.type, space.binder);
    (decl.k === 'import' ? space.imports : space.exports).add(decl, extern);
    space.addExtern(extern);
    return extern;
  }

  private declare(space: Space, decl: Exclude<Decl, { k: 'import' | 'export' }>): void {
    this.store.budget.spend();
    switch (decl.k) {
      case 'core type': space.add('core type', this.coreType(space, decl.type)); return;
      case 'type': space.add('type', this.type(space, decl.type)); return;
      case 'alias':
        if (decl.target === 'core export') throw new LinkError('invalid', 'a core alias inside a type');
        this.alias(space, decl);
    }
  }

  private moduleType(space: Space, index: number): ModuleType {
    const type = space.get('core type', index);
    if (type.k !== 'module') throw new LinkError('invalid', `core type ${index} is a function type where a module type must stand`);
    return type;
  }

  private asType<K extends 'instance' | 'component'>(space: Space, index: number, k: K): Extract<Type, { k: K }> {
    const type = space.get('type', index);
    if (type.k !== k) throw new LinkError('invalid', `type ${index} is a ${type.k} type where ${k === 'instance' ? 'an instance' : 'a component'} type must stand`);
    return type as Extract<Type, { k: K }>;
  }
}

/** A type that is imported or exported is one that has a name, whatever it was made of. */
export function named(extern: Extern): Extern {
  if (extern.sort !== 'type' || (extern.type.k !== 'value' && extern.type.k !== 'resource')) return extern;
  return { sort: 'type', type: { ...extern.type } };
}
