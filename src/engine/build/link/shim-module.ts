import type { CoreModule, Section } from '#engine/build/core/core-module.js';
import { Reader } from '#engine/build/decode/reader.js';

/** A module of nothing but functions that call through a table: export name of each to its place in the table. */
export interface ShimModule {
  table: string;
  slots: Map<string, number>;
}

/** A module of no code that fills a table with its imports: place in the table to the import that goes there. */
export interface FixupModule {
  table: { module: string; name: string };
  fill: Map<number, { module: string; name: string }>;
}

function section(module: CoreModule, id: number): Section | undefined {
  return module.sections.find((candidate) => candidate.id === id);
}

function has(module: CoreModule, ...ids: number[]): boolean {
  return ids.every((id) => section(module, id) !== undefined);
}

function hasAny(module: CoreModule, ...ids: number[]): boolean {
  return ids.some((id) => section(module, id) !== undefined);
}

/** `local.get 0 … local.get n, i32.const slot, call_indirect` and no more: the slot, else null. */
function forwardedSlot(body: Reader): number | null {
  if (body.u32() !== 0) return null;
  for (let param = 0; body.peek() === 0x20; param++) {
    body.byte();
    if (body.u32() !== param) return null;
  }
  const slot = constant(body);
  if (slot === null || body.byte() !== 0x11) return null;
  body.u32();
  return body.u32() === 0 && body.byte() === 0x0b && body.done ? slot : null;
}

/** `i32.const` of a number that is not negative, else null. */
function constant(reader: Reader): number | null {
  if (reader.byte() !== 0x41) return null;
  let value = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = reader.byte();
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return byte & 0x40 ? null : value;
  }
  return null;
}

/** Recognises the shim that wit-component puts in front of functions that need a memory which does not exist yet. */
export function readShim(module: CoreModule): ShimModule | null {
  if (!has(module, 3, 4, 7, 10) || hasAny(module, 2, 5, 6, 8, 9, 11, 13) || module.ownTables.length !== 1) return null;
  const code = section(module, 10)!;
  const reader = new Reader(module.bytes, code.from, code.to);
  const slotOf = reader.vec((r) => forwardedSlot(r.sub(r.u32())));
  const slots = new Map<string, number>();
  let table: string | null = null;
  for (const { name, type, index } of module.exports) {
    const slot = slotOf[index];
    if (type.kind === 'table' && table === null) table = name;
    else if (type.kind === 'func' && slot !== null && slot !== undefined) slots.set(name, slot);
    else return null;
  }
  return table === null ? null : { table, slots };
}

/** Recognises the module that fills such a shim's table once all instances exist. */
export function readFixup(module: CoreModule): FixupModule | null {
  if (!has(module, 2, 9) || hasAny(module, 3, 4, 5, 6, 7, 8, 10, 11, 13)) return null;
  const funcs = module.imports.filter(({ type }) => type.kind === 'func');
  const tables = module.imports.filter(({ type }) => type.kind === 'table');
  if (tables.length !== 1 || funcs.length + 1 !== module.imports.length) return null;
  const elements = section(module, 9)!;
  const reader = new Reader(module.bytes, elements.from, elements.to);
  // one active segment of function indices for table 0
  if (reader.u32() !== 1 || reader.u32() !== 0) return null;
  const offset = constant(reader);
  if (offset === null || reader.byte() !== 0x0b) return null;
  const fill = new Map<number, { module: string; name: string }>();
  reader.vec((r) => r.u32()).forEach((func, i) => fill.set(offset + i, funcs[func]!));
  return { table: tables[0]!, fill };
}
