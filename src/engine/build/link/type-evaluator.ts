import type { PlanResource, PlanType } from '#engine/plan.js';
import { LinkError } from '#engine/build/build-error.js';
import type { FuncTypeDef, TypeDef, ValType } from '#engine/build/decode/ast.js';
import { checkLabels } from './label.js';
import type { LinkBudget } from './link-budget.js';
import type { Scope, TypeEntity } from './scope.js';
import type { TypeTable } from './type-table.js';

const MAX_RESOURCES = 10_000;
const MAX_FLAGS = 32;

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
      default: return { k: 'value', type: this.table.type(this.planType(scope, def)) };
    }
  }

  private func(scope: Scope, def: FuncTypeDef): number {
    this.budget.spend(def.params.length);
    checkLabels('parameters', def.params.map(([name]) => name));
    const params = def.params.map(([name, type]): [string, number] => [name, this.value(scope, type)]);
    const result = this.optional(scope, def.result);
    if (result !== null && this.table.factsOf(result).borrow) throw new LinkError('invalid', 'a function result holds a borrow');
    return this.table.funcType({ async: def.async, params, result });
  }

  private planType(scope: Scope, def: Exclude<TypeDef, { t: 'resource' | 'func' | 'component' | 'instance' }>): PlanType {
    switch (def.t) {
      case 'primitive': return { t: def.name };
      case 'record':
        this.members('record', def.fields);
        checkLabels('record', def.fields.map(([name]) => name));
        return { t: 'record', fields: def.fields.map(([name, type]) => [name, this.value(scope, type)]) };
      case 'variant':
        this.members('variant', def.cases);
        checkLabels('variant', def.cases.map(([name]) => name));
        return { t: 'variant', cases: def.cases.map(([name, type]) => [name, this.optional(scope, type)]) };
      case 'list':
        if (def.length === undefined) return { t: 'list', of: this.value(scope, def.of) };
        if (def.length === 0) throw new LinkError('invalid', 'a list of the fixed length 0');
        return { t: 'list', of: this.value(scope, def.of), length: def.length };
      case 'tuple':
        this.members('tuple', def.of);
        return { t: 'tuple', of: def.of.map((type) => this.value(scope, type)) };
      case 'flags':
        if (def.names.length > MAX_FLAGS) throw new LinkError('invalid', `flags: more than ${MAX_FLAGS} names`);
        return { t: 'flags', names: this.names('flags', def.names) };
      case 'enum': return { t: 'enum', names: this.names('enum', def.names) };
      case 'option': return { t: 'option', of: this.value(scope, def.of) };
      case 'result': return { t: 'result', ok: this.optional(scope, def.ok), err: this.optional(scope, def.err) };
      case 'own': case 'borrow': return { t: def.t, resource: this.resourceIndex(scope, def.resource) };
      case 'stream': case 'future': return { t: def.t, of: this.element(scope, def.t, def.of) };
    }
  }

  private element(scope: Scope, what: 'stream' | 'future', of: ValType | null): number | null {
    const element = this.optional(scope, of);
    if (element !== null && this.table.factsOf(element).borrow) throw new LinkError('invalid', `a ${what} of borrows`);
    if (what === 'stream' && element !== null && this.table.get(element).t === 'char') throw new LinkError('invalid', 'a stream of chars');
    return element;
  }

  private names(what: string, names: string[]): string[] {
    this.members(what, names);
    checkLabels(what, names);
    return names;
  }

  private members(what: string, parts: unknown[]): void {
    this.budget.spend(parts.length);
    if (parts.length === 0) throw new LinkError('invalid', `a ${what} type without members`);
  }
}
