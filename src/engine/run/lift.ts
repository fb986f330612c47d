import type { CoreRef, PlanLift } from '#engine/plan.js';
import type { CallContext } from '#engine/run/abi/codec.js';
import { trap, type CoreType, type Flat } from '#engine/run/abi/layout.js';
import { isIndirect, needsSpill, type Signature } from '#engine/run/abi/type-table.js';
import type { Parts } from './parts.js';
import type { StackEntry } from './stack-switch.js';
import type { EventTriple, GuestFunction, Task } from './task.js';

const CALLBACK = { params: ['i32', 'i32', 'i32'], result: 'i32' } as const;

/** The core side of a lifted function: which parameters and result its core function has (flatten_functype, 'lift'). */
function coreSignature(signature: Signature, style: GuestFunction['style']): { params: CoreType[]; result: CoreType | null } {
  const { params, flatCount, result } = signature;
  const flat: CoreType[] = needsSpill(flatCount) ? ['i32'] : params.flatMap((param) => param.flat);
  if (style === 'callback') return { params: flat, result: 'i32' };
  if (style === 'stackful' || !result || result.flat.length === 0) return { params: flat, result: null };
  return { params: flat, result: isIndirect(result) ? 'i32' : result.flat[0] };
}

/** A core function as a component function (CanonicalABI.md `canon lift`). */
export class LiftedFunction implements GuestFunction {
  readonly async: boolean;
  readonly style: GuestFunction['style'];
  private readonly signature: Signature;
  private readonly context: CallContext;
  private readonly entry: StackEntry | null;
  private readonly callbackEntry: StackEntry | null;
  private boundAt = -1;
  private core!: WebAssembly.CoreFunction;
  private callbackCore!: WebAssembly.CoreFunction;
  private postReturn: WebAssembly.CoreFunction | null = null;

  constructor(private readonly parts: Parts, private readonly plan: PlanLift) {
    const { options } = plan;
    this.signature = parts.types.signature(plan.type);
    this.async = this.signature.async;
    this.style = !options.async ? 'sync' : options.callback ? 'callback' : 'stackful';
    this.context = parts.context(options);
    const { analysis } = parts;
    // a trampoline that never waits is a plain JavaScript function: it has no stack to be taken off
    const isPlain = plan.core.k === 'trampoline' && !analysis.mayWait(plan.core.id);
    const stacked = analysis.needsStack(plan.instance) && !isPlain;
    this.entry = stacked ? parts.stacks.entry(coreSignature(this.signature, this.style)) : null;
    this.callbackEntry = stacked ? parts.stacks.entry(CALLBACK) : null;
  }

  call(task: Task, args: unknown[]): unknown {
    if (this.boundAt !== this.parts.instantiation) this.bind();
    const flat = this.lowerParams(args);
    return this.entry ? this.entry(task, this.core, flat) : this.core(...flat);
  }

  callback(task: Task, event: EventTriple): unknown {
    return this.callbackEntry ? this.callbackEntry(task, this.callbackCore, [...event]) : this.callbackCore(...event);
  }

  finish(task: Task, coreResult: unknown): void {
    const instance = this.parts.instances[this.plan.instance];
    this.parts.scheduler.resolve(task, this.liftResult(coreResult), false);
    if (!this.postReturn) return;
    instance.mayLeave = false;
    if (coreResult === undefined) this.postReturn();
    else this.postReturn(coreResult);
    instance.mayLeave = true;
  }

  /** What `task.return` must agree with. */
  isReturnedBy(resultKey: string, context: CallContext): boolean {
    const { options, type } = this.plan;
    if (!options.async || this.parts.types.resultKey(type) !== resultKey) return false;
    return context.handles === this.context.handles && context.encoding === this.context.encoding;
  }

  private lowerParams(args: readonly unknown[]): Flat {
    const { context, signature } = this;
    const { params, places, tuple } = signature;
    if (args.length !== params.length) throw new TypeError(`expected ${params.length} arguments, got ${args.length}`);
    context.begin();
    const flat: Flat = [];
    if (needsSpill(signature.flatCount)) {
      const ptr = context.allocate(tuple.size, tuple.align);
      tuple.store(context, ptr, args);
      flat.push(ptr | 0);
      return flat;
    }
    for (let i = 0; i < params.length; i++) params[i].lower(context, flat, places[i], args[i]);
    return flat;
  }

  private liftResult(coreResult: unknown): unknown {
    const { result } = this.signature;
    if (!result) return undefined;
    const { context } = this;
    context.begin();
    if (!isIndirect(result)) return result.lift(context, [coreResult as number], 0);
    const ptr = (coreResult as number) >>> 0;
    context.check(ptr, result.size, result.align);
    return result.load(context, ptr);
  }

  private bind(): void {
    const { parts, plan } = this;
    const find = (ref: CoreRef): WebAssembly.CoreFunction => {
      const found = parts.core(ref);
      return typeof found === 'function' ? found : trap('a lifted core function is not there yet');
    };
    this.core = find(plan.core);
    if (plan.options.callback) this.callbackCore = find(plan.options.callback);
    this.postReturn = plan.options.postReturn ? find(plan.options.postReturn) : null;
    this.boundAt = parts.instantiation;
  }
}
