import type { PrimitiveName } from '#engine/plan.js';
import type { CallContext, Codec } from './codec.js';
import { trap, type CoreType, type Flat } from './layout.js';

type Load = (cx: CallContext, ptr: number) => unknown;
type Store = (cx: CallContext, ptr: number, value: never) => void;

/** `toCore` makes the flat value of a JavaScript value, `fromCore` the other way round: each normalises to the type's range. */
function primitive(
  [size, flat]: [size: number, flat: CoreType],
  load: Load,
  store: Store,
  fromCore: (core: never) => unknown,
  toCore: (value: never) => number | bigint,
): Codec {
  return {
    size,
    align: size,
    flat: [flat],
    load,
    store: store as Codec['store'],
    lift: (_cx, values: Flat, at) => fromCore(values[at] as never),
    lower: (_cx, values: Flat, at, value) => {
      values[at] = toCore(value as never);
    },
  };
}

function charFrom(code: number): string {
  if (code >= 0x110000 || (code >= 0xd800 && code <= 0xdfff)) trap(`${code} is not a character`);
  return String.fromCodePoint(code);
}

function charCode(text: string): number {
  const code = text.codePointAt(0);
  if (code === undefined || (code >= 0xd800 && code <= 0xdfff)) throw new TypeError('a char must be one Unicode scalar value');
  return code;
}

type Name = Exclude<PrimitiveName, 'string' | 'error-context'>;

export const PRIMITIVES: Record<Name, Codec> = {
  bool: primitive([1, 'i32'],
    (cx, p) => cx.bytes[p] !== 0,
    (cx, p, v: boolean) => { cx.bytes[p] = v ? 1 : 0; },
    (c: number) => c !== 0,
    (v: boolean) => (v ? 1 : 0)),
  u8: primitive([1, 'i32'],
    (cx, p) => cx.bytes[p],
    (cx, p, v: number) => { cx.bytes[p] = v; },
    (c: number) => c & 0xff,
    (v: number) => v & 0xff),
  s8: primitive([1, 'i32'],
    (cx, p) => cx.view.getInt8(p),
    (cx, p, v: number) => cx.view.setInt8(p, v),
    (c: number) => (c << 24) >> 24,
    (v: number) => (v << 24) >> 24),
  u16: primitive([2, 'i32'],
    (cx, p) => cx.view.getUint16(p, true),
    (cx, p, v: number) => cx.view.setUint16(p, v, true),
    (c: number) => c & 0xffff,
    (v: number) => v & 0xffff),
  s16: primitive([2, 'i32'],
    (cx, p) => cx.view.getInt16(p, true),
    (cx, p, v: number) => cx.view.setInt16(p, v, true),
    (c: number) => (c << 16) >> 16,
    (v: number) => (v << 16) >> 16),
  u32: primitive([4, 'i32'],
    (cx, p) => cx.view.getUint32(p, true),
    (cx, p, v: number) => cx.view.setUint32(p, v, true),
    (c: number) => c >>> 0,
    (v: number) => v | 0),
  s32: primitive([4, 'i32'],
    (cx, p) => cx.view.getInt32(p, true),
    (cx, p, v: number) => cx.view.setInt32(p, v, true),
    (c: number) => c | 0,
    (v: number) => v | 0),
  u64: primitive([8, 'i64'],
    (cx, p) => cx.view.getBigUint64(p, true),
    (cx, p, v: bigint) => cx.view.setBigUint64(p, v, true),
    (c: bigint) => BigInt.asUintN(64, c),
    (v: bigint) => BigInt.asIntN(64, v)),
  s64: primitive([8, 'i64'],
    (cx, p) => cx.view.getBigInt64(p, true),
    (cx, p, v: bigint) => cx.view.setBigInt64(p, v, true),
    (c: bigint) => BigInt.asIntN(64, c),
    (v: bigint) => BigInt.asIntN(64, v)),
  f32: primitive([4, 'f32'],
    (cx, p) => cx.view.getFloat32(p, true),
    (cx, p, v: number) => cx.view.setFloat32(p, v, true),
    (c: number) => Math.fround(c),
    (v: number) => Math.fround(v)),
  f64: primitive([8, 'f64'],
    (cx, p) => cx.view.getFloat64(p, true),
    (cx, p, v: number) => cx.view.setFloat64(p, v, true),
    (c: number) => c,
    (v: number) => Number(v)),
  char: primitive([4, 'i32'],
    (cx, p) => charFrom(cx.view.getUint32(p, true)),
    (cx, p, v: string) => cx.view.setUint32(p, charCode(v), true),
    (c: number) => charFrom(c >>> 0),
    (v: string) => charCode(v)),
};
