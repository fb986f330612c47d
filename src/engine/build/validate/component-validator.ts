import { LinkError } from '#engine/build/build-error.js';
import { coreMismatch, signatureOf, type CoreExternType } from '#engine/build/core/core-types.js';
import type { ComponentAst, CoreInstanceDef, Definition, InstanceDef, SortIndex, TypeDef } from '#engine/build/decode/ast.js';
import { LinkBudget } from '#engine/build/link/link-budget.js';
import type { ModuleCache } from '#engine/build/link/module-cache.js';
import { CanonValidator } from './canon-validator.js';
import { moduleTypeOf } from './core-module-type.js';
import { Declarations, named } from './declarations.js';
import { namesResource } from './free-resources.js';
import { Matcher } from './matching.js';
import { NameScope } from './name-scope.js';
import { Space } from './space.js';
import { Substitution } from './substitution.js';
import { TypeStore } from './type-store.js';
import type { ComponentType, Extern, InstanceType, Type } from './types.js';

/**
 * Validates decoded components, components in them that are never instantiated included: every rule of the specification that is not
 * about a gated feature (docs/component-model.md lists them). Bounded in time and memory whatever they say, all components of one
 * validator together. Their types can be compared with each other.
 */
export class ComponentValidator {
  readonly store = new TypeStore(new LinkBudget());
  private readonly declarations = new Declarations(this.store);
  readonly matcher = new Matcher(this.store);
  private readonly canons = new CanonValidator(this.store);

  constructor(private readonly modules: ModuleCache) {}

  /**
   * Gives the type of a component that is valid; `parent` is the component around it. Throws `LinkError`; `BuildError` for a core module
   * that is not valid by itself.
   */
  component(ast: ComponentAst, parent: Space | null): ComponentType {
    const space = new Space('component', parent, this.store);
    const type: ComponentType = { k: 'component', imports: new Map(), exports: new Map(), binder: space.binder };
    let components = 0;
    for (const def of ast.defs) {
      this.store.budget.spend();
      switch (def.k) {
        case 'import': this.import(space, type, def); break;
        case 'export': this.export(space, type, def); break;
        case 'component': space.add('component', this.nested(def.component, space, components++)); break;
        default: this.define(space, def);
      }
    }
    return type;
  }

  private nested(ast: ComponentAst, parent: Space, index: number): ComponentType {
    try {
      return this.component(ast, parent);
    } catch (error) {
      if (error instanceof LinkError) throw new LinkError(error.kind, `component ${index}: ${error.message}`);
      throw error;
    }
  }

  private import(space: Space, type: ComponentType, def: Extract<Definition, { k: 'import' }>): void {
    const firstResource = this.store.resources;
    const extern = this.declarations.extern(space, def.type, space.binder);
    for (let id = firstResource; id < this.store.resources; id++) space.imported.add(id);
    this.checkSource(space, def.name, extern);
    space.imports.add(def, extern);
    space.visibility.add('import', def.name, extern);
    type.imports.set(def.name, extern);
    space.addExtern(extern);
  }

  /** What is imported is there before the component is, so it cannot be about resource types that the component makes. */
  private checkSource(space: Space, name: string, extern: Extern): void {
    const isMade = (id: number) => this.store.binderOf(id) === space.binder && !space.imported.has(id);
    if (space.isGenerative && namesResource(this.store, extern, isMade)) {
      throw new LinkError('invalid', `${JSON.stringify(name)}: the import names a resource that the component itself makes`);
    }
  }

  private export(space: Space, type: ComponentType, def: Extract<Definition, { k: 'export' }>): void {
    const item = this.item(space, def);
    const extern = def.type === null ? named(item) : this.ascribed(space, def.name, this.declarations.extern(space, def.type, ASCRIBED), item);
    space.exports.add(def, extern);
    space.visibility.add('export', def.name, extern);
    type.exports.set(def.name, extern);
    space.addExtern(extern);
  }

  /** What is seen of an export is what its type says: resource types that it makes abstract are new ones. */
  private ascribed(space: Space, name: string, wanted: Extern, given: Extern): Extern {
    this.matcher.check(wanted, given, { place: { name }, actual: new Substitution(this.store, ASCRIBED, ASCRIBED) });
    space.isGenerative = true;
    return new Substitution(this.store, ASCRIBED, space.binder).extern(wanted);
  }

  private define(space: Space, def: Exclude<Definition, { k: 'import' | 'export' | 'component' }>): void {
    switch (def.k) {
      case 'core module': space.add('core module', moduleTypeOf(this.modules.get(def))); break;
      case 'core type': space.add('core type', this.declarations.coreType(space, def.type)); break;
      case 'core instance': space.add('core instance', this.coreInstance(space, def)); break;
      case 'instance': space.add('instance', this.instance(space, def)); break;
      case 'type': space.add('type', this.type(space, def.type)); break;
      case 'canon': this.canons.define(space, def); break;
      case 'alias':
        if (def.target === 'core export') this.coreAlias(space, def);
        else this.declarations.alias(space, def);
    }
  }

