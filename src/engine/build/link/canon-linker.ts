import type { CoreRef, PlanLift, PlanOptions, PlanTrampoline } from '#engine/plan.js';
import { LinkError } from '#engine/build/build-error.js';
import type { Signature } from '#engine/build/core/core-module.js';
import type { Canon, CanonOptions } from '#engine/build/decode/ast.js';
import type { CoreItem, FuncEntity, Scope } from './scope.js';
import { BUILTIN_SIGNATURES, coreShape, signature, type CoreShape } from './signature.js';
import type { TypeEvaluator } from './type-evaluator.js';

const MAX_FUNCTIONS = 100_000;

type Lift = Extract<Canon, { op: 'lift' }>;
type Lower = Extract<Canon, { op: 'lower' }>;
type Builtin = Exclude<Canon, { op: 'lift' | 'lower' | `resource.${string}` }>;

/** Makes lifts and trampolines of canonical definitions, checked as far as the run time relies on it (CanonicalABI.md). */
export class CanonLinker {
  readonly lifts: PlanLift[] = [];
  readonly trampolines: PlanTrampoline[] = [];

  constructor(private readonly types: TypeEvaluator) {}

  /** Adds what the definition makes to its index space of `scope`. */
  define(scope: Scope, canon: Canon): void {
    if (this.lifts.length + this.trampolines.length >= MAX_FUNCTIONS) throw new LinkError('limit', `more than ${MAX_FUNCTIONS} canonical functions`);
    switch (canon.op) {
      case 'lift': scope.add('func', this.lift(scope, canon)); return;
      case 'lower': scope.add('core func', this.lower(scope, canon)); return;
      case 'resource.new': case 'resource.rep': case 'resource.drop': scope.add('core func', this.resource(scope, canon)); return;
      default: scope.add('core func', this.builtin(scope, canon));
    }
  }

  private trampoline(trampoline: PlanTrampoline, type: Signature): CoreItem {
    const id = this.trampolines.push(trampoline) - 1;
    return { kind: 'func', ref: { k: 'trampoline', id }, signature: type };
  }

  private lift(scope: Scope, canon: Lift): FuncEntity {
    const type = this.types.funcIndex(scope, canon.type);
    const func = this.types.table.funcTypes[type]!;
    const { options } = canon;
    this.checkAsync('lift', options, func.async);
    const shape = coreShape(this.types.table, func, 'lift', { async: options.async, callback: options.callback !== null });
    const core = scope.get('core func', canon.func);
    expect('the lifted core function', core, signature(shape.params, shape.results));
    const intoGuest = func.params.some(([, param]) => this.types.table.factsOf(param).pointers) || shape.paramsSpill;
    const fromGuest = this.pointers(func.result) && !options.async;
    this.checkMemory('lift', options, { realloc: intoGuest, memory: fromGuest || shape.resultSpills });
    const lift = this.lifts.push({
      core: core.ref, type, options: this.options(scope, options, shape.results), instance: scope.instance,
    }) - 1;
    return { k: 'lift', lift, type };
  }

  private lower(scope: Scope, canon: Lower): CoreItem {
    const func = scope.get('func', canon.func);
    const type = this.types.table.funcTypes[func.type]!;
    const { options } = canon;
    if (options.postReturn !== null || options.callback !== null) throw new LinkError('invalid', 'lower takes neither post-return nor callback');
    this.checkAsync('lower', options, type.async);
    const shape: CoreShape = coreShape(this.types.table, type, 'lower', { async: options.async, callback: false });
    const fromGuest = type.params.some(([, param]) => this.types.table.factsOf(param).pointers) || shape.paramsSpill;
    this.checkMemory('lower', options, { realloc: this.pointers(type.result), memory: fromGuest || shape.resultSpills });
    const callee = func.k === 'host' ? { k: 'host' as const, iface: func.iface, name: func.name } : { k: 'lift' as const, lift: func.lift };
    return this.trampoline(
      { op: 'lower', callee, type: func.type, options: this.options(scope, options, []), instance: scope.instance },
      signature(shape.params, shape.results),
    );
  }

  private resource(scope: Scope, canon: Extract<Canon, { op: `resource.${string}` }>): CoreItem {
    const resource = this.types.resourceIndex(scope, canon.type);
    const definer = this.types.resources[resource]!.instance;
    // only the component that defines a resource sees its representation: it is what makes handles unforgeable
    if (canon.op !== 'resource.drop' && definer !== scope.instance) {
      throw new LinkError('invalid', `${canon.op} of a resource that another component defines`);
    }
    return this.trampoline({ op: canon.op, resource, instance: scope.instance }, BUILTIN_SIGNATURES[canon.op]!);
  }

