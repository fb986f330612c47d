import { LinkError } from '#engine/build/build-error.js';
import { compatibleName, withoutVersion } from '#engine/build/compose/composition.js';
import type { ExternType } from '#engine/build/decode/ast.js';
import type { Binder } from './binding.js';
import type { Item, Scope, TypeEntity } from './scope.js';
import type { TypeEvaluator } from './type-evaluator.js';

/** Resource types of the host by interface and name: what components that are put together have in common. */
export type HostResources = Map<string, TypeEntity>;

/** Makes the items of what a component imports at its root: functions and resources of the host. */
export class HostImports {
  /**
   * `shared`: resource types that the components of a composition hand to each other; null for a component alone, where compatible
   * versions of one interface stay apart. `denied`: interfaces, without versions, that are asked in vain.
   */
  constructor(private readonly types: TypeEvaluator, private readonly binder: Binder, private readonly shared: HostResources | null, private readonly denied: ReadonlySet<string>) {}

  /** `name` is an interface (`wasi:http/types@0.2.3`) for an instance, else the name of a function or resource. */
  item(scope: Scope, name: string, type: ExternType): Item {
    if (type.sort !== 'instance') return this.member('', name, type, scope);
    const instance = this.binder.instance(this.binder.instanceType(scope, type.index), (inner, innerType, innerScope) => {
      return this.member(name, inner, innerType, innerScope);
    });
    return { sort: 'instance', value: instance };
  }

  private member(iface: string, name: string, type: ExternType, scope: Scope): Item {
    const isDenied = this.denied.has(withoutVersion(iface));
    const denied = isDenied && { denied: true as const };
    switch (type.sort) {
      case 'func': return { sort: 'func', value: { k: 'host', iface, name, ...denied, type: this.types.funcIndex(scope, type.index) } };
      case 'type': {
        if (type.bound === 'eq') return { sort: 'type', value: scope.get('type', type.index) };
        const make = (): TypeEntity => this.types.resource({ name, host: { iface, name, ...denied }, instance: -1, dtor: null });
        return { sort: 'type', value: isDenied ? make() : this.sharedResource(`${compatibleName(iface)} ${name}`, make) };
      }
      default: {
        const place = iface === '' ? name : `${iface}/${name}`;
        throw new LinkError('unsupported', `the import ${JSON.stringify(place)} of a ${type.sort} is not supported`);
      }
    }
  }

  private sharedResource(key: string, make: () => TypeEntity): TypeEntity {
    if (this.shared === null) return make();
    let resource = this.shared.get(key);
    if (resource === undefined) this.shared.set(key, (resource = make()));
    return resource;
  }
}
