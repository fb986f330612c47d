import { LinkError } from '#engine/build/build-error.js';
import type { CoreExternType } from '#engine/build/core/core-types.js';
import type { Canon } from '#engine/build/decode/ast.js';
import { CanonRules, type BuiltinCanon, type BuiltinTypes, type CoreLookup, type LiftCanon } from '#engine/build/link/canon-rules.js';
import { BUILTIN_SIGNATURES } from '#engine/build/link/signature.js';
import type { Space } from './space.js';
import { asFunc, asResource, type TypeStore } from './type-store.js';
import type { FuncType } from './types.js';

/** Checks canonical definitions and gives what they make its type. Throws `LinkError`. */
export class CanonValidator {
  private readonly rules: CanonRules;

  constructor(private readonly store: TypeStore) {
    this.rules = new CanonRules(store.table);
  }

  define(space: Space, canon: Canon): void {
    if (canon.op === 'lift') space.add('func', this.lift(space, canon));
    else space.add('core func', this.coreFunc(space, canon));
  }

  private lift(space: Space, canon: LiftCanon): FuncType {
    const type = asFunc(space.get('type', canon.type), canon.type);
    this.rules.lift(canon, this.store.table.funcTypes[type.shape]!, lookup(space));
    return type;
  }

  private coreFunc(space: Space, canon: Exclude<Canon, { op: 'lift' }>): CoreExternType {
    switch (canon.op) {
      case 'lower': {
        const { shape } = space.get('func', canon.func);
        return { kind: 'func', signature: this.rules.lower(canon.options, this.store.table.funcTypes[shape]!, lookup(space)) };
      }
      case 'resource.new': case 'resource.rep': case 'resource.drop': {
        const { id } = asResource(space.get('type', canon.type), canon.type);
        if (canon.op !== 'resource.drop' && !space.local.has(id)) {
          throw new LinkError('invalid', `${canon.op} of a resource that another component defines`);
        }
        return { kind: 'func', signature: BUILTIN_SIGNATURES[canon.op]! };
      }
      default: return { kind: 'func', signature: this.rules.builtin(canon, this.builtinTypes(space, canon), lookup(space)) };
    }
  }

  private builtinTypes(space: Space, canon: BuiltinCanon): BuiltinTypes {
    return {
      result: 'result' in canon && canon.result !== null ? this.store.shape(canon.result, (index) => space.get('type', index)) : null,
      pipe: 'type' in canon ? this.pipe(space, canon.op, canon.type) : null,
    };
  }

  private pipe(space: Space, op: string, index: number): number {
    const type = space.get('type', index);
    const wanted = op.slice(0, op.indexOf('.'));
    if (type.k !== 'value' || this.store.table.get(type.shape).t !== wanted) throw new LinkError('invalid', `${op}: type ${index} is not a ${wanted}`);
    return type.shape;
  }
}

function lookup(space: Space): CoreLookup {
  return (name, index) => space.get(name, index);
}
