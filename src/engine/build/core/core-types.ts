import { hex, type Reader } from '#engine/build/decode/reader.js';

/**
 * A core function type as text, `i32,i64>i32`, so that equality is string equality. null: a type that names other types of its
 * module, which means nothing outside it.
 */
export type Signature = string | null;

export type CoreKind = 'func' | 'table' | 'memory' | 'global' | 'tag';

const KINDS: CoreKind[] = ['func', 'table', 'memory', 'global', 'tag'];

export interface CoreLimits {
  min: number;
  max: number | null;
}

/** What a core module imports or exports. A value type that names a type of its module is null, as in `Signature`. */
export type CoreExternType =
  | { kind: 'func' | 'tag'; signature: Signature }
  | ({ kind: 'table'; element: string | null } & CoreLimits)
  | ({ kind: 'memory' } & CoreLimits)
  | { kind: 'global'; value: string | null; mutable: boolean };

const VALUE_TYPES: Record<number, string> = { 0x7f: 'i32', 0x7e: 'i64', 0x7d: 'f32', 0x7c: 'f64', 0x7b: 'v128' };
const NUMERIC = new Set(Object.values(VALUE_TYPES));

/** Shorthands of nullable references, by the byte of their heap type. */
const REFERENCES: Record<number, string> = { 0x70: 'funcref', 0x6f: 'externref', 0x69: 'exnref' };

function nullableReference(heap: number): string {
  return REFERENCES[heap] ?? `ref null ${hex(heap)}`;
}

/** Reads a value type as text; null when it names a type of the module. */
export function readCoreValueType(reader: Reader): string | null {
  const byte = reader.byte();
  const name = VALUE_TYPES[byte];
  if (name !== undefined) return name;
  if (byte === 0x63 || byte === 0x64) {
    const heap = reader.peek();
    if (heap >= 0x40 && heap < 0x80) {
      reader.byte();
      return byte === 0x63 ? nullableReference(heap) : `ref ${hex(heap)}`;
    }
    reader.s33Index();
    return null;
  }
  if (byte >= 0x66 && byte <= 0x78) return nullableReference(byte);
  return reader.unsupported(`core value type ${hex(byte)}`, reader.pos - 1);
}

/** Reads the parameters and results of a function type. */
export function readFuncType(reader: Reader): { signature: Signature; arity: { params: number; results: number } } {
  const params = reader.vec(readCoreValueType);
  const results = reader.vec(readCoreValueType);
  const signature = [...params, ...results].includes(null) ? null : `${params.join(',')}>${results.join(',')}`;
  return { signature, arity: { params: params.length, results: results.length } };
}

export function readSignature(reader: Reader): Signature {
  return readFuncType(reader).signature;
}

/** Reads the limits of a table or memory; those of proposals that this engine does not cover are refused. */
export function readLimits(reader: Reader, what: 'memory' | 'table'): CoreLimits {
  const at = reader.pos;
  const flags = reader.byte();
  if (flags & 2) reader.unsupported(`a shared ${what}`, at);
  if (flags & 4) reader.unsupported(`a 64-bit ${what}`, at);
  if (flags & 8) reader.unsupported(`a ${what} with a custom page size`, at);
  if (flags & ~1) reader.unsupported(`a ${what} with limits flags ${hex(flags)}`, at);
  return { min: reader.u32(), max: flags & 1 ? reader.u32() : null };
}

export function readCoreKind(reader: Reader): CoreKind {
  const byte = reader.byte();
  return KINDS[byte] ?? reader.unsupported(`a core import or export of kind ${byte}`, reader.pos - 1);
}

/** A `CoreExternType` as the binary has it, where functions and tags are named by the index of their type. */
export type CoreExternDesc = Exclude<CoreExternType, { kind: 'func' | 'tag' }> | { kind: 'func' | 'tag'; type: number };

/** Reads the type of a core import, or of an export in a module type. */
export function readCoreExternDesc(reader: Reader): CoreExternDesc {
  const kind = readCoreKind(reader);
  switch (kind) {
    case 'func': return { kind, type: reader.u32() };
    case 'table': return { kind, element: readCoreValueType(reader), ...readLimits(reader, kind) };
    case 'memory': return { kind, ...readLimits(reader, kind) };
    case 'global': return { kind, value: readCoreValueType(reader), mutable: reader.flag('mutability') };
    case 'tag':
      reader.byte();
      return { kind, type: reader.u32() };
  }
}

/** The type with its signature in place of the index. */
export function resolveDesc(desc: CoreExternDesc, signature: (type: number) => Signature): CoreExternType {
  return 'type' in desc ? { kind: desc.kind, signature: signature(desc.type) } : desc;
}

function limitsFit(wanted: CoreLimits, given: CoreLimits): boolean {
  return given.min >= wanted.min && (wanted.max === null || (given.max !== null && given.max <= wanted.max));
}

function limitsText({ min, max }: CoreLimits): string {
  return max === null ? `${min}` : `${min} ${max}`;
}

/** An unknown type fits whatever is asked for: V8 compares it when the module is instantiated. */
function sameType(wanted: string | null, given: string | null): boolean {
  return wanted === null || given === null || wanted === given;
}

/** References have subtypes, which matter where nothing can be written back. */
function globalFits(wanted: CoreExternType & { kind: 'global' }, given: CoreExternType & { kind: 'global' }): boolean {
  if (wanted.mutable !== given.mutable) return false;
  const bothReferences = !NUMERIC.has(wanted.value ?? '') && !NUMERIC.has(given.value ?? '');
  return sameType(wanted.value, given.value) || (!wanted.mutable && bothReferences);
}

/** The signature of a function; null for what is none, and as in `Signature`. */
export function signatureOf(type: CoreExternType): Signature {
  return type.kind === 'func' ? type.signature : null;
}

/** A type as a person would write it, for messages. */
export function coreTypeText(type: CoreExternType): string {
  switch (type.kind) {
    case 'func': case 'tag': return `a ${type.kind === 'func' ? 'function' : 'tag'} ${type.signature ?? 'of a type of its module'}`;
    case 'memory': return `a memory ${limitsText(type)}`;
    case 'table': return `a table ${limitsText(type)} ${type.element ?? 'of a type of its module'}`;
    case 'global': return `a ${type.mutable ? 'mutable ' : ''}global ${type.value ?? 'of a type of its module'}`;
  }
}

/**
 * Core import matching (WebAssembly Core, 3.4 "Matching"): null when `given` may stand where `wanted` is asked for, else what is
 * wrong.
 */
export function coreMismatch(wanted: CoreExternType, given: CoreExternType): string | null {
  if (wanted.kind !== given.kind) return `a ${wanted.kind} is asked for, a ${given.kind} given`;
  return fits(wanted, given) ? null : `${coreTypeText(wanted)} is asked for, ${given.kind === 'func' ? given.signature : coreTypeText(given)} given`;
}

function fits(wanted: CoreExternType, given: CoreExternType): boolean {
  switch (wanted.kind) {
    case 'func': case 'tag': return given.kind === wanted.kind && sameType(wanted.signature, given.signature);
    case 'memory': return given.kind === 'memory' && limitsFit(wanted, given);
    case 'table': return given.kind === 'table' && sameType(wanted.element, given.element) && limitsFit(wanted, given);
    case 'global': return given.kind === 'global' && globalFits(wanted, given);
  }
}
