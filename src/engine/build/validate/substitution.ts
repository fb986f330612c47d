import { mapFuncType, mapType } from '#engine/build/link/plan-type.js';
import { nameWeight } from '#engine/build/link/label.js';
import type { TypeStore } from './type-store.js';
import type { Binder, ComponentType, Extern, FuncType, InstanceType, ResourceType, Type, ValueType } from './types.js';

/**
 * Puts actual resource types in place of those that one binder introduces: the arguments of an instantiation, or new ones where
 * nothing is known yet. What it gives shares all parts that do not change, and every part is walked once.
 */
export class Substitution {
  private readonly resources = new Map<number, number>();
  private readonly shapes = new Map<number, number>();
  private readonly funcShapes = new Map<number, number>();
  private readonly types = new Map<Type, Type>();

  /** Resource types that nothing is put in place of become new ones of `owner`. */
  constructor(private readonly store: TypeStore, private readonly binder: Binder | null, private readonly owner: Binder) {}

  /** Puts `actual` in place of a resource type of the binder, unless something is in its place already. */
  bind(resource: number, actual: number): void {
    if (this.store.binderOf(resource) === this.binder && !this.resources.has(resource)) this.resources.set(resource, actual);
  }

  /** From here on the type object `actual` stands where `type` stood. */
  rename(type: Type, actual: Type): void {
    this.types.set(type, actual);
  }

  resource(id: number): number {
    if (this.store.binderOf(id) !== this.binder) return id;
    let actual = this.resources.get(id);
    if (actual === undefined) this.resources.set(id, (actual = this.store.freshResource(this.owner)));
    return actual;
  }

  /** The structure of a value type after the substitution. */
  shape(shape: number): number {
    const { table } = this.store;
    if (!table.factsOf(shape).resources) return shape;
    let actual = this.shapes.get(shape);
    if (actual === undefined) {
      this.store.budget.spend(table.factsOf(shape).weight);
      actual = table.type(mapType(table.get(shape), (part) => this.shape(part), (id) => this.resource(id)));
      this.shapes.set(shape, actual);
    }
    return actual;
  }

  funcShape(shape: number): number {
    const { table } = this.store;
    let actual = this.funcShapes.get(shape);
    if (actual === undefined) {
      const type = table.funcTypes[shape]!;
      this.store.budget.spend(1 + nameWeight(type.params.map(([name]) => name)));
      actual = table.funcType(mapFuncType(type, (part) => this.shape(part)));
      this.funcShapes.set(shape, actual);
    }
    return actual;
  }

  extern(extern: Extern): Extern {
    switch (extern.sort) {
      case 'func': return { sort: 'func', type: this.func(extern.type) };
      case 'type': return { sort: 'type', type: this.type(extern.type) };
      case 'instance': return { sort: 'instance', type: this.instance(extern.type) };
      case 'component': return { sort: 'component', type: this.component(extern.type) };
      case 'core module': return extern;
    }
  }

  func(type: FuncType): FuncType {
    return this.once(type, () => {
      const shape = this.funcShape(type.shape);
      const params = this.all(type.params, (param) => param && this.value(param));
      const result = type.result && this.value(type.result);
      return shape === type.shape && params === type.params && result === type.result ? type : { k: 'func', shape, params, result };
    });
  }

  instance(type: InstanceType): InstanceType {
    return this.once(type, () => this.store.budget.nested(() => {
      const exports = this.externs(type.exports);
      return exports === type.exports ? type : { ...type, exports };
    }));
  }

  component(type: ComponentType): ComponentType {
    return this.once(type, () => this.store.budget.nested(() => {
      const imports = this.externs(type.imports);
      const exports = this.externs(type.exports);
      return imports === type.imports && exports === type.exports ? type : { ...type, imports, exports };
    }));
  }

  private type(type: Type): Type {
    switch (type.k) {
      case 'value': return this.value(type);
      case 'resource': return this.resourceType(type);
      case 'func': return this.func(type);
      case 'instance': return this.instance(type);
      case 'component': return this.component(type);
    }
  }

  private value(type: ValueType): ValueType {
    return this.once(type, () => {
      const shape = this.shape(type.shape);
      const parts = this.all(type.parts, (part) => (part.k === 'value' ? this.value(part) : this.resourceType(part)));
      return shape === type.shape && parts === type.parts ? type : { ...type, shape, parts };
    });
  }

  private resourceType(type: ResourceType): ResourceType {
    return this.once(type, () => {
      const id = this.resource(type.id);
      return id === type.id ? type : { k: 'resource', id };
    });
  }

  private once<T extends Type>(type: T, make: () => T): T {
    const known = this.types.get(type);
    if (known !== undefined) return known as T;
    this.store.budget.spend();
    const made = make();
    this.types.set(type, made);
    return made;
  }

  private all<T>(list: T[], map: (item: T) => T): T[] {
    this.store.budget.spend(list.length);
    const mapped = list.map(map);
    return mapped.every((item, i) => item === list[i]) ? list : mapped;
  }

  private externs(externs: Map<string, Extern>): Map<string, Extern> {
    let changed = false;
    const mapped = new Map<string, Extern>();
    for (const [name, extern] of externs) {
      const actual = this.extern(extern);
      changed ||= actual.type !== extern.type;
      mapped.set(name, actual);
    }
    return changed ? mapped : externs;
  }
}
