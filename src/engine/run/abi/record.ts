import { camelCase } from '#engine/run/labels.js';
import type { Codec } from './codec.js';
import { alignTo, pushFlat, type CoreType } from './layout.js';
import { PRIMITIVES } from './primitive.js';

/** Records (`names` are WIT labels) and tuples (null: an array). */
export function recordCodec(fields: readonly Codec[], names: readonly string[] | null): Codec {
  // numbers for tuples: V8 looks a text up before it finds that it is an index
  const keys = (names ? names.map(camelCase) : fields.map((_, i) => i)) as string[];
  const offsets: number[] = [];
  const places: number[] = [];
  const flat: CoreType[] = [];
  let size = 0;
  let align = 1;
  let flatCount = 0;
  for (const field of fields) {
    size = alignTo(size, field.align);
    offsets.push(size);
    size += field.size;
    align = Math.max(align, field.align);
    places.push(flatCount);
    flatCount += field.flat.length;
    pushFlat(flat, field.flat);
  }
  const fresh = (): Record<string, unknown> => (names ? {} : ([] as unknown as Record<string, unknown>));
  const checked = (value: unknown): Record<string, unknown> => {
    if (typeof value !== 'object' || value === null) throw new TypeError(`expected a ${names ? 'record' : 'tuple'}`);
    return value as Record<string, unknown>;
  };
  return {
    size: alignTo(size, align),
    align,
    flat,
    load: (cx, ptr) => {
      const record = fresh();
      for (let i = 0; i < fields.length; i++) record[keys[i]] = fields[i].load(cx, ptr + offsets[i]);
      return record;
    },
    store: (cx, ptr, value) => {
      const record = checked(value);
      for (let i = 0; i < fields.length; i++) fields[i].store(cx, ptr + offsets[i], record[keys[i]]);
    },
    lift: (cx, values, at) => {
      const record = fresh();
      for (let i = 0; i < fields.length; i++) record[keys[i]] = fields[i].lift(cx, values, at + places[i]);
      return record;
    },
    lower: (cx, values, at, value) => {
      const record = checked(value);
      for (let i = 0; i < fields.length; i++) fields[i].lower(cx, values, at + places[i], record[keys[i]]);
    },
  };
}

/** `flags`: an object of booleans; a missing key is false. */
export function flagsCodec(names: readonly string[]): Codec {
  const keys = names.map(camelCase);
  const word = names.length <= 8 ? PRIMITIVES.u8 : names.length <= 16 ? PRIMITIVES.u16 : PRIMITIVES.u32;
  const unpack = (bits: number): Record<string, boolean> => {
    const flags: Record<string, boolean> = {};
    for (let i = 0; i < keys.length; i++) flags[keys[i]] = (bits & (1 << i)) !== 0;
    return flags;
  };
  const pack = (value: unknown): number => {
    if (typeof value !== 'object' || value === null) throw new TypeError('expected flags');
    let bits = 0;
    for (let i = 0; i < keys.length; i++) if ((value as Record<string, boolean>)[keys[i]]) bits |= 1 << i;
    return bits;
  };
  return {
    size: word.size,
    align: word.align,
    flat: ['i32'],
    load: (cx, ptr) => unpack(word.load(cx, ptr) as number),
    store: (cx, ptr, value) => word.store(cx, ptr, pack(value) >>> 0),
    lift: (_cx, values, at) => unpack(values[at] as number),
    lower: (_cx, values, at, value) => {
      values[at] = pack(value);
    },
  };
}
