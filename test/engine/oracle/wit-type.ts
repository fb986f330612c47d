import type { Random } from '../../fixtures/random.js';

/** A value type of WASI 0.2, with nothing of the engine in it: what the engine computes of a type is computed here again. */
export type WitType =
  | { k: 'primitive'; name: Primitive }
  | { k: 'list' | 'option'; of: WitType }
  | { k: 'tuple'; of: WitType[] }
  | { k: 'result'; ok: WitType | null; err: WitType | null }
  | { k: 'record'; name: string; fields: [label: string, type: WitType][] }
  | { k: 'variant'; name: string; cases: [label: string, type: WitType | null][] }
  | { k: 'enum' | 'flags'; name: string; labels: string[] };

export const PRIMITIVE_NAMES = ['bool', 'u8', 's8', 'u16', 's16', 'u32', 's32', 'u64', 's64', 'f32', 'f64', 'char', 'string'] as const;
export type Primitive = (typeof PRIMITIVE_NAMES)[number];
export type Core = 'i32' | 'i64' | 'f32' | 'f64';

export interface WitFunction {
  params: WitType[];
  result: WitType | null;
}

/** Labels whose spelling as a key is not plain, or which objects have without being asked. */
const ODD_LABELS = ['constructor', 'to-string', 'has-own-property', 'value-of', 'length', 'then', 'tag', 'val', 'none', 'some', 'ok', 'err', 'HTTP-status',
  'a-B-c', 'x1-y2', 'default', 'null', 'record', 'name', 'of', 'error', 'payload'];

function labels(random: Random, count: number): string[] {
  const odd = [...ODD_LABELS];
  return Array.from({ length: count }, (_, i) => {
    if (count < 12 && random.below(3) === 0) return odd.splice(random.below(odd.length), 1)[0]!;
    return random.below(2) === 0 ? `f${i}` : `the-${'abc'[i % 3]}-f${i}`;
  });
}

const WIDTHS = [1, 2, 3, 5, 8, 9, 15, 16, 17, 31, 32];

/** Makes types and remembers the declarations of those that have a name. */
export class TypeMaker {
  private readonly declarations: string[] = [];
  /** How many more types the function at hand may have. */
  private left = 0;

  constructor(private readonly random: Random) {}

  function(): WitFunction {
    const { random } = this;
    this.left = random.pick([4, 12, 40, 80]);
    const count = random.pick([0, 1, 1, 1, 1, 2, 2, 3, 6]);
    const depth = 1 + random.below(4);
    return {
      params: Array.from({ length: count }, () => this.type(depth)),
      result: random.below(8) === 0 ? null : this.type(depth),
    };
  }

  /** What stands in an interface before the functions. */
  get wit(): string {
    return this.declarations.join('\n');
  }

  private type(depth: number): WitType {
    const { random } = this;
    if (depth <= 0 || this.left-- <= 0) return { k: 'primitive', name: random.pick(PRIMITIVE_NAMES) };
    const inner = (): WitType => this.type(depth - 1);
    const maybe = (): WitType | null => (random.below(3) === 0 ? null : inner());
    switch (random.below(12)) {
      case 0: return { k: 'primitive', name: random.pick(PRIMITIVE_NAMES) };
      case 1: case 2: return { k: 'list', of: inner() };
      case 3: return { k: 'tuple', of: Array.from({ length: 1 + random.below(random.pick([3, 5, 18])) }, inner) };
      case 4: case 5: return { k: 'option', of: inner() };
      case 6: return { k: 'result', ok: maybe(), err: maybe() };
      case 7: case 8: return this.named({ k: 'record', name: '', fields: labels(random, 1 + random.below(random.pick([3, 6, 24]))).map((label) => [label, inner()]) });
      case 9: return this.named({ k: 'variant', name: '', cases: labels(random, 1 + random.below(random.pick([3, 6, 20]))).map((label) => [label, maybe()]) });
      case 10: return this.named({ k: 'enum', name: '', labels: labels(random, random.below(15) === 0 ? 255 + random.below(3) : random.pick(WIDTHS)) });
      default: return this.named({ k: 'flags', name: '', labels: labels(random, random.pick(WIDTHS)) });
    }
  }

  private named<T extends Extract<WitType, { name: string }>>(type: T): T {
    const named = { ...type, name: `t${this.declarations.length}` };
    this.declarations.push(`${named.k} ${named.name} { ${bodyOf(named as WitType).join(', ')} }`);
    return named;
  }
}

/** Words of WIT are labels too when they are escaped. */
function bodyOf(type: WitType): string[] {
  switch (type.k) {
    case 'record': return type.fields.map(([label, field]) => `%${label}: ${written(field)}`);
    case 'variant': return type.cases.map(([label, payload]) => (payload ? `%${label}(${written(payload)})` : `%${label}`));
    case 'enum': case 'flags': return type.labels.map((label) => `%${label}`);
    default: return [];
  }
}

