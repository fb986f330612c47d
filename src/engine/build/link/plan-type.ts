import type { PlanFuncType, PlanType } from '#engine/plan.js';
import { LinkError } from '#engine/build/build-error.js';
import type { FuncTypeDef, TypeDef, ValType } from '#engine/build/decode/ast.js';
import { checkLabels, nameWeight } from './label.js';
import type { TypeTable } from './type-table.js';

const MAX_FLAGS = 32;

/** The definition of a value type. */
export type ValueTypeDef = Exclude<TypeDef, { t: 'resource' | 'func' | 'component' | 'instance' }>;

/** What the type indices of a definition stand for: indices into the type table, and numbers of resource types. */
export interface TypeResolver {
  value(type: ValType): number;
  resource(index: number): number;
  /** Called with the work that a type makes, before it is done. */
  spend(work: number): void;
}

/** Makes the table's form of a value type, checked by itself (Explainer.md, Type Definitions). Throws `LinkError`. */
export function planType(table: TypeTable, def: ValueTypeDef, resolver: TypeResolver): PlanType {
  const optional = (type: ValType | null) => (type === null ? null : resolver.value(type));
  switch (def.t) {
    case 'primitive': return { t: def.name };
    case 'record':
      labelled('record', def.fields.map(([name]) => name), resolver);
      return { t: 'record', fields: def.fields.map(([name, type]) => [name, resolver.value(type)]) };
    case 'variant':
      labelled('variant', def.cases.map(([name]) => name), resolver);
      return { t: 'variant', cases: def.cases.map(([name, type]) => [name, optional(type)]) };
    case 'list':
      if (def.length === undefined) return { t: 'list', of: resolver.value(def.of) };
      if (def.length === 0) throw new LinkError('invalid', 'a list of the fixed length 0');
      return { t: 'list', of: resolver.value(def.of), length: def.length };
    case 'tuple':
      resolver.spend(def.of.length);
      someMembers('tuple', def.of);
      return { t: 'tuple', of: def.of.map((type) => resolver.value(type)) };
    case 'flags':
      if (def.names.length > MAX_FLAGS) throw new LinkError('invalid', `flags: more than ${MAX_FLAGS} names`);
      return { t: 'flags', names: labelled('flags', def.names, resolver) };
    case 'enum': return { t: 'enum', names: labelled('enum', def.names, resolver) };
    case 'option': return { t: 'option', of: resolver.value(def.of) };
    case 'result': return { t: 'result', ok: optional(def.ok), err: optional(def.err) };
    case 'own': case 'borrow': return { t: def.t, resource: resolver.resource(def.resource) };
    case 'stream': case 'future': return { t: def.t, of: element(table, def.t, optional(def.of)) };
  }
}

/** Makes the table's form of a function type, checked by itself. Throws `LinkError`. */
export function planFuncType(table: TypeTable, def: FuncTypeDef, resolver: TypeResolver): PlanFuncType {
  const names = def.params.map(([name]) => name);
  resolver.spend(nameWeight(names));
  checkLabels('parameters', names);
  const params = def.params.map(([name, type]): [string, number] => [name, resolver.value(type)]);
  const result = def.result === null ? null : resolver.value(def.result);
  if (result !== null && table.factsOf(result).borrow) throw new LinkError('invalid', 'a function result holds a borrow');
  return { async: def.async, params, result };
}

/** The type with other types in place of those it is made of. */
export function mapType(type: PlanType, part: (type: number) => number, resource: (id: number) => number): PlanType {
  const optional = (type: number | null) => (type === null ? null : part(type));
  switch (type.t) {
    case 'record': return { ...type, fields: type.fields.map(([name, field]) => [name, part(field)]) };
    case 'variant': return { ...type, cases: type.cases.map(([name, payload]) => [name, optional(payload)]) };
    case 'tuple': return { ...type, of: type.of.map(part) };
    case 'list': case 'option': return { ...type, of: part(type.of) };
    case 'result': return { ...type, ok: optional(type.ok), err: optional(type.err) };
    case 'stream': case 'future': return { ...type, of: optional(type.of) };
    case 'own': case 'borrow': return { ...type, resource: resource(type.resource) };
    default: return type;
  }
}

/** As `mapType`, for the parameters and the result of a function type. */
export function mapFuncType(type: PlanFuncType, part: (type: number) => number): PlanFuncType {
  return {
    ...type,
    params: type.params.map(([name, param]) => [name, part(param)]),
    result: type.result === null ? null : part(type.result),
  };
}

function element(table: TypeTable, what: 'stream' | 'future', of: number | null): number | null {
  if (of !== null && table.factsOf(of).borrow) throw new LinkError('invalid', `a ${what} of borrows`);
  if (what === 'stream' && of !== null && table.get(of).t === 'char') throw new LinkError('invalid', 'a stream of chars');
  return of;
}

function labelled(what: string, names: string[], resolver: TypeResolver): string[] {
  resolver.spend(nameWeight(names));
  someMembers(what, names);
  checkLabels(what, names);
  return names;
}

function someMembers(what: string, parts: unknown[]): void {
  if (parts.length === 0) throw new LinkError('invalid', `a ${what} type without members`);
}
