import { LinkError } from '#engine/build/build-error.js';
import { IndexSpaces } from '#engine/build/index-spaces.js';
import type { CoreExternType, Signature } from '#engine/build/core/core-types.js';
import { NameScope } from './name-scope.js';
import type { TypeStore } from './type-store.js';
import type { Binder, ComponentType, Extern, FuncType, InstanceType, ModuleType, Type } from './types.js';
import { Visibility } from './visibility.js';

interface Spaces {
  func: FuncType;
  type: Type;
  instance: InstanceType;
  component: ComponentType;
  value: never;
  'core func': CoreExternType;
  'core table': CoreExternType;
  'core memory': CoreExternType;
  'core global': CoreExternType;
  'core tag': CoreExternType;
  'core type': ModuleType | { k: 'core func'; signature: Signature };
  'core module': ModuleType;
  'core instance': Map<string, CoreExternType>;
}

export type SpaceName = keyof Spaces;

/** The index spaces of a component, a component type or an instance type while it is walked. */
export class Space extends IndexSpaces<Spaces> {
  /** Introduces the resource types that the component defines or gets. */
  readonly binder: Binder;
  /** Resource types that the component itself defines: their representation is known here. */
  readonly local = new Set<number>();
  /** Resource types that come with the imports. */
  readonly imported = new Set<number>();
  /** Whether it has resource types that do not: of its own, or of instances that it made. */
  isGenerative = false;
  readonly imports: NameScope;
  readonly exports: NameScope;
  readonly visibility: Visibility;

  constructor(readonly kind: 'component' | 'component type' | 'instance type', readonly parent: Space | null, store: TypeStore) {
    super();
    this.binder = Symbol(kind);
    this.imports = new NameScope('import', store);
    this.exports = new NameScope('export', store);
    this.visibility = new Visibility(store);
  }

  addExtern(extern: Extern): void {
    switch (extern.sort) {
      case 'func': this.add('func', extern.type); break;
      case 'type': this.add('type', extern.type); break;
      case 'instance': this.add('instance', extern.type); break;
      case 'component': this.add('component', extern.type); break;
      case 'core module': this.add('core module', extern.type); break;
    }
  }

  /** The space `count` levels out, 0 is this one, and whether the way there leaves a component. */
  outer(count: number): { space: Space; leavesComponent: boolean } {
    if (count === 0) return { space: this, leavesComponent: false };
    if (this.parent === null) throw new LinkError('invalid', 'an outer alias reaches beyond the root');
    const { space, leavesComponent } = this.parent.outer(count - 1);
    return { space, leavesComponent: leavesComponent || this.kind === 'component' };
  }
}
