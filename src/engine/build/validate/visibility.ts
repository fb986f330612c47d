import { LinkError } from '#engine/build/build-error.js';
import type { TypeStore } from './type-store.js';
import type { Extern, InstanceType, Type } from './types.js';

type Direction = 'import' | 'export';

/**
 * External visibility of types (Explainer.md): what a component or component type imports may only name types that it imports, what it
 * exports only those that it imports or exports. Types are named by being imported or exported, alone or in an instance.
 */
export class Visibility {
  private readonly named: Record<Direction, Set<Type>> = { import: new Set(), export: new Set() };
  /** Types that were walked and found to name visible types only. */
  private readonly checked: Record<Direction, Set<Type>> = { import: new Set(), export: new Set() };

  constructor(private readonly store: TypeStore) {}

  /** Checks an import or export and lets the types that it brings be named. Throws `LinkError`. */
  add(direction: Direction, name: string, extern: Extern): void {
    if (!this.extern(direction, extern)) {
      throw new LinkError('invalid', `${JSON.stringify(name)}: the ${direction} of a ${extern.sort} names a type that is not ${direction}ed under a name`);
    }
  }

  private extern(direction: Direction, extern: Extern): boolean {
    this.store.budget.spend();
    switch (extern.sort) {
      case 'func': return this.isVisible(direction, extern.type);
      case 'type': return this.type(direction, extern.type);
      case 'instance': return this.instance(direction, extern.type);
      // component types are checked where they are written, and core modules name no types of components
      case 'component': case 'core module': return true;
    }
  }

  private type(direction: Direction, type: Type): boolean {
    switch (type.k) {
      case 'value':
        if (!this.arePartsVisible(direction, type.parts)) return false;
        this.named[direction].add(type);
        return true;
      case 'resource': this.named[direction].add(type); return true;
      default: return this.isVisible(direction, type);
    }
  }

  private instance(direction: Direction, type: InstanceType): boolean {
    const checked = this.checked[direction];
    if (checked.has(type)) return true;
    const visible = this.store.budget.nested(() => [...type.exports.values()].every((extern) => this.extern(direction, extern)));
    if (visible) checked.add(type);
    return visible;
  }

  private isVisible(direction: Direction, type: Type): boolean {
    const checked = this.checked[direction];
    if (this.named.import.has(type) || this.named[direction].has(type) || checked.has(type)) return true;
    this.store.budget.spend();
    if (!this.hasVisibleParts(direction, type)) return false;
    checked.add(type);
    return true;
  }

  private hasVisibleParts(direction: Direction, type: Type): boolean {
    switch (type.k) {
      case 'resource': return false;
      case 'value': return !type.nominal && this.arePartsVisible(direction, type.parts);
      case 'func': return this.arePartsVisible(direction, [...type.params, type.result]);
      case 'instance': return this.instance(direction, type);
      case 'component': return true;
    }
  }

  private arePartsVisible(direction: Direction, parts: (Type | null)[]): boolean {
    this.store.budget.spend(parts.length);
    return parts.every((part) => part === null || this.isVisible(direction, part));
  }
}
