/**
 * What the decoder gives: a component as the list of its definitions in the order of the binary. Indices stay as written;
 * each is into one of the index spaces that the linker keeps while it walks the list (Component Model, Binary.md).
 */
import type { PrimitiveName } from '#engine/plan.js';
import type { CoreExternDesc, Signature } from '#engine/build/core/core-types.js';

export type CoreSort = 'func' | 'table' | 'memory' | 'global' | 'tag' | 'type' | 'module' | 'instance';
export type Sort = `core ${CoreSort}` | 'func' | 'value' | 'type' | 'component' | 'instance';

export interface SortIndex {
  sort: Sort;
  index: number;
}

/** What is said about an import or export beside its name (Explainer.md, attribute); linking does not look at it. */
export interface NameAttributes {
  implements?: string;
  versionSuffix?: string;
  externalId?: string;
}

export interface ExternName {
  name: string;
  attributes?: NameAttributes;
}

/** A primitive by name, else an index into the type space. */
export type ValType = PrimitiveName | number;

export type ExternType =
  | { sort: 'core module' | 'func' | 'component' | 'instance'; index: number }
  | { sort: 'type'; bound: 'eq'; index: number }
  | { sort: 'type'; bound: 'sub' };

export interface FuncTypeDef {
  t: 'func';
  async: boolean;
  params: [name: string, type: ValType][];
  result: ValType | null;
}

export type TypeDef =
  | { t: 'primitive'; name: PrimitiveName }
  | { t: 'record'; fields: [name: string, type: ValType][] }
  | { t: 'variant'; cases: [name: string, type: ValType | null][] }
  | { t: 'list'; of: ValType; length?: number }
  | { t: 'tuple'; of: ValType[] }
  | { t: 'flags' | 'enum'; names: string[] }
  | { t: 'option'; of: ValType }
  | { t: 'result'; ok: ValType | null; err: ValType | null }
  | { t: 'own' | 'borrow'; resource: number }
  | { t: 'stream' | 'future'; of: ValType | null }
  | { t: 'resource'; dtor: number | null }
  | { t: 'component' | 'instance'; decls: Decl[] }
  | FuncTypeDef;

export type Alias =
  | { k: 'alias'; target: 'export'; sort: Sort; instance: number; name: string }
  | { k: 'alias'; target: 'core export'; sort: Sort; instance: number; name: string }
  | { k: 'alias'; target: 'outer'; sort: Sort; count: number; index: number };

/** A declarator of an instance or component type. */
export type Decl =
  | Alias
  | { k: 'core type'; type: CoreTypeDef }
  | { k: 'type'; type: TypeDef }
  | ({ k: 'import'; type: ExternType } & ExternName)
  | ({ k: 'export'; type: ExternType } & ExternName);

export type CoreTypeDef = { t: 'func'; signature: Signature } | { t: 'module'; decls: ModuleDecl[] };

/** A declarator of a core module type. Function types are indices into the types that the module type itself declares. */
export type ModuleDecl =
  | { k: 'import'; module: string; name: string; type: CoreExternDesc }
  | { k: 'export'; name: string; type: CoreExternDesc }
  | { k: 'type'; signature: Signature }
  | { k: 'outer type'; count: number; index: number };

export interface CanonOptions {
  encoding: 'utf8' | 'utf16' | 'latin1+utf16';
  memory: number | null;
  realloc: number | null;
  postReturn: number | null;
  callback: number | null;
  async: boolean;
}

type StreamOrFuture = 'stream' | 'future';

/** Built-ins without immediates. */
export type PlainCanonOp =
  | 'task.cancel' | 'backpressure.inc' | 'backpressure.dec' | 'subtask.drop' | 'error-context.drop'
  | 'waitable-set.new' | 'waitable-set.drop' | 'waitable.join';

export type Canon =
  | { op: 'lift'; func: number; options: CanonOptions; type: number }
  | { op: 'lower'; func: number; options: CanonOptions }
  | { op: 'resource.new' | 'resource.rep' | 'resource.drop'; type: number }
  | { op: 'task.return'; result: ValType | null; options: CanonOptions }
  | { op: 'context.get' | 'context.set'; slot: number }
  | { op: 'subtask.cancel'; async: boolean }
  | { op: `${StreamOrFuture}.${'read' | 'write'}`; type: number; options: CanonOptions }
  | { op: `${StreamOrFuture}.${'cancel-read' | 'cancel-write'}`; type: number; async: boolean }
  | { op: `${StreamOrFuture}.${'new' | 'drop-readable' | 'drop-writable'}`; type: number }
  | { op: 'error-context.new' | 'error-context.debug-message'; options: CanonOptions }
  | { op: 'waitable-set.wait' | 'waitable-set.poll'; cancellable: boolean; memory: number }
  | { op: 'thread.yield'; cancellable: boolean }
  | { op: PlainCanonOp };

export type CoreInstanceDef =
  | { k: 'core instance'; form: 'instantiate'; module: number; args: [name: string, instance: number][] }
  | { k: 'core instance'; form: 'exports'; exports: { name: string; sort: CoreSort; index: number }[] };

export type InstanceDef =
  | { k: 'instance'; form: 'instantiate'; component: number; args: ({ name: string } & SortIndex)[] }
  | { k: 'instance'; form: 'exports'; exports: (ExternName & SortIndex)[] };

export type Definition =
  | { k: 'core module'; bytes: Uint8Array; offset: number }
  | { k: 'core type'; type: CoreTypeDef }
  | { k: 'component'; component: ComponentAst }
  | { k: 'type'; type: TypeDef }
  | ({ k: 'canon' } & Canon)
  | ({ k: 'import'; type: ExternType } & ExternName)
  | ({ k: 'export'; type: ExternType | null } & ExternName & SortIndex)
  | CoreInstanceDef
  | InstanceDef
  | Alias;

export interface ComponentAst {
  defs: Definition[];
}
