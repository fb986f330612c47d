import { Err } from '#engine/run/host.js';
import type { Codec } from './codec.js';
import { alignTo, trap, type CoreType, type Flat } from './layout.js';
import { PRIMITIVES } from './primitive.js';

/** How JavaScript values show their case: the one thing in which variant, enum, option and result differ. */
interface Shape {
  /** Index of the value's case; throws TypeError when it has none. */
  caseOf(value: unknown): number;
  payloadOf(value: unknown): unknown;
  make(index: number, payload: unknown): unknown;
}

interface Tagged {
  tag: string;
  val?: unknown;
}

const payloadOfTagged = (value: unknown): unknown => (value as Tagged).val;

function byName(names: readonly string[], kind: string): (name: unknown) => number {
  const index = new Map<unknown, number>(names.map((name, i) => [name, i]));
  return (name) => {
    const found = index.get(name);
    if (found === undefined) throw new TypeError(`${String(name)} is no case of the ${kind} ${names.slice(0, 8).join(' | ')}`);
    return found;
  };
}

function variantShape(names: readonly string[]): Shape {
  const find = byName(names, 'variant');
  return {
    caseOf: (value) => find((value as Tagged | undefined)?.tag),
    payloadOf: payloadOfTagged,
    make: (index, val) => ({ tag: names[index], val }),
  };
}

function enumShape(names: readonly string[]): Shape {
  return { caseOf: byName(names, 'enum'), payloadOf: () => undefined, make: (index) => names[index] };
}

const OPTION: Shape = {
  caseOf: (value) => (value === undefined || value === null ? 0 : 1),
  payloadOf: (value) => value,
  make: (_index, payload) => payload,
};

// undefined cannot tell none from some(none)
const OPTION_OF_OPTION: Shape = {
  caseOf: (value) => (value === undefined || value === null || (value as Tagged).tag === 'none' ? 0 : 1),
  payloadOf: payloadOfTagged,
  make: (index, val) => (index === 0 ? { tag: 'none' } : { tag: 'some', val }),
};

function join(a: CoreType, b: CoreType): CoreType {
  if (a === b) return a;
  return (a === 'i32' && b === 'f32') || (a === 'f32' && b === 'i32') ? 'i32' : 'i64';
}

const bits = new DataView(new ArrayBuffer(8));
const floatOfBits = (i: number): number => (bits.setInt32(0, i), bits.getFloat32(0));
const bitsOfFloat = (f: number): number => (bits.setFloat32(0, f), bits.getInt32(0));
const doubleOfBits = (i: bigint): number => (bits.setBigInt64(0, i), bits.getFloat64(0));
const bitsOfDouble = (f: number): bigint => (bits.setFloat64(0, f), bits.getBigInt64(0));
const lowWord = (i: bigint): number => Number(BigInt.asIntN(32, i));

type Cast = (value: never) => number | bigint;
/** From the joined type to the case's own, when lifting; the specification's CoerceValueIter. */
const NARROW: Record<string, Cast> = {
  'i32>f32': floatOfBits, 'i64>i32': lowWord, 'i64>f32': (v: bigint) => floatOfBits(lowWord(v)), 'i64>f64': doubleOfBits,
};
const WIDEN: Record<string, Cast> = {
  'f32>i32': bitsOfFloat, 'i32>i64': (v: number) => BigInt(v >>> 0), 'f32>i64': (v: number) => BigInt(bitsOfFloat(v) >>> 0), 'f64>i64': bitsOfDouble,
};

function casts(own: readonly CoreType[], joined: readonly CoreType[]): { narrow: (Cast | undefined)[]; widen: (Cast | undefined)[] } | null {
  if (own.every((type, i) => joined[i] === type)) return null;
  return {
    narrow: own.map((type, i) => NARROW[`${joined[i]}>${type}`]),
    widen: own.map((type, i) => WIDEN[`${type}>${joined[i]}`]),
  };
}

function makeVariant(cases: readonly (Codec | null)[], shape: Shape): Codec {
  const tag = cases.length <= 256 ? PRIMITIVES.u8 : cases.length <= 65536 ? PRIMITIVES.u16 : PRIMITIVES.u32;
  const joined: CoreType[] = [];
  let payloadAlign = 1;
  let payloadSize = 0;
  for (const codec of cases) {
    if (!codec) continue;
    payloadAlign = Math.max(payloadAlign, codec.align);
    payloadSize = Math.max(payloadSize, codec.size);
    codec.flat.forEach((type, i) => { joined[i] = i < joined.length ? join(joined[i], type) : type; });
  }
  const align = Math.max(tag.size, payloadAlign);
  const offset = alignTo(tag.size, payloadAlign);
  // unused places are zero of their own kind
  const zeros: Flat = joined.map((type) => (type === 'i64' ? 0n : 0));
  const castsOf = cases.map((codec) => codec && casts(codec.flat, joined));

  const checked = (index: number): number => (index < cases.length ? index : trap(`${index} is not the number of a case`));
  return {
    size: alignTo(offset + payloadSize, align),
    align,
    flat: ['i32', ...joined].slice(0, 17) as CoreType[],
    load: (cx, ptr) => {
      const index = checked(tag.load(cx, ptr) as number);
      return shape.make(index, cases[index]?.load(cx, ptr + offset));
    },
    store: (cx, ptr, value) => {
      const index = shape.caseOf(value);
      tag.store(cx, ptr, index);
      cases[index]?.store(cx, ptr + offset, shape.payloadOf(value));
    },
    lift: (cx, values, at) => {
      const index = checked((values[at] as number) >>> 0);
      const codec = cases[index];
      if (!codec) return shape.make(index, undefined);
      const cast = castsOf[index];
      if (!cast) return shape.make(index, codec.lift(cx, values, at + 1));
      const own = cast.narrow.map((narrow, i) => (narrow ? narrow(values[at + 1 + i] as never) : values[at + 1 + i]));
      return shape.make(index, codec.lift(cx, own, 0));
    },
    lower: (cx, values, at, value) => {
      const index = shape.caseOf(value);
      const codec = cases[index];
      values[at] = index;
      let used = 0;
      if (codec) {
        codec.lower(cx, values, at + 1, shape.payloadOf(value));
        used = codec.flat.length;
        castsOf[index]?.widen.forEach((widen, i) => { if (widen) values[at + 1 + i] = widen(values[at + 1 + i] as never); });
      }
      for (let i = used; i < zeros.length; i++) values[at + 1 + i] = zeros[i];
    },
  };
}

export function variantCodec(cases: readonly (Codec | null)[], names: readonly string[]): Codec {
  return makeVariant(cases, variantShape(names));
}

export function enumCodec(names: readonly string[]): Codec {
  return makeVariant(names.map(() => null), enumShape(names));
}

/** `nested`: the payload is an option itself. */
export function optionCodec(payload: Codec, nested: boolean): Codec {
  return makeVariant([null, payload], nested ? OPTION_OF_OPTION : OPTION);
}

const HOST_RESULT: Shape = {
  caseOf: (value) => (value instanceof Err ? 1 : 0),
  payloadOf: (value) => (value instanceof Err ? value.payload : value),
  make: (index, payload) => (index === 0 ? payload : new Err(payload)),
};

/** A `result` as host functions give it: an `Err`, or the value itself. */
export function hostResultCodec(ok: Codec | null, err: Codec | null): Codec {
  return makeVariant([ok, err], HOST_RESULT);
}

export function resultCodec(ok: Codec | null, err: Codec | null): Codec {
  return makeVariant([ok, err], variantShape(['ok', 'err']));
}
