import type { PlanFuncType } from '#engine/plan.js';
import { LinkError } from '#engine/build/build-error.js';
import { signatureOf, type CoreExternType, type Signature } from '#engine/build/core/core-types.js';
import type { Canon, CanonOptions } from '#engine/build/decode/ast.js';
import { BUILTIN_SIGNATURES, coreShape, signature } from './signature.js';
import type { TypeTable } from './type-table.js';

export type LiftCanon = Extract<Canon, { op: 'lift' }>;
export type BuiltinCanon = Exclude<Canon, { op: 'lift' | 'lower' | `resource.${string}` }>;

/** Gives the type of what stands at an index of a core space, or throws. */
export type CoreLookup = (space: 'core func' | 'core memory', index: number) => CoreExternType;

/** The types that a built-in names, as indices into the table: the result of `task.return`, the stream or future of the others. */
export interface BuiltinTypes {
  result: number | null;
  pipe: number | null;
}

/** Validation of canonical definitions (CanonicalABI.md, Canonical Definitions) over types of one table. Throws `LinkError`. */
export class CanonRules {
  constructor(private readonly table: TypeTable) {}

  /** Checks the lift of a core function to the function type `type`. */
  lift(canon: LiftCanon, type: PlanFuncType, core: CoreLookup): void {
    const { options } = canon;
    this.checkAsync('lift', options, type.async);
    const shape = coreShape(this.table, type, 'lift', { async: options.async, callback: options.callback !== null });
    expect('the lifted core function', core('core func', canon.func), signature(shape.params, shape.results));
    const intoGuest = type.params.some(([, param]) => this.table.factsOf(param).pointers) || shape.paramsSpill;
    // an asynchronous lift gets its result from `task.return`, which must be given the same memory
    const spills = shape.resultSpills || (options.async && type.result !== null && this.table.factsOf(type.result).flat === null);
    this.checkNeeds('lift', options, { realloc: intoGuest, memory: this.pointers(type.result) || spills });
    this.checkReferences(options, core, signature(shape.results, []));
  }

  /** Checks the lowering of a function of the type `type` and gives the type of the core function. */
  lower(options: CanonOptions, type: PlanFuncType, core: CoreLookup): NonNullable<Signature> {
    if (options.postReturn !== null || options.callback !== null) throw new LinkError('invalid', 'lower takes neither post-return nor callback');
    this.checkAsync('lower', options, type.async);
    const shape = coreShape(this.table, type, 'lower', { async: options.async, callback: false });
    const fromGuest = type.params.some(([, param]) => this.table.factsOf(param).pointers) || shape.paramsSpill;
    this.checkNeeds('lower', options, { realloc: this.pointers(type.result), memory: fromGuest || shape.resultSpills });
    this.checkReferences(options, core, '>');
    return signature(shape.params, shape.results);
  }

  /** Checks a built-in and gives the type of the core function. */
  builtin(canon: BuiltinCanon, types: BuiltinTypes, core: CoreLookup): Signature {
    if ('memory' in canon) core('core memory', canon.memory);
    if ('options' in canon) this.checkBuiltinOptions(canon, types, core);
    if (canon.op !== 'task.return') return BUILTIN_SIGNATURES[canon.op] ?? null;
    const flat = types.result === null ? [] : this.table.factsOf(types.result).flat;
    this.checkNeeds(canon.op, canon.options, { realloc: false, memory: flat === null || this.pointers(types.result) });
    return signature(flat ?? ['i32'], []);
  }

  private checkBuiltinOptions(canon: Extract<BuiltinCanon, { options: CanonOptions }>, { pipe }: BuiltinTypes, core: CoreLookup): void {
    const { op, options } = canon;
    this.checkReferences(options, core, '>');
    if (options.postReturn !== null || options.callback !== null) throw new LinkError('invalid', `${op} takes neither post-return nor callback`);
    if (op === 'task.return') {
      if (options.async || options.realloc !== null) throw new LinkError('invalid', 'task.return takes neither async nor realloc');
      return;
    }
    if (options.async && op.startsWith('error-context')) throw new LinkError('invalid', `${op} does not take async`);
    const type = pipe === null ? undefined : this.table.get(pipe);
    const element = type !== undefined && (type.t === 'stream' || type.t === 'future') ? type.of : null;
    const reads = op.endsWith('.read') || op === 'error-context.debug-message';
    this.checkNeeds(op, options, {
      realloc: reads && (op === 'error-context.debug-message' || this.pointers(element)),
      memory: op.startsWith('error-context') || element !== null,
    });
  }

  private pointers(type: number | null): boolean {
    return type !== null && this.table.factsOf(type).pointers;
  }

  private checkAsync(what: string, options: CanonOptions, asyncType: boolean): void {
    if (options.async && !asyncType) throw new LinkError('invalid', `${what}: async is for functions of async type only`);
    if (options.async && options.postReturn !== null) throw new LinkError('invalid', `${what}: async and post-return exclude each other`);
    if (options.callback !== null && !options.async) throw new LinkError('invalid', `${what}: callback without async`);
  }

  private checkNeeds(what: string, options: CanonOptions, needs: { realloc: boolean; memory: boolean }): void {
    if (options.realloc !== null && options.memory === null) throw new LinkError('invalid', `${what}: realloc without memory`);
    if (needs.realloc && options.realloc === null) throw new LinkError('invalid', `${what}: realloc is missing`);
    if (needs.memory && options.memory === null) throw new LinkError('invalid', `${what}: memory is missing`);
  }

  private checkReferences(options: CanonOptions, core: CoreLookup, postReturn: string): void {
    if (options.memory !== null) core('core memory', options.memory);
    if (options.realloc !== null) expect('realloc', core('core func', options.realloc), 'i32,i32,i32,i32>i32');
    if (options.postReturn !== null) expect('post-return', core('core func', options.postReturn), postReturn);
    if (options.callback !== null) expect('callback', core('core func', options.callback), 'i32,i32,i32>i32');
  }
}

function expect(what: string, item: CoreExternType, type: string): void {
  const given = signatureOf(item);
  if (given !== type) throw new LinkError('invalid', `${what} has the type ${given ?? 'of a module of its own'}, not ${type}`);
}
