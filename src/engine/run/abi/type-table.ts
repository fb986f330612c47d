import type { Plan, PlanType } from '#engine/plan.js';
import type { ResourceType } from '#engine/run/resource.js';
import type { Codec, PipeType } from './codec.js';
import { borrowCodec, ERROR_CONTEXT, ownCodec, pipeCodec } from './handle.js';
import { MAX_FLAT_PARAMS } from './layout.js';
import { fixedListCodec, isNumberType, listCodec } from './list.js';
import { PRIMITIVES } from './primitive.js';
import { flagsCodec, recordCodec } from './record.js';
import { STRING } from './string.js';
import { enumCodec, hostResultCodec, optionCodec, resultCodec, variantCodec } from './variant.js';

/** A function type with everything that its calls need. */
export interface Signature {
  readonly index: number;
  readonly async: boolean;
  readonly params: readonly Codec[];
  /** Place of each parameter among the flat ones. */
  readonly places: readonly number[];
  readonly flatCount: number;
  /** All parameters as one tuple, for when they travel in memory. */
  readonly tuple: Codec;
  readonly result: Codec | null;
  /** The result as host functions give it: of a `result` the ok value plainly, or an Err. */
  readonly hostResult: Codec | null;
  readonly hasBorrow: boolean;
  /** It also takes handles for good: one and the same must not be in both places. */
  readonly lendsAndTakes: boolean;
}

/** The types of one program, compiled once each and shared by all its slots. */
export class TypeTable {
  private readonly codecs: (Codec | undefined)[] = [];
  private readonly pipes: (PipeType | undefined)[] = [];
  private readonly keys: (string | undefined)[] = [];
  private readonly signatures: (Signature | undefined)[] = [];

  constructor(private readonly plan: Pick<Plan, 'types' | 'funcTypes'>, private readonly resources: readonly ResourceType[]) {}

  codec(index: number): Codec {
    return (this.codecs[index] ??= this.compile(this.plan.types[index]));
  }

  private optional(index: number | null): Codec | null {
    return index === null ? null : this.codec(index);
  }

  /** Equal for structurally equal types; resources count by identity. */
  key(index: number | null): string {
    if (index === null) return '';
    return (this.keys[index] ??= this.describe(this.plan.types[index]));
  }

  /** Key of the result of a function type. */
  resultKey(funcType: number): string {
    return this.key(this.plan.funcTypes[funcType].result);
  }

  pipe(index: number): PipeType {
    const known = this.pipes[index];
    if (known) return known;
    const type = this.plan.types[index];
    if (type.t !== 'stream' && type.t !== 'future') throw new Error(`type ${index} is no stream and no future`);
    const element = type.of === null ? null : this.plan.types[type.of].t;
    return (this.pipes[index] = {
      future: type.t === 'future',
      key: this.key(type.of),
      element: this.optional(type.of),
      bytes: element === 'u8',
      plain: element === null || isNumberType(element),
    });
  }

  signature(index: number): Signature {
    return (this.signatures[index] ??= this.compileSignature(index));
  }

  private compileSignature(index: number): Signature {
    const type = this.plan.funcTypes[index];
    const params = type.params.map(([, param]) => this.codec(param));
    const has = (handle: string): boolean => type.params.some(([, param]) => this.key(param).includes(handle));
    const hasBorrow = has('borrow<');
    return {
      index,
      async: type.async,
      ...signatureOf(params, this.optional(type.result)),
      hostResult: this.hostResult(type.result),
      hasBorrow,
      lendsAndTakes: hasBorrow && has('own<'),
    };
  }

  private hostResult(index: number | null): Codec | null {
    const type = index === null ? null : this.plan.types[index];
    return type?.t === 'result' ? hostResultCodec(this.optional(type.ok), this.optional(type.err)) : this.optional(index);
  }

  private compile(type: PlanType): Codec {
    switch (type.t) {
      case 'string': return STRING;
      case 'error-context': return ERROR_CONTEXT;
      case 'list': {
        const name = this.plan.types[type.of].t;
        return type.length === undefined ? listCodec(this.codec(type.of), name) : fixedListCodec(this.codec(type.of), name, type.length);
      }
      case 'record': return recordCodec(type.fields.map(([, field]) => this.codec(field)), type.fields.map(([name]) => name));
      case 'tuple': return recordCodec(type.of.map((item) => this.codec(item)), null);
      case 'variant': return variantCodec(type.cases.map(([, payload]) => this.optional(payload)), type.cases.map(([name]) => name));
      case 'enum': return enumCodec(type.names);
      case 'flags': return flagsCodec(type.names);
      case 'option': return optionCodec(this.codec(type.of), this.plan.types[type.of].t === 'option');
      case 'result': return resultCodec(this.optional(type.ok), this.optional(type.err));
      case 'own': return ownCodec(this.resources[type.resource]);
      case 'borrow': return borrowCodec(this.resources[type.resource]);
      case 'stream':
      case 'future': return pipeCodec(this.pipe(this.plan.types.indexOf(type)));
      default: return PRIMITIVES[type.t];
    }
  }

  private describe(type: PlanType): string {
    switch (type.t) {
      case 'list': return `list<${this.key(type.of)},${type.length ?? ''}>`;
      case 'record': return `record<${type.fields.map(([name, field]) => `${name}:${this.key(field)}`).join()}>`;
      case 'tuple': return `tuple<${type.of.map((item) => this.key(item)).join()}>`;
      case 'variant': return `variant<${type.cases.map(([name, payload]) => `${name}:${this.key(payload)}`).join()}>`;
      case 'enum':
      case 'flags': return `${type.t}<${type.names.join()}>`;
      case 'option': return `option<${this.key(type.of)}>`;
      case 'result': return `result<${this.key(type.ok)},${this.key(type.err)}>`;
      case 'own':
      case 'borrow': return `${type.t}<${type.resource}>`;
      case 'stream':
      case 'future': return `${type.t}<${this.key(type.of)}>`;
      default: return type.t;
    }
  }
}

/** The part of a signature that follows from its codecs; also for functions without a type in the plan, such as destructors. */
export function signatureOf(params: readonly Codec[], result: Codec | null): Pick<Signature, 'params' | 'places' | 'flatCount' | 'tuple' | 'result'> {
  const places: number[] = [];
  let flatCount = 0;
  for (const param of params) {
    places.push(flatCount);
    flatCount += param.flat.length;
  }
  return { params, places, flatCount, tuple: recordCodec(params, null), result };
}

/** Whether a value of this type comes back through memory: at most one flat result is returned directly. */
export function isIndirect(result: Codec | null): boolean {
  return result !== null && result.flat.length > 1;
}

export function needsSpill(flatCount: number, max: number = MAX_FLAT_PARAMS): boolean {
  return flatCount > max;
}