/** The type as WIT writes it where it is used. */
export function written(type: WitType): string {
  switch (type.k) {
    case 'primitive': case 'record': case 'variant': case 'enum': case 'flags': return type.name;
    case 'list': case 'option': return `${type.k}<${written(type.of)}>`;
    case 'tuple': return `tuple<${type.of.map(written).join(', ')}>`;
    case 'result':
      if (type.err) return `result<${type.ok ? written(type.ok) : '_'}, ${written(type.err)}>`;
      return type.ok ? `result<${written(type.ok)}>` : 'result';
  }
}

/** The declarations that a type needs, for a message. */
export function declared(type: WitType | null): string[] {
  if (!type) return [];
  switch (type.k) {
    case 'primitive': return [];
    case 'list': case 'option': return declared(type.of);
    case 'tuple': return type.of.flatMap(declared);
    case 'result': return [...declared(type.ok), ...declared(type.err)];
    case 'record': return [...type.fields.flatMap(([, field]) => declared(field)), `${type.k} ${type.name} { ${bodyOf(type).join(', ')} }`];
    case 'variant': return [...type.cases.flatMap(([, payload]) => declared(payload)), `${type.k} ${type.name} { ${bodyOf(type).join(', ')} }`];
    case 'enum': case 'flags': return [`${type.k} ${type.name} { ${bodyOf(type).join(', ')} }`];
  }
}

const CORE: Record<Primitive, Core[]> = {
  bool: ['i32'], u8: ['i32'], s8: ['i32'], u16: ['i32'], s16: ['i32'], u32: ['i32'], s32: ['i32'], u64: ['i64'], s64: ['i64'], f32: ['f32'], f64: ['f64'],
  char: ['i32'], string: ['i32', 'i32'],
};

function joined(a: Core | undefined, b: Core): Core {
  if (a === undefined || a === b) return b;
  return a.endsWith('32') && b.endsWith('32') ? 'i32' : 'i64';
}

function flatCases(cases: (WitType | null)[]): Core[] {
  const payload: Core[] = [];
  for (const type of cases) (type ? flat(type) : []).forEach((core, i) => { payload[i] = joined(payload[i], core); });
  return ['i32', ...payload];
}

/** CanonicalABI.md "Flattening". */
export function flat(type: WitType): Core[] {
  switch (type.k) {
    case 'primitive': return CORE[type.name];
    case 'list': return ['i32', 'i32'];
    case 'tuple': return type.of.flatMap(flat);
    case 'record': return type.fields.flatMap(([, field]) => flat(field));
    case 'option': return flatCases([null, type.of]);
    case 'result': return flatCases([type.ok, type.err]);
    case 'variant': return flatCases(type.cases.map(([, payload]) => payload));
    case 'enum': case 'flags': return ['i32'];
  }
}

interface Layout {
  size: number;
  align: number;
}

const SIZE: Record<Primitive, number> = { bool: 1, u8: 1, s8: 1, u16: 2, s16: 2, u32: 4, s32: 4, u64: 8, s64: 8, f32: 4, f64: 8, char: 4, string: 8 };
const up = (at: number, align: number): number => Math.ceil(at / align) * align;

function sequence(types: WitType[]): Layout {
  let size = 0;
  let align = 1;
  for (const type of types) {
    const field = layout(type);
    size = up(size, field.align) + field.size;
    align = Math.max(align, field.align);
  }
  return { size: up(size, align), align };
}

function choice(cases: (WitType | null)[]): Layout {
  const tag = cases.length <= 256 ? 1 : 2;
  const payloads = cases.map((type) => (type ? layout(type) : { size: 0, align: 1 }));
  const payloadAlign = Math.max(...payloads.map(({ align }) => align));
  const align = Math.max(tag, payloadAlign);
  return { size: up(up(tag, payloadAlign) + Math.max(...payloads.map(({ size }) => size)), align), align };
}

const flagsBytes = (count: number): number => (count <= 8 ? 1 : count <= 16 ? 2 : 4);

/** CanonicalABI.md "Alignment" and "Element Size". */
export function layout(type: WitType): Layout {
  switch (type.k) {
    case 'primitive': return { size: SIZE[type.name], align: type.name === 'string' ? 4 : SIZE[type.name] };
    case 'list': return { size: 8, align: 4 };
    case 'tuple': return sequence(type.of);
    case 'record': return sequence(type.fields.map(([, field]) => field));
    case 'option': return choice([null, type.of]);
    case 'result': return choice([type.ok, type.err]);
    case 'variant': return choice(type.cases.map(([, payload]) => payload));
    case 'enum': return choice(type.labels.map(() => null));
    case 'flags': return { size: flagsBytes(type.labels.length), align: flagsBytes(type.labels.length) };
  }
}
