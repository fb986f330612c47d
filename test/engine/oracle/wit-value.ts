import type { Random } from '../../fixtures/random.js';
import type { Primitive, WitType } from './wit-type.js';

interface Tagged {
  tag: string;
  val?: unknown;
}

/** `HTTP-status` -> `httpStatus`. */
export function keyOf(label: string): string {
  return label.toLowerCase().replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

const ARRAYS: Partial<Record<Primitive, new (values: never[]) => ArrayLike<number | bigint>>> = {
  u8: Uint8Array, s8: Int8Array, u16: Uint16Array, s16: Int16Array, u32: Uint32Array, s32: Int32Array,
  u64: BigUint64Array, s64: BigInt64Array, f32: Float32Array, f64: Float64Array,
};

const TEXTS = ['', 'a', 'plain words', '\0', 'é', 'ÿ', 'ß\u0301', 'Ω', '日本', '\ud7ff', '\ue000', '\ufffd', '\uffff', '😀', '\u{10ffff}', '\u202e', '𝒳', '\u0080\u07ff\u0800', 'x\ufeff', '\ufeff'];
const CHARS = ['\0', 'a', '\x7f', '\x80', 'ÿ', '€', '\ud7ff', '\ue000', '\ufeff', '\ufffd', '\uffff', '😀', '\u{10ffff}'];
const FLOATS = [0, -0, 1, -1.5, Infinity, -Infinity, NaN, Math.PI, 2 ** 31, -(2 ** 53), 1e-40];

function text(random: Random): string {
  const count = random.pick([0, 1, 1, 2, 5, 20, 300]);
  // jco takes a byte order mark off the start of a string
  return Array.from({ length: count }, () => random.pick(TEXTS)).join('').replace(/^\ufeff+/, '');
}

function integer(random: Random, bits: number, signed: boolean): bigint {
  const all = BigInt(random.below(2 ** 32)) << 32n | BigInt(random.below(2 ** 32));
  const edge = 1n << BigInt(bits - 1);
  const value = random.pick([0n, 1n, -1n, edge, edge - 1n, -edge - 1n, all, all >> BigInt(random.below(64))]);
  return signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
}

function primitive(name: Primitive, random: Random): unknown {
  switch (name) {
    case 'bool': return random.below(2) === 0;
    case 'char': return random.pick(CHARS);
    case 'string': return text(random);
    case 'f32': return Math.fround(random.pick([...FLOATS, 1.401298464324817e-45, 3.4028234663852886e38, random.below(1e9) / 1e3]));
    case 'f64': return random.pick([...FLOATS, 5e-324, Number.MAX_VALUE, random.below(1e9) / 1e3]);
    default: {
      const bits = Number(name.slice(1));
      const value = integer(random, bits, name.startsWith('s'));
      return bits === 64 ? value : Number(value);
    }
  }
}

/** A value in the engine's convention (run/host.ts). */
export function makeValue(type: WitType, random: Random, room = 24): unknown {
  const inner = (of: WitType): unknown => makeValue(of, random, Math.floor(room / 2));
  const payload = (of: WitType | null): { val?: unknown } => (of ? { val: inner(of) } : {});
  switch (type.k) {
    case 'primitive': return primitive(type.name, random);
    case 'list': {
      const numbers = type.of.k === 'primitive' ? ARRAYS[type.of.name] : undefined;
      const values = Array.from({ length: random.below(random.pick([1, 2, 4, room])) }, () => inner(type.of));
      return numbers ? new numbers(values as never[]) : values;
    }
    case 'tuple': return type.of.map(inner);
    case 'record': return Object.fromEntries(type.fields.map(([label, field]) => [keyOf(label), inner(field)]));
    case 'option': {
      const isSome = random.below(3) > 0;
      if (type.of.k !== 'option') return isSome ? inner(type.of) : undefined;
      return isSome ? { tag: 'some', val: inner(type.of) } : { tag: 'none' };
    }
    case 'result': return random.below(2) === 0 ? { tag: 'ok', ...payload(type.ok) } : { tag: 'err', ...payload(type.err) };
    case 'variant': {
      const [tag, of] = random.pick(type.cases);
      return { tag, ...payload(of) };
    }
    case 'enum': return random.pick(type.labels);
    case 'flags': return Object.fromEntries(type.labels.map((label) => [keyOf(label), random.below(2) === 0]));
  }
}

/** Where two values of a type differ, with the path there; null: nowhere. Typed arrays must be of the same kind, -0 is not 0. */
export function difference(type: WitType, a: unknown, b: unknown, path = 'value'): string | null {
  const wrong = (): string => `${path}: ${show(a)} and ${show(b)}`;
  const first = (parts: (() => string | null)[]): string | null => {
    for (const part of parts) {
      const found = part();
      if (found !== null) return found;
    }
    return null;
  };
  const keyed = (keys: string[], types: WitType[]): string | null => {
    if (!isObject(a) || !isObject(b) || Object.keys(a).length !== keys.length || Object.keys(b).length !== keys.length) return wrong();
    return first(keys.map((key, i) => () => difference(types[i]!, a[key], b[key], `${path}.${key}`)));
  };
  const tagged = (cases: [string, WitType | null][]): string | null => {
    if (!isObject(a) || !isObject(b) || a['tag'] !== b['tag']) return wrong();
    const found = cases.find(([label]) => label === (a as unknown as Tagged).tag);
    if (!found) return wrong();
    if (!found[1]) return a['val'] === b['val'] ? null : wrong();
    return difference(found[1], a['val'], b['val'], `${path}.${found[0]}`);
  };
  switch (type.k) {
    case 'primitive': case 'enum': return Object.is(a, b) ? null : wrong();
    case 'list': case 'tuple': {
      if (kindOf(a) !== kindOf(b) || !kindOf(a).endsWith('Array]')) return wrong();
      const [left, right] = [a, b] as unknown[][];
      const elementOf = (i: number): WitType => (Array.isArray(type.of) ? type.of[i]! : type.of);
      if (left!.length !== right!.length) return wrong();
      return first(Array.from(left!, (_, i) => () => difference(elementOf(i), left![i], right![i], `${path}[${i}]`)));
    }
    case 'record': return keyed(type.fields.map(([label]) => keyOf(label)), type.fields.map(([, field]) => field));
    case 'flags': return keyed(type.labels.map(keyOf), type.labels.map(() => ({ k: 'primitive', name: 'bool' })));
    case 'result': return tagged([['ok', type.ok], ['err', type.err]]);
    case 'variant': return tagged(type.cases);
    case 'option':
      if (type.of.k === 'option') return tagged([['none', null], ['some', type.of]]);
      if (a === undefined || b === undefined) return a === b ? null : wrong();
      return difference(type.of, a, b, path);
  }
}

const kindOf = (value: unknown): string => Object.prototype.toString.call(value);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** A value for a message, whole and unambiguous. */
export function show(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'string') return JSON.stringify(value).replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  if (Object.is(value, -0)) return '-0';
  if (!isObject(value)) return String(value);
  const kind = kindOf(value).slice(8, -1);
  if (kind.endsWith('Array')) return `${kind === 'Array' ? '' : kind}[${Array.from(value as unknown as ArrayLike<unknown>, show).join(', ')}]`;
  return `{ ${Object.entries(value).map(([key, val]) => `${key}: ${show(val)}`).join(', ')} }`;
}
