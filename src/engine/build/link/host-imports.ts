import { LinkError } from '#engine/build/build-error.js';
import type { ExternType } from '#engine/build/decode/ast.js';
import type { Binder } from './binding.js';
import type { Item, Scope } from './scope.js';
import type { TypeEvaluator } from './type-evaluator.js';

/** Makes the items of what a component imports at its root: functions and resources of the host. */
export class HostImports {
  constructor(private readonly types: TypeEvaluator, private readonly binder: Binder) {}

  /** `name` is an interface (`wasi:http/types@0.2.3`) for an instance, else the name of a function or resource. */
  item(scope: Scope, name: string, type: ExternType): Item {
    if (type.sort !== 'instance') return this.member('', name, type, scope);
    const instance = this.binder.instance(this.binder.instanceType(scope, type.index), (inner, innerType, innerScope) => {
      return this.member(name, inner, innerType, innerScope);
    });
    return { sort: 'instance', value: instance };
  }

  private member(iface: string, name: string, type: ExternType, scope: Scope): Item {
    switch (type.sort) {
      case 'func': return { sort: 'func', value: { k: 'host', iface, name, type: this.types.funcIndex(scope, type.index) } };
      case 'type': {
        if (type.bound === 'eq') return { sort: 'type', value: scope.get('type', type.index) };
        return { sort: 'type', value: this.types.resource({ name, host: { iface, name }, instance: -1, dtor: null }) };
      }
      default: {
        const place = iface === '' ? name : `${iface}/${name}`;
        throw new LinkError('unsupported', `the import ${JSON.stringify(place)} of a ${type.sort} is not supported`);
      }
    }
  }
}
