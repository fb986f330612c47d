import type { CallContext, Codec, Lends } from '#engine/run/abi/codec.js';
import { MAX_FLAT_ASYNC_PARAMS, MAX_FLAT_PARAMS, type CoreType, type Flat } from '#engine/run/abi/layout.js';
import { isIndirect, needsSpill, type Signature } from '#engine/run/abi/type-table.js';
import type { HostFunction } from './host.js';
import type { CoreSignature } from './thunk.js';

/** Parameters and result of a lowered function, between flat core values and JavaScript (flatten_functype, 'lower'). */
export class LoweredValues {
  readonly core: CoreSignature;
  private readonly spilled: boolean;
  private readonly indirect: boolean;
  private readonly resultAt: number;
  /** Where a result that comes back directly passes through. */
  private readonly direct: Flat = [];

  constructor(private readonly signature: Signature, private readonly context: CallContext, isAsync: boolean) {
    const { flatCount, params, result } = signature;
    this.spilled = needsSpill(flatCount, isAsync ? MAX_FLAT_ASYNC_PARAMS : MAX_FLAT_PARAMS);
    this.indirect = isAsync ? result !== null : isIndirect(result);
    const flat: CoreType[] = this.spilled ? ['i32'] : params.flatMap((param) => param.flat);
    this.resultAt = flat.length;
    if (this.indirect) flat.push('i32');
    this.core = { params: flat, result: isAsync ? 'i32' : this.indirect || !result ? null : (result.flat[0] ?? null) };
  }

  /** Lifts the caller's arguments; borrowed handles among them are noted in `lends`. */
  read(flat: Flat, lends: Lends | null): unknown[] {
    const { context, signature } = this;
    const { params, places, tuple } = signature;
    context.begin();
    context.lends = signature.hasBorrow ? lends : null;
    if (this.spilled) {
      const ptr = (flat[0] as number) >>> 0;
      context.check(ptr, tuple.size, tuple.align);
      return tuple.load(context, ptr) as unknown[];
    }
    const args: unknown[] = [];
    for (let i = 0; i < params.length; i++) args.push(params[i].lift(context, flat, places[i]));
    return args;
  }

  /** `read` and a call of `host` in one: without an array of arguments where there are few. */
  caller(host: HostFunction): (flat: Flat, lends: Lends | null) => unknown {
    const { context, signature, spilled } = this;
    const { params, places, hasBorrow } = signature;
    const [a, b, c] = params;
    const begin = (lends: Lends | null): void => {
      context.begin();
      context.lends = hasBorrow ? lends : null;
    };
    if (spilled || params.length > 3) return (flat, lends) => host(...this.read(flat, lends));
    switch (params.length) {
      case 0: return () => host();
      case 1: return (flat, lends) => {
        begin(lends);
        return host(a.lift(context, flat, 0));
      };
      case 2: return (flat, lends) => {
        begin(lends);
        const first = a.lift(context, flat, 0);
        return host(first, b.lift(context, flat, places[1]));
      };
      default: return (flat, lends) => {
        begin(lends);
        const first = a.lift(context, flat, 0);
        const second = b.lift(context, flat, places[1]);
        return host(first, second, c.lift(context, flat, places[2]));
      };
    }
  }

  /** Lowers the result to where the caller wants it; returns the core result. */
  write(flat: Flat, value: unknown): unknown {
    return this.writeAs(this.signature.result, flat, value);
  }

  /** `write` of what a host gave: a `result` by the host's convention. */
  writeFromHost(flat: Flat, value: unknown): unknown {
    return this.writeAs(this.signature.hostResult, flat, value);
  }

  private writeAs(result: Codec | null, flat: Flat, value: unknown): unknown {
    if (!result) return undefined;
    const { context } = this;
    context.begin();
    if (this.indirect) {
      const ptr = (flat[this.resultAt] as number) >>> 0;
      context.checkOut(ptr, result.size, result.align);
      result.store(context, ptr, value);
      return undefined;
    }
    result.lower(context, this.direct, 0, value);
    return this.direct[0];
  }
}
