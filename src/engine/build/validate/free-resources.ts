import type { TypeStore } from './type-store.js';
import type { Binder, Extern, Type } from './types.js';

/** Whether a type names resource types that it does not introduce itself: such a type means nothing outside its component. */
export function hasFreeResources(store: TypeStore, type: Type): boolean {
  return new FreeResources(store).ofType(type);
}

class FreeResources {
  private readonly walked = new Set<Type>();
  private readonly bound = new Set<Binder>();

  constructor(private readonly store: TypeStore) {}

  ofType(type: Type): boolean {
    if (this.walked.has(type)) return false;
    this.walked.add(type);
    this.store.budget.spend();
    switch (type.k) {
      case 'resource': return !this.bound.has(this.store.binderOf(type.id));
      case 'value': return this.store.table.factsOf(type.shape).resources && this.ofParts(type.parts);
      case 'func': return this.ofParts([...type.params, type.result]);
      case 'instance':
        if (type.binder !== null) this.bound.add(type.binder);
        return this.ofExterns(type.exports);
      case 'component':
        this.bound.add(type.binder);
        return this.ofExterns(type.imports) || this.ofExterns(type.exports);
    }
  }

  private ofParts(parts: (Type | null)[]): boolean {
    this.store.budget.spend(parts.length);
    return parts.some((part) => part !== null && this.ofType(part));
  }

  private ofExterns(externs: Map<string, Extern>): boolean {
    this.store.budget.spend(externs.size);
    return this.store.budget.nested(() => [...externs.values()].some(({ sort, type }) => sort !== 'core module' && this.ofType(type)));
  }
}
