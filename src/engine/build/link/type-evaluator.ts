import type { PlanResource } from '#engine/plan.js';
import { LinkError } from '#engine/build/build-error.js';
import type { FuncTypeDef, TypeDef, ValType } from '#engine/build/decode/ast.js';
import type { LinkBudget } from './link-budget.js';
import { planFuncType, planType, type TypeResolver } from './plan-type.js';
import type { Scope, TypeEntity } from './scope.js';
import type { TypeTable } from './type-table.js';

const MAX_RESOURCES = 10_000;

/** Turns type definitions into entries of the plan's tables. */
export class TypeEvaluator {
  readonly resources: PlanResource[] = [];

  constructor(readonly table: TypeTable, private readonly budget: LinkBudget) {}

  resource(resource: PlanResource): { k: 'resource'; resource: number } {
    if (this.resources.length >= MAX_RESOURCES) throw new LinkError('limit', `more than ${MAX_RESOURCES} resource types`);
    return { k: 'resource', resource: this.resources.push(resource) - 1 };
  }

  value(scope: Scope, type: ValType): number {
    if (typeof type === 'string') return this.table.type({ t: type });
    const entity = scope.get('type', type);
    if (entity.k !== 'value') throw new LinkError('invalid', `type ${type} is a ${entity.k} type where a value type must stand`);
    return entity.type;
  }

  optional(scope: Scope, type: ValType | null): number | null {
    return type === null ? null : this.value(scope, type);
  }

  funcIndex(scope: Scope, index: number): number {
    const entity = scope.get('type', index);
    if (entity.k !== 'func') throw new LinkError('invalid', `type ${index} is a ${entity.k} type where a function type must stand`);
    return entity.type;
  }

  resourceIndex(scope: Scope, index: number): number {
    const entity = scope.get('type', index);
    if (entity.k !== 'resource') throw new LinkError('invalid', `type ${index} is a ${entity.k} type where a resource must stand`);
    return entity.resource;
  }

  /** Any type definition but that of a resource, which needs the instance that defines it. */
  type(scope: Scope, def: Exclude<TypeDef, { t: 'resource' }>): TypeEntity {
    switch (def.t) {
      case 'func': return { k: 'func', type: this.func(scope, def) };
      case 'component': case 'instance': return { k: def.t, decls: def.decls, scope };
      default: return { k: 'value', type: this.table.type(planType(this.table, def, this.resolver(scope))) };
    }
  }

  private resolver(scope: Scope): TypeResolver {
    return {
      value: (type) => this.value(scope, type),
      resource: (index) => this.resourceIndex(scope, index),
      spend: (parts) => this.budget.spend(parts),
    };
  }

  private func(scope: Scope, def: FuncTypeDef): number {
    return this.table.funcType(planFuncType(this.table, def, this.resolver(scope)));
  }
}
