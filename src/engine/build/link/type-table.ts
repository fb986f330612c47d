import type { PlanFuncType, PlanType, PrimitiveName } from '#engine/plan.js';
import { LinkError } from '#engine/build/build-error.js';

/** Flat values beyond this many never travel one by one (CanonicalABI.md, MAX_FLAT_PARAMS), so longer lists are not kept. */
const MAX_FLAT = 16;
/**
 * CanonicalABI.md, Element Size: that of every value type is below this, whatever the width of a pointer. It also bounds what the
 * ABI compiles per type.
 */
const MAX_ELEMENT_BYTES = 2 ** 28;
/** Nesting of value types; the ABI recurses along it. */
const MAX_TYPE_DEPTH = 100;
const MAX_TYPES = 100_000;

export type FlatType = 'i32' | 'i64' | 'f32' | 'f64';

/** What validation needs to know of a value type (CanonicalABI.md: Alignment, Element Size, Flattening). */
export interface TypeFacts {
  size: number;
  align: number;
  /** null: more than 16 flat values. */
  flat: FlatType[] | null;
  /** Holds a string or a list, so lowering it allocates. */
  pointers: boolean;
  borrow: boolean;
  /** Names a resource type somewhere in it. */
  resources: boolean;
  /** The work of making the type anew, in the units of a link budget. */
  weight: number;
  depth: number;
  /** Size and alignment with 64-bit pointers, which the bound on sizes is about too. */
  wide: Layout;
}

const PRIMITIVES: Record<PrimitiveName, [size: number, flat: FlatType[]]> = {
  bool: [1, ['i32']], s8: [1, ['i32']], u8: [1, ['i32']], s16: [2, ['i32']], u16: [2, ['i32']], s32: [4, ['i32']], u32: [4, ['i32']],
  s64: [8, ['i64']], u64: [8, ['i64']], f32: [4, ['f32']], f64: [8, ['f64']], char: [4, ['i32']], string: [8, ['i32', 'i32']],
  'error-context': [4, ['i32']],
};

type Measure = Omit<TypeFacts, 'weight'>;

const WIDE_PAIR = { size: 16, align: 8 };

const SCALAR: Measure = {
  size: 4, align: 4, flat: ['i32'], pointers: false, borrow: false, resources: false, depth: 1, wide: { size: 4, align: 4 },
};

function alignTo(size: number, align: number): number {
  return Math.ceil(size / align) * align;
}

function joinFlat(a: FlatType | undefined, b: FlatType): FlatType {
  if (a === undefined || a === b) return b;
  return (a === 'i32' && b === 'f32') || (a === 'f32' && b === 'i32') ? 'i32' : 'i64';
}

function concat(lists: (FlatType[] | null)[]): FlatType[] | null {
  const all: FlatType[] = [];
  for (const list of lists) {
    if (list === null || all.length + list.length > MAX_FLAT) return null;
    all.push(...list);
  }
  return all;
}

interface Layout {
  size: number;
  align: number;
}

function tupleLayout(fields: Layout[]): Layout {
  let size = 0;
  let align = 1;
  for (const field of fields) {
    align = Math.max(align, field.align);
    size = alignTo(size, field.align) + field.size;
  }
  return { size: alignTo(size, align), align };
}

function variantLayout(tag: number, payloads: Layout[]): Layout {
  const payloadAlign = payloads.reduce((align, payload) => Math.max(align, payload.align), 1);
  const payloadSize = payloads.reduce((size, payload) => Math.max(size, payload.size), 0);
  const align = Math.max(tag, payloadAlign);
  return { size: alignTo(alignTo(tag, payloadAlign) + payloadSize, align), align };
}

function joined(parts: Measure[]): Pick<TypeFacts, 'pointers' | 'borrow' | 'resources' | 'depth'> {
  return {
    pointers: parts.some((part) => part.pointers),
    borrow: parts.some((part) => part.borrow),
    resources: parts.some((part) => part.resources),
    depth: 1 + parts.reduce((depth, part) => Math.max(depth, part.depth), 0),
  };
}

function isPrimitive(type: PlanType): type is { t: PrimitiveName } {
  return type.t in PRIMITIVES;
}

/**
 * The value and function types of a plan, each kept once: equal types have equal indices, so that comparing two types of a
 * component is comparing two numbers.
 */
export class TypeTable {
  readonly types: PlanType[] = [];
  readonly funcTypes: PlanFuncType[] = [];
  private readonly facts: TypeFacts[] = [];
  private readonly byKey = new Map<string, number>();
  private readonly funcByKey = new Map<string, number>();

