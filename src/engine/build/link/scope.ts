import type { CoreRef } from '#engine/plan.js';
import { LinkError } from '#engine/build/build-error.js';
import { IndexSpaces } from '#engine/build/index-spaces.js';
import type { CoreModule } from '#engine/build/core/core-module.js';
import type { CoreExternType } from '#engine/build/core/core-types.js';
import type { ComponentAst, CoreTypeDef, Decl } from '#engine/build/decode/ast.js';

/** What an index of a type space stands for. Instance and component types keep the scope they were written in. */
export type TypeEntity =
  | { k: 'value'; type: number }
  | { k: 'func'; type: number }
  | { k: 'resource'; resource: number }
  | { k: 'instance' | 'component'; decls: Decl[]; scope: Scope };

export type FuncEntity = { k: 'host'; iface: string; name: string; denied?: true; type: number } | { k: 'lift'; lift: number; type: number };

export interface InstanceEntity {
  exports: Map<string, Item>;
}

export interface ComponentEntity {
  ast: ComponentAst;
  scope: Scope;
}

/** A definition that may cross the border of a component. */
export type Item =
  | { sort: 'func'; value: FuncEntity }
  | { sort: 'type'; value: TypeEntity }
  | { sort: 'instance'; value: InstanceEntity }
  | { sort: 'component'; value: ComponentEntity }
  | { sort: 'core module'; value: CoreModule };

export interface CoreItem {
  ref: CoreRef;
  type: CoreExternType;
}

/** A core instance: that of a step, or a bag of definitions put together by the component. */
export interface CoreInstanceEntity {
  step: number | null;
  items: Map<string, CoreItem>;
}

interface Spaces {
  func: FuncEntity;
  type: TypeEntity;
  instance: InstanceEntity;
  component: ComponentEntity;
  value: never;
  'core func': CoreItem;
  'core table': CoreItem;
  'core memory': CoreItem;
  'core global': CoreItem;
  'core tag': CoreItem;
  'core type': CoreTypeDef;
  'core module': CoreModule;
  'core instance': CoreInstanceEntity;
}

export type SpaceName = keyof Spaces;

/** The index spaces of one component instance, or of one component or instance type. */
export class Scope extends IndexSpaces<Spaces> {
  /** `instance` is the component instance (handle table) that definitions of this scope belong to; -1 in types. */
  constructor(readonly parent: Scope | null, readonly instance: number) {
    super();
  }

  /** The scope `count` levels out; 0 is this one. */
  outer(count: number): Scope {
    if (count === 0) return this;
    if (this.parent === null) throw new LinkError('invalid', 'an outer alias reaches beyond the root');
    return this.parent.outer(count - 1);
  }
}
