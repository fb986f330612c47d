import type { CoreImport } from '#engine/build/core/core-module.js';
import type { CoreExternType } from '#engine/build/core/core-types.js';

/**
 * Types as validation sees them (Explainer.md, Type Checking). Two things are told apart:
 *
 * - what a type *is*: the index of its structure in a `TypeTable`, equal for equal types;
 * - which definition it *comes from*: the object itself. External visibility and the rules of `[method]` and `[constructor]` are about
 *   this one: every import or export of a type makes a new object.
 */
export type Type = ValueType | FuncType | ResourceType | InstanceType | ComponentType;

/** Marks which instance type, component type or component introduces an abstract resource type. */
export type Binder = symbol;

export interface ValueType {
  k: 'value';
  /** Index into the type table. */
  shape: number;
  /** Records, variants, enums and flags: must have a name where they are used in an import or export. */
  nominal: boolean;
  /** The types that the definition names, in its order; primitives are left out. */
  parts: (ValueType | ResourceType)[];
}

export interface FuncType {
  k: 'func';
  /** Index into the function types of the type table. */
  shape: number;
  /** null: a primitive. */
  params: (ValueType | null)[];
  result: ValueType | null;
}

export interface ResourceType {
  k: 'resource';
  /** Equal for equal resource types; `TypeStore.binderOf` tells what introduces it. */
  id: number;
}

/** The type of an instance. Resource types of `binder` are new in each instance; null: an instance in fact, all are known. */
export interface InstanceType {
  k: 'instance';
  exports: Map<string, Extern>;
  binder: Binder | null;
}

/** Resource types of `binder` come with the arguments, or are new in each instance. */
export interface ComponentType {
  k: 'component';
  imports: Map<string, Extern>;
  exports: Map<string, Extern>;
  binder: Binder;
}

/** The keys of imports are made of both their names. */
export interface ModuleType {
  k: 'module';
  imports: Map<string, CoreImport>;
  exports: Map<string, CoreExternType>;
}

/** What may cross the border of a component, by its type. */
export type Extern =
  | { sort: 'func'; type: FuncType }
  | { sort: 'type'; type: Type }
  | { sort: 'instance'; type: InstanceType }
  | { sort: 'component'; type: ComponentType }
  | { sort: 'core module'; type: ModuleType };