  type(type: PlanType): number {
    const key = JSON.stringify(type);
    const known = this.byKey.get(key);
    if (known !== undefined) return known;
    if (this.types.length >= MAX_TYPES) throw new LinkError('limit', `more than ${MAX_TYPES} types`);
    const facts = { ...this.measure(type), weight: 1 + Math.floor(key.length / 16) };
    if (Math.max(facts.size, facts.wide.size) >= MAX_ELEMENT_BYTES) throw new LinkError('invalid', `a ${type.t} type is larger than ${MAX_ELEMENT_BYTES} bytes`);
    if (facts.depth > MAX_TYPE_DEPTH) throw new LinkError('limit', `value types are nested deeper than ${MAX_TYPE_DEPTH}`);
    const index = this.types.push(type) - 1;
    this.facts.push(facts);
    this.byKey.set(key, index);
    return index;
  }

  funcType(type: PlanFuncType): number {
    const key = JSON.stringify(type);
    const known = this.funcByKey.get(key);
    if (known !== undefined) return known;
    if (this.funcTypes.length >= MAX_TYPES) throw new LinkError('limit', `more than ${MAX_TYPES} function types`);
    const index = this.funcTypes.push(type) - 1;
    this.funcByKey.set(key, index);
    return index;
  }

  get(index: number): PlanType {
    return this.types[index]!;
  }

  factsOf(index: number): TypeFacts {
    return this.facts[index]!;
  }

  /** The flat form of a list of values; null when it is too long. */
  flatten(types: number[]): FlatType[] | null {
    return concat(types.map((type) => this.factsOf(type).flat));
  }

  private measure(type: PlanType): Measure {
    if (isPrimitive(type)) {
      const [size, flat] = PRIMITIVES[type.t];
      if (type.t === 'string') return { ...SCALAR, size, flat, pointers: true, wide: WIDE_PAIR };
      return { ...SCALAR, size, align: size, flat, wide: { size, align: size } };
    }
    switch (type.t) {
      case 'own': return { ...SCALAR, resources: true };
      case 'borrow': return { ...SCALAR, resources: true, borrow: true };
      case 'stream': case 'future': {
        const element = type.of === null ? SCALAR : this.factsOf(type.of);
        return { ...SCALAR, resources: element.resources, depth: 1 + element.depth };
      }
      case 'list': return this.measureList(type.of, type.length);
      case 'record': return this.measureTuple(type.fields.map(([, field]) => field));
      case 'tuple': return this.measureTuple(type.of);
      case 'flags': {
        const size = type.names.length <= 8 ? 1 : type.names.length <= 16 ? 2 : 4;
        return { ...SCALAR, size, align: size, wide: { size, align: size } };
      }
      case 'enum': return this.measureVariant(type.names.map(() => null));
      case 'option': return this.measureVariant([null, type.of]);
      case 'result': return this.measureVariant([type.ok, type.err]);
      case 'variant': return this.measureVariant(type.cases.map(([, payload]) => payload));
    }
  }

  private measureList(of: number, length?: number): Measure {
    const item = this.factsOf(of);
    const depth = item.depth + 1;
    if (length === undefined) return { ...item, size: 8, align: 4, flat: ['i32', 'i32'], pointers: true, depth, wide: WIDE_PAIR };
    const flat = length > MAX_FLAT ? null : concat(Array.from({ length }, () => item.flat));
    return { ...item, size: item.size * length, flat, depth, wide: { size: item.wide.size * length, align: item.wide.align } };
  }

  private measureTuple(fields: number[]): Measure {
    const facts = fields.map((field) => this.factsOf(field));
    return { ...tupleLayout(facts), flat: concat(facts.map((field) => field.flat)), ...joined(facts), wide: tupleLayout(facts.map((field) => field.wide)) };
  }

  private measureVariant(cases: (number | null)[]): Measure {
    const tag = cases.length <= 2 ** 8 ? 1 : cases.length <= 2 ** 16 ? 2 : 4;
    const payloads = cases.filter((payload) => payload !== null).map((payload) => this.factsOf(payload));
    return {
      ...variantLayout(tag, payloads), flat: this.joinPayloads(payloads), ...joined(payloads),
      wide: variantLayout(tag, payloads.map((payload) => payload.wide)),
    };
  }

  private joinPayloads(payloads: Measure[]): FlatType[] | null {
    const joined: FlatType[] = [];
    for (const { flat } of payloads) {
      if (flat === null || flat.length >= MAX_FLAT) return null;
      flat.forEach((type, i) => (joined[i] = joinFlat(joined[i], type)));
    }
    return ['i32', ...joined];
  }
}