  private item(space: Space, { sort, index }: SortIndex): Extern {
    switch (sort) {
      case 'func': return { sort, type: space.get('func', index) };
      case 'type': return { sort, type: space.get('type', index) };
      case 'instance': return { sort, type: space.get('instance', index) };
      case 'component': return { sort, type: space.get('component', index) };
      case 'core module': return { sort, type: space.get('core module', index) };
      case 'value': throw new LinkError('unsupported', 'values are not supported');
      default: throw new LinkError('invalid', `a ${sort} cannot cross the border of a component`);
    }
  }

  private type(space: Space, def: TypeDef): Type {
    if (def.t !== 'resource') return this.declarations.type(space, def);
    const dtor = def.dtor === null ? null : space.get('core func', def.dtor);
    if (dtor !== null && signatureOf(dtor) !== 'i32>') throw new LinkError('invalid', 'the destructor of a resource does not have the type i32>');
    const id = this.store.freshResource(space.binder);
    space.local.add(id);
    space.isGenerative = true;
    return { k: 'resource', id };
  }

  private instance(space: Space, def: InstanceDef): InstanceType {
    return def.form === 'exports' ? this.bag(space, def.exports) : this.instantiate(space, def);
  }

  private bag(space: Space, listed: Extract<InstanceDef, { form: 'exports' }>['exports']): InstanceType {
    const names = new NameScope('export', this.store);
    const exports = new Map<string, Extern>();
    this.store.budget.spend(listed.length);
    for (const part of listed) {
      const extern = this.item(space, part);
      // an export here gives a type no new place in an index space, so that no function can name it as what is exported
      names.add(part, named(extern));
      exports.set(part.name, extern);
    }
    return { k: 'instance', exports, binder: null };
  }

  private instantiate(space: Space, def: Extract<InstanceDef, { form: 'instantiate' }>): InstanceType {
    const component = space.get('component', def.component);
    const args = new Map<string, Extern>();
    this.store.budget.spend(def.args.length + component.imports.size + component.exports.size);
    for (const arg of def.args) {
      if (args.has(arg.name)) throw new LinkError('invalid', `${JSON.stringify(arg.name)} is given twice`);
      args.set(arg.name, this.item(space, arg));
    }
    const actual = new Substitution(this.store, component.binder, space.binder);
    space.isGenerative = true;
    for (const [name, wanted] of component.imports) {
      const given = args.get(name);
      if (given === undefined) throw new LinkError('invalid', `the argument ${JSON.stringify(name)} is missing`);
      this.matcher.check(wanted, given, { place: { name }, actual });
      this.matcher.rename(wanted, given, actual);
    }
    const exports = new Map([...component.exports].map(([name, extern]) => [name, actual.extern(extern)]));
    return { k: 'instance', exports, binder: null };
  }

  private coreInstance(space: Space, def: CoreInstanceDef): Map<string, CoreExternType> {
    return def.form === 'exports' ? this.coreBag(space, def.exports) : this.coreInstantiate(space, def);
  }

  private coreBag(space: Space, listed: Extract<CoreInstanceDef, { form: 'exports' }>['exports']): Map<string, CoreExternType> {
    const exports = new Map<string, CoreExternType>();
    this.store.budget.spend(listed.length);
    for (const { name, sort, index } of listed) {
      if (sort === 'type' || sort === 'module' || sort === 'instance') {
        throw new LinkError('unsupported', `a core instance that exports a ${sort} (${name}) is not supported`);
      }
      if (exports.has(name)) throw new LinkError('invalid', `a core instance exports ${JSON.stringify(name)} twice`);
      exports.set(name, space.get(`core ${sort}`, index));
    }
    return exports;
  }

  private coreInstantiate(space: Space, def: Extract<CoreInstanceDef, { form: 'instantiate' }>): Map<string, CoreExternType> {
    const module = space.get('core module', def.module);
    const args = new Map<string, Map<string, CoreExternType>>();
    this.store.budget.spend(def.args.length + module.imports.size);
    for (const [name, index] of def.args) {
      if (args.has(name)) throw new LinkError('invalid', `the argument ${JSON.stringify(name)} stands twice`);
      args.set(name, space.get('core instance', index));
    }
    for (const [key, { module: from, name, type: wanted }] of module.imports) {
      const place = `core import ${key}`;
      const arg = args.get(from);
      if (arg === undefined) throw new LinkError('invalid', `${place}: the argument is missing`);
      const given = arg.get(name);
      if (given === undefined) throw new LinkError('invalid', `${place}: the argument does not export it`);
      const mismatch = coreMismatch(wanted, given);
      if (mismatch !== null) throw new LinkError('invalid', `${place}: ${mismatch}`);
    }
    return module.exports;
  }

  private coreAlias(space: Space, alias: Extract<Definition, { target: 'core export' }>): void {
    const type = space.get('core instance', alias.instance).get(alias.name);
    const place = JSON.stringify(alias.name);
    if (type === undefined) throw new LinkError('invalid', `an alias names ${place}, which the core instance does not export`);
    if (alias.sort !== `core ${type.kind}`) throw new LinkError('invalid', `an alias of ${place} wants a ${alias.sort}, it is a ${type.kind}`);
    space.add(`core ${type.kind}`, type);
  }
}

/** Introduces the resource types of an ascribed type until it is known that the export has it. */
const ASCRIBED = Symbol('ascribed');