  private builtin(scope: Scope, canon: Builtin): CoreItem {
    const trampoline: Extract<PlanTrampoline, { options?: PlanOptions; slot?: number }> = { op: canon.op, instance: scope.instance };
    let type: Signature = BUILTIN_SIGNATURES[canon.op] ?? null;
    if ('type' in canon) trampoline.type = this.pipeType(scope, canon.op, canon.type);
    if ('async' in canon) trampoline.async = canon.async;
    if ('cancellable' in canon) trampoline.cancellable = canon.cancellable;
    if ('slot' in canon) trampoline.slot = canon.slot;
    if ('memory' in canon) trampoline.options = this.memoryOptions(scope, canon.memory);
    if (canon.op === 'task.return') {
      trampoline.result = this.types.optional(scope, canon.result);
      const flat = trampoline.result === null ? [] : this.types.table.factsOf(trampoline.result).flat;
      type = signature(flat ?? ['i32'], []);
      this.checkMemory(canon.op, canon.options, { realloc: false, memory: flat === null || this.pointers(trampoline.result) });
    }
    if ('options' in canon) {
      this.checkBuiltinOptions(canon, trampoline.type);
      trampoline.options = this.options(scope, canon.options, []);
      trampoline.async = canon.options.async;
    }
    return this.trampoline(trampoline, type);
  }

  private checkBuiltinOptions(canon: Extract<Builtin, { options: CanonOptions }>, type: number | undefined): void {
    const { op, options } = canon;
    if (options.postReturn !== null || options.callback !== null) throw new LinkError('invalid', `${op} takes neither post-return nor callback`);
    if (op === 'task.return') {
      if (options.async || options.realloc !== null) throw new LinkError('invalid', 'task.return takes neither async nor realloc');
      return;
    }
    const pipe = type === undefined ? undefined : this.types.table.get(type);
    const element = pipe !== undefined && (pipe.t === 'stream' || pipe.t === 'future') ? pipe.of : null;
    const reads = op.endsWith('.read') || op === 'error-context.debug-message';
    this.checkMemory(op, options, {
      realloc: reads && (op === 'error-context.debug-message' || this.pointers(element)),
      memory: op.startsWith('error-context') || element !== null,
    });
  }

  private pipeType(scope: Scope, op: string, index: number): number {
    const entity = scope.get('type', index);
    const wanted = op.slice(0, op.indexOf('.'));
    const type = entity.k === 'value' ? this.types.table.get(entity.type) : undefined;
    if (entity.k !== 'value' || type?.t !== wanted) throw new LinkError('invalid', `${op}: type ${index} is not a ${wanted}`);
    return entity.type;
  }

  private pointers(type: number | null): boolean {
    return type !== null && this.types.table.factsOf(type).pointers;
  }

  private checkAsync(what: string, options: CanonOptions, asyncType: boolean): void {
    if (options.async && !asyncType) throw new LinkError('invalid', `${what}: async is for functions of async type only`);
    if (options.async && options.postReturn !== null) throw new LinkError('invalid', `${what}: async and post-return exclude each other`);
    if (options.callback !== null && !options.async) throw new LinkError('invalid', `${what}: callback without async`);
  }

  private checkMemory(what: string, options: CanonOptions, needs: { realloc: boolean; memory: boolean }): void {
    if (options.realloc !== null && options.memory === null) throw new LinkError('invalid', `${what}: realloc without memory`);
    if (needs.realloc && options.realloc === null) throw new LinkError('invalid', `${what}: realloc is missing`);
    if (needs.memory && options.memory === null) throw new LinkError('invalid', `${what}: memory is missing`);
  }

  private memoryOptions(scope: Scope, memory: number): PlanOptions {
    const none: CanonOptions = { encoding: 'utf8', memory, realloc: null, postReturn: null, callback: null, async: false };
    return this.options(scope, none, []);
  }

  private options(scope: Scope, options: CanonOptions, liftedResults: string[]): PlanOptions {
    const func = (what: string, index: number | null, type: string): CoreRef | null => {
      if (index === null) return null;
      const item = scope.get('core func', index);
      expect(what, item, type);
      return item.ref;
    };
    return {
      encoding: options.encoding,
      memory: options.memory === null ? null : scope.get('core memory', options.memory).ref,
      realloc: func('realloc', options.realloc, 'i32,i32,i32,i32>i32'),
      postReturn: func('post-return', options.postReturn, signature(liftedResults, [])),
      callback: func('callback', options.callback, 'i32,i32,i32>i32'),
      async: options.async,
      instance: scope.instance,
    };
  }
}

function expect(what: string, item: CoreItem, type: string): void {
  if (item.signature !== type) throw new LinkError('invalid', `${what} has the type ${item.signature ?? 'of a module of its own'}, not ${type}`);
}
