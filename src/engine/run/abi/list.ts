import type { CallContext, Codec } from './codec.js';
import { MAX_BYTES, pushFlat, trap, type CoreType, type Flat } from './layout.js';
import { writeLatin1 } from './string.js';

type NumberArray =
  | Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | BigUint64Array | BigInt64Array | Float32Array | Float64Array;
interface NumberArrayType {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): NumberArray;
  new (length: number): NumberArray;
}

const NUMBER_ARRAYS: Record<string, NumberArrayType> = {
  u8: Uint8Array, s8: Int8Array, u16: Uint16Array, s16: Int16Array, u32: Uint32Array, s32: Int32Array,
  u64: BigUint64Array, s64: BigInt64Array, f32: Float32Array, f64: Float64Array,
};

export function isNumberType(name: string): boolean {
  return name in NUMBER_ARRAYS;
}

/** Bytes of host memory that one element of an array costs at least. */
const ELEMENT_BYTES = 16;

/** Reads and writes the elements of a list at a checked place. */
interface Elements {
  read(cx: CallContext, ptr: number, count: number): unknown;
  write(cx: CallContext, ptr: number, values: ArrayLike<unknown>): void;
}

/** Short byte lists are copied into slabs, as Node's own buffers are: a buffer of its own costs each of them more than its copy. */
const SLAB_BYTES = 64 * 1024;
const MAX_SLAB_LIST_BYTES = 8 * 1024;
/** Up to here a loop is quicker than a view and its `set`. */
const MAX_LOOP_BYTES = 64;
const MAX_LOOP_ELEMENTS = 4;
/** Not zeroed: nothing of it is seen but what was copied. */
const newSlab = (): Uint8Array => Buffer.allocUnsafeSlow(SLAB_BYTES);
let slab = newSlab();
let slabUsed = 0;

function copyBytes(bytes: Uint8Array, ptr: number, count: number): Uint8Array {
  if (count > MAX_SLAB_LIST_BYTES) return new Uint8Array(bytes.buffer.slice(ptr, ptr + count));
  if (slabUsed + count > SLAB_BYTES) {
    slab = newSlab();
    slabUsed = 0;
  }
  const copy = new Uint8Array(slab.buffer, slabUsed, count);
  slabUsed += count;
  if (count > MAX_LOOP_BYTES) copy.set(bytes.subarray(ptr, ptr + count));
  else for (let i = 0; i < count; i++) copy[i] = bytes[ptr + i];
  return copy;
}

function numberElements(element: Codec, type: NumberArrayType): Elements {
  const width = type.BYTES_PER_ELEMENT;
  return {
    read: (cx, ptr, count) => (type === Uint8Array ? copyBytes(cx.bytes, ptr, count) : new type(cx.bytes.buffer.slice(ptr, ptr + count * width))),
    write: (cx, ptr, values) => {
      if (typeof values === 'string') writeLatin1(cx.bytes, values, ptr);
      else if (width === 1) cx.bytes.set(values as ArrayLike<number>, ptr);
      else if (values.length <= MAX_LOOP_ELEMENTS) for (let i = 0; i < values.length; i++) element.store(cx, ptr + i * width, values[i]);
      else new type(cx.bytes.buffer, ptr, values.length).set(values as never);
    },
  };
}

function anyElements(element: Codec): Elements {
  const { size } = element;
  return {
    read: (cx, ptr, count) => {
      const list: unknown[] = [];
      for (let i = 0; i < count; i++) list.push(element.load(cx, ptr + i * size));
      return list;
    },
    write: (cx, ptr, values) => {
      for (let i = 0; i < values.length; i++) element.store(cx, ptr + i * size, values[i]);
    },
  };
}

function lengthOf(value: unknown, takesText: boolean): number {
  const length = (value as ArrayLike<unknown> | null | undefined)?.length;
  if (typeof length !== 'number' || (typeof value === 'string' && !takesText)) throw new TypeError('expected a list');
  return length;
}

/**
 * `list<T>`. `name` is the element's type name: number lists are typed arrays, copied in one go. For a `list<u8>` the host may give a
 * text, of which each character is a byte (latin-1).
 */
export function listCodec(element: Codec, name: string): Codec {
  const { size, align } = element;
  const numbers = NUMBER_ARRAYS[name];
  const elements = numbers ? numberElements(element, numbers) : anyElements(element);
  const hostBytes = numbers ? size : Math.max(size, ELEMENT_BYTES);
  const takesText = name === 'u8';

  const get = (cx: CallContext, ptr: number, count: number): unknown => {
    if (count * size > MAX_BYTES) trap('a list is too long');
    cx.check(ptr, count * size, align);
    cx.spend(count * hostBytes);
    return elements.read(cx, ptr, count);
  };
  const put = (cx: CallContext, value: unknown): number => {
    const count = lengthOf(value, takesText);
    const ptr = cx.allocate(count * size, align);
    elements.write(cx, ptr, value as ArrayLike<unknown>);
    cx.length = count;
    return ptr;
  };
  return {
    size: 8,
    align: 4,
    flat: ['i32', 'i32'],
    load: (cx, ptr) => get(cx, cx.view.getUint32(ptr, true), cx.view.getUint32(ptr + 4, true)),
    store: (cx, ptr, value) => {
      const list = put(cx, value);
      cx.view.setUint32(ptr, list, true);
      cx.view.setUint32(ptr + 4, cx.length, true);
    },
    lift: (cx, flat: Flat, at) => get(cx, (flat[at] as number) >>> 0, (flat[at + 1] as number) >>> 0),
    lower: (cx, flat: Flat, at, value) => {
      flat[at] = put(cx, value) | 0;
      flat[at + 1] = cx.length | 0;
    },
  };
}

/** `list<T, N>`: the elements stand in place, no pointer. */
export function fixedListCodec(element: Codec, name: string, count: number): Codec {
  const numbers = NUMBER_ARRAYS[name];
  const elements = numbers ? numberElements(element, numbers) : anyElements(element);
  const width = element.flat.length;
  const flat: CoreType[] = [];
  for (let i = 0; i < Math.min(count, 17); i++) pushFlat(flat, element.flat);

  const checked = (value: unknown): ArrayLike<unknown> => {
    if (lengthOf(value, false) !== count) throw new TypeError(`expected a list of ${count} elements`);
    return value as ArrayLike<unknown>;
  };
  return {
    size: element.size * count,
    align: element.align,
    flat,
    load: (cx, ptr) => {
      cx.spend(count * ELEMENT_BYTES);
      return elements.read(cx, ptr, count);
    },
    store: (cx, ptr, value) => elements.write(cx, ptr, checked(value)),
    lift: (cx, values, at) => {
      const list: unknown[] | NumberArray = numbers ? new numbers(count) : [];
      for (let i = 0; i < count; i++) list[i] = element.lift(cx, values, at + i * width) as never;
      return list;
    },
    lower: (cx, values, at, value) => {
      const list = checked(value);
      for (let i = 0; i < count; i++) element.lower(cx, values, at + i * width, list[i]);
    },
  };
}
