import { LinkError } from '#engine/build/build-error.js';
import type { FuncTypeDef, ValType } from '#engine/build/decode/ast.js';
import type { LinkBudget } from '#engine/build/link/link-budget.js';
import { planFuncType, planType, type TypeResolver, type ValueTypeDef } from '#engine/build/link/plan-type.js';
import { TypeTable } from '#engine/build/link/type-table.js';
import type { Binder, FuncType, ResourceType, Type, ValueType } from './types.js';

const NOMINAL = new Set<ValueTypeDef['t']>(['record', 'variant', 'enum', 'flags']);

/** Gives the type at an index of a type space, or throws. */
type TypeLookup = (index: number) => Type;

/** Makes the types of one validation. */
export class TypeStore {
  readonly table = new TypeTable();
  private readonly binders: Binder[] = [];

  constructor(readonly budget: LinkBudget) {}

  /** The number of resource types so far, which is that of the next. */
  get resources(): number {
    return this.binders.length;
  }

  /** A resource type unlike all others. */
  freshResource(binder: Binder): number {
    this.budget.spend();
    return this.binders.push(binder) - 1;
  }

  binderOf(resource: number): Binder {
    return this.binders[resource]!;
  }

  value(def: ValueTypeDef, lookup: TypeLookup): ValueType {
    const parts: ValueType['parts'] = [];
    const shape = this.table.type(planType(this.table, def, this.resolver(lookup, parts)));
    return { k: 'value', shape, nominal: NOMINAL.has(def.t), parts };
  }

  func(def: FuncTypeDef, lookup: TypeLookup): FuncType {
    const shape = this.table.funcType(planFuncType(this.table, def, this.resolver(lookup, [])));
    const valueType = (type: ValType | null) => (typeof type === 'number' ? asValue(lookup(type), type) : null);
    return { k: 'func', shape, params: def.params.map(([, type]) => valueType(type)), result: valueType(def.result) };
  }

  /** The index in the type table of a value type that a definition names. */
  shape(type: ValType, lookup: TypeLookup): number {
    return typeof type === 'string' ? this.table.type({ t: type }) : asValue(lookup(type), type).shape;
  }

  private resolver(lookup: TypeLookup, parts: ValueType['parts']): TypeResolver {
    return {
      value: (type) => {
        if (typeof type === 'number') parts.push(asValue(lookup(type), type));
        return this.shape(type, lookup);
      },
      resource: (index) => {
        const resource = asResource(lookup(index), index);
        parts.push(resource);
        return resource.id;
      },
      spend: (count) => this.budget.spend(count),
    };
  }
}

function asValue(type: Type, index: number): ValueType {
  if (type.k !== 'value') throw new LinkError('invalid', `type ${index} is a ${type.k} type where a value type must stand`);
  return type;
}

export function asResource(type: Type, index: number): ResourceType {
  if (type.k !== 'resource') throw new LinkError('invalid', `type ${index} is a ${type.k} type where a resource must stand`);
  return type;
}

export function asFunc(type: Type, index: number): FuncType {
  if (type.k !== 'func') throw new LinkError('invalid', `type ${index} is a ${type.k} type where a function type must stand`);
  return type;
}
