import { LinkError } from '#engine/build/build-error.js';
import { coreMismatch } from '#engine/build/core/core-types.js';
import { Substitution } from './substitution.js';
import type { TypeStore } from './type-store.js';
import type { ComponentType, Extern, InstanceType, ModuleType, Type } from './types.js';

/** The name of an import or export, and where it is inside of others: put together only when there is an error. */
export interface Place {
  name: string;
  outer?: Place;
}

/** A wanted type is written in terms of abstract resource types; `actual` knows what stands in their place. */
interface Match {
  place: Place;
  actual: Substitution;
}

/** The subtype relation of component types (Explainer.md, Type Checking). Throws `LinkError` where it does not hold. */
export class Matcher {
  constructor(private readonly store: TypeStore) {}

  /** Checks that what is given is what is wanted, and learns from it which resource types are given. */
  check(wanted: Extern, given: Extern, match: Match): void {
    this.learn(wanted, given, match.actual);
    this.extern(wanted, given, match);
  }

  /** Lets every type that is wanted by a name be the very one that is given: to be called once it was checked. */
  rename(wanted: Extern, given: Extern, actual: Substitution): void {
    this.store.budget.spend();
    if (wanted.sort === 'type' && given.sort === 'type') actual.rename(wanted.type, given.type);
    if (wanted.sort !== 'instance' || given.sort !== 'instance') return;
    for (const [name, inner] of wanted.type.exports) this.rename(inner, given.type.exports.get(name)!, actual);
  }

  private learn(wanted: Extern, given: Extern, actual: Substitution): void {
    this.store.budget.spend();
    if (wanted.sort === 'type' && given.sort === 'type' && wanted.type.k === 'resource' && given.type.k === 'resource') {
      actual.bind(wanted.type.id, given.type.id);
    }
    if (wanted.sort === 'instance' && given.sort === 'instance') this.learnAll(wanted.type.exports, given.type.exports, actual);
  }

  private learnAll(wanted: Map<string, Extern>, given: Map<string, Extern>, actual: Substitution): void {
    this.store.budget.nested(() => {
      for (const [name, inner] of wanted) {
        const found = given.get(name);
        if (found !== undefined) this.learn(inner, found, actual);
      }
    });
  }

  private extern(wanted: Extern, given: Extern, match: Match): void {
    this.store.budget.spend();
    if (wanted.sort === 'func' && given.sort === 'func') {
      if (match.actual.funcShape(wanted.type.shape) !== given.type.shape) {
        throw new LinkError('invalid', `${text(match.place)}: the function given has another type than asked for`);
      }
    } else if (wanted.sort === 'type' && given.sort === 'type') this.type(wanted.type, given.type, match);
    else if (wanted.sort === 'instance' && given.sort === 'instance') this.exports(wanted.type.exports, given.type.exports, match);
    else if (wanted.sort === 'component' && given.sort === 'component') this.component(wanted.type, given.type, match);
    else if (wanted.sort === 'core module' && given.sort === 'core module') this.module(wanted.type, given.type, match);
    else throw new LinkError('invalid', `${text(match.place)}: a ${wanted.sort} is asked for, a ${given.sort} given`);
  }

  private exports(wanted: Map<string, Extern>, given: Map<string, Extern>, match: Match): void {
    this.store.budget.nested(() => {
      for (const [name, inner] of wanted) {
        const found = given.get(name);
        if (found === undefined) throw new LinkError('invalid', `${text(match.place)}: the instance given lacks ${JSON.stringify(name)}`);
        this.extern(inner, found, { ...match, place: { name, outer: match.place } });
      }
    });
  }

  private type(wanted: Type, given: Type, match: Match): void {
    if (wanted.k === 'resource' && given.k !== 'resource') {
      throw new LinkError('invalid', `${text(match.place)}: a resource is asked for, a ${given.k} type given`);
    }
    if (!this.sameType(wanted, given, match)) throw new LinkError('invalid', `${text(match.place)}: the type given is not the type asked for`);
  }

