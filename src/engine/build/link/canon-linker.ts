import type { CoreRef, PlanLift, PlanOptions, PlanTrampoline } from '#engine/plan.js';
import { LinkError } from '#engine/build/build-error.js';
import type { Signature } from '#engine/build/core/core-types.js';
import type { Canon, CanonOptions } from '#engine/build/decode/ast.js';
import { CanonRules, type BuiltinCanon, type BuiltinTypes, type CoreLookup, type LiftCanon } from './canon-rules.js';
import type { CoreItem, FuncEntity, Scope } from './scope.js';
import { BUILTIN_SIGNATURES } from './signature.js';
import type { TypeEvaluator } from './type-evaluator.js';

const MAX_FUNCTIONS = 100_000;

type Lower = Extract<Canon, { op: 'lower' }>;

/** Makes lifts and trampolines of canonical definitions, checked as far as the run time relies on it. */
export class CanonLinker {
  readonly lifts: PlanLift[] = [];
  readonly trampolines: PlanTrampoline[] = [];
  private readonly rules: CanonRules;

  constructor(private readonly types: TypeEvaluator) {
    this.rules = new CanonRules(types.table);
  }

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

  private trampoline(trampoline: PlanTrampoline, signature: Signature): CoreItem {
    const id = this.trampolines.push(trampoline) - 1;
    return { ref: { k: 'trampoline', id }, type: { kind: 'func', signature } };
  }

  private lift(scope: Scope, canon: LiftCanon): FuncEntity {
    const type = this.types.funcIndex(scope, canon.type);
    this.rules.lift(canon, this.types.table.funcTypes[type]!, lookup(scope));
    const core = scope.get('core func', canon.func).ref;
    const lift = this.lifts.push({ core, type, options: options(scope, canon.options), instance: scope.instance }) - 1;
    return { k: 'lift', lift, type };
  }

  private lower(scope: Scope, canon: Lower): CoreItem {
    const func = scope.get('func', canon.func);
    const signature = this.rules.lower(canon.options, this.types.table.funcTypes[func.type]!, lookup(scope));
    const { type: _, ...callee } = func;
    return this.trampoline({ op: 'lower', callee, type: func.type, options: options(scope, canon.options), instance: scope.instance }, signature);
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

  private builtin(scope: Scope, canon: BuiltinCanon): CoreItem {
    const trampoline: Extract<PlanTrampoline, { options?: PlanOptions; slot?: number }> = { op: canon.op, instance: scope.instance };
    const types: BuiltinTypes = { result: null, pipe: null };
    if ('type' in canon) trampoline.type = types.pipe = this.pipeType(scope, canon.op, canon.type);
    if ('result' in canon) trampoline.result = types.result = this.types.optional(scope, canon.result);
    if ('async' in canon) trampoline.async = canon.async;
    if ('cancellable' in canon) trampoline.cancellable = canon.cancellable;
    if ('slot' in canon) trampoline.slot = canon.slot;
    const signature = this.rules.builtin(canon, types, lookup(scope));
    if ('memory' in canon) trampoline.options = memoryOptions(scope, canon.memory);
    if ('options' in canon) {
      trampoline.options = options(scope, canon.options);
      trampoline.async = canon.options.async;
    }
    return this.trampoline(trampoline, signature);
  }

  private pipeType(scope: Scope, op: string, index: number): number {
    const entity = scope.get('type', index);
    const wanted = op.slice(0, op.indexOf('.'));
    const type = entity.k === 'value' ? this.types.table.get(entity.type) : undefined;
    if (entity.k !== 'value' || type?.t !== wanted) throw new LinkError('invalid', `${op}: type ${index} is not a ${wanted}`);
    return entity.type;
  }
}

function lookup(scope: Scope): CoreLookup {
  return (space, index) => scope.get(space, index).type;
}

function memoryOptions(scope: Scope, memory: number): PlanOptions {
  return options(scope, { encoding: 'utf8', memory, realloc: null, postReturn: null, callback: null, async: false });
}

function options(scope: Scope, { encoding, memory, realloc, postReturn, callback, async }: CanonOptions): PlanOptions {
  const ref = (space: 'core func' | 'core memory', index: number | null): CoreRef | null => (index === null ? null : scope.get(space, index).ref);
  return {
    encoding,
    memory: ref('core memory', memory),
    realloc: ref('core func', realloc),
    postReturn: ref('core func', postReturn),
    callback: ref('core func', callback),
    async,
    instance: scope.instance,
  };
}
