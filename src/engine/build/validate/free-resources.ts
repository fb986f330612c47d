import type { TypeStore } from './type-store.js';
import type { Binder, Extern, Type } from './types.js';

/** Whether a type names resource types that it does not introduce itself: such a type means nothing outside its component. */
export function hasFreeResources(store: TypeStore, type: Type): boolean {
  return new ResourceSearch(store, () => true).inType(type);
}

/** Whether the type of an import or export names a resource type that `isSought` knows. */
export function namesResource(store: TypeStore, extern: Extern, isSought: (resource: number) => boolean): boolean {
  return new ResourceSearch(store, isSought).inExtern(extern);
}

/** Looks through a type for resource types that come from outside it. */
class ResourceSearch {
  private readonly walked = new Set<Type>();
  private readonly bound = new Set<Binder>();

  constructor(private readonly store: TypeStore, private readonly isSought: (resource: number) => boolean) {}

  inExtern({ sort, type }: Extern): boolean {
    return sort !== 'core module' && this.inType(type);
  }

  inType(type: Type): boolean {
    if (this.walked.has(type)) return false;
    this.walked.add(type);
    this.store.budget.spend();
    switch (type.k) {
      case 'resource': return !this.bound.has(this.store.binderOf(type.id)) && this.isSought(type.id);
      case 'value': return this.store.table.factsOf(type.shape).resources && this.inParts(type.parts);
      case 'func': return this.inParts([...type.params, type.result]);
      case 'instance':
        if (type.binder !== null) this.bound.add(type.binder);
        return this.inExterns(type.exports);
      case 'component':
        this.bound.add(type.binder);
        return this.inExterns(type.imports) || this.inExterns(type.exports);
    }
  }

  private inParts(parts: (Type | null)[]): boolean {
    this.store.budget.spend(parts.length);
    return parts.some((part) => part !== null && this.inType(part));
  }

  private inExterns(externs: Map<string, Extern>): boolean {
    this.store.budget.spend(externs.size);
    return this.store.budget.nested(() => [...externs.values()].some((extern) => this.inExtern(extern)));
  }
}