  private sameType(wanted: Type, given: Type, match: Match): boolean {
    if (wanted.k === 'value') return given.k === 'value' && match.actual.shape(wanted.shape) === given.shape;
    if (wanted.k === 'func') return given.k === 'func' && match.actual.funcShape(wanted.shape) === given.shape;
    if (wanted.k === 'resource') return given.k === 'resource' && match.actual.resource(wanted.id) === given.id;
    if (wanted.k === 'instance') return given.k === 'instance' && this.sameInstance(match.actual.instance(wanted), given, match.place);
    return given.k === 'component' && this.sameComponent(match.actual.component(wanted), given, match.place);
  }

  /** Types of instances are the same when each is a subtype of the other. */
  private sameInstance(one: InstanceType, other: InstanceType, place: Place): boolean {
    if (one === other) return true;
    this.subInstance(one, other, place);
    this.subInstance(other, one, place);
    return true;
  }

  private subInstance(wanted: InstanceType, given: InstanceType, place: Place): void {
    const made: Extern = { sort: 'instance', type: this.unknown(given).instance(given) };
    this.check({ sort: 'instance', type: wanted }, made, { place, actual: this.unknown(wanted) });
  }

  private sameComponent(one: ComponentType, other: ComponentType, place: Place): boolean {
    if (one === other) return true;
    this.subComponent(one, other, place);
    this.subComponent(other, one, place);
    return true;
  }

  private component(wanted: ComponentType, given: ComponentType, match: Match): void {
    this.store.budget.nested(() => this.subComponent(match.actual.component(wanted), given, match.place));
  }

  /** `given` may import less and export more, and is instantiated with what `wanted` says that there will be. */
  private subComponent(wanted: ComponentType, given: ComponentType, place: Place): void {
    const there = this.unknown(wanted);
    const imports = new Map([...wanted.imports].map(([name, extern]) => [name, there.extern(extern)]));
    const made = this.unknown(given);
    for (const [name, asked] of given.imports) {
      const supplied = imports.get(name);
      if (supplied === undefined) throw new LinkError('invalid', `${text(place)}: the component given imports ${JSON.stringify(name)} too`);
      this.check(asked, supplied, { place: { name, outer: place }, actual: made });
    }
    const exports = new Map([...given.exports].filter(([name]) => wanted.exports.has(name)).map(([name, extern]) => [name, made.extern(extern)]));
    this.learnAll(wanted.exports, exports, there);
    for (const [name, asked] of wanted.exports) {
      const found = exports.get(name);
      if (found === undefined) throw new LinkError('invalid', `${text(place)}: the component given does not export ${JSON.stringify(name)}`);
      this.extern(asked, found, { place: { name, outer: place }, actual: there });
    }
  }

  private unknown(type: InstanceType | ComponentType): Substitution {
    return new Substitution(this.store, type.binder, Symbol('unknown'));
  }

  private module(wanted: ModuleType, given: ModuleType, { place }: Match): void {
    this.store.budget.spend(given.imports.size + wanted.exports.size);
    for (const [name, asked] of given.imports) {
      const supplied = wanted.imports.get(name);
      const mismatch = supplied === undefined ? 'is imported too' : coreMismatch(asked.type, supplied.type);
      if (mismatch !== null) throw new LinkError('invalid', `${text(place)}: core import ${name}: ${mismatch}`);
    }
    for (const [name, asked] of wanted.exports) {
      const found = given.exports.get(name);
      const mismatch = found === undefined ? 'is missing' : coreMismatch(asked, found);
      if (mismatch !== null) throw new LinkError('invalid', `${text(place)}: core export ${JSON.stringify(name)}: ${mismatch}`);
    }
  }
}

function text(place: Place): string {
  const names = [];
  for (let at: Place | undefined = place; at !== undefined; at = at.outer) names.unshift(at.name);
  return JSON.stringify(names.join('#'));
}
