import { DecodeError } from '#engine/build/build-error.js';
import type { PrimitiveName } from '#engine/plan.js';
import type { Alias, Decl, ExternType, TypeDef, ValType } from './ast.js';
import { readCoreType } from './core-types.js';
import { readExternName, readSort } from './names.js';
import { hex, type Reader } from './reader.js';

/** Deeper nesting of component and instance types is refused: real ones stay below five. */
const MAX_TYPE_DEPTH = 32;

const PRIMITIVES: Record<number, PrimitiveName> = {
  0x7f: 'bool', 0x7e: 's8', 0x7d: 'u8', 0x7c: 's16', 0x7b: 'u16', 0x7a: 's32', 0x79: 'u32', 0x78: 's64', 0x77: 'u64',
  0x76: 'f32', 0x75: 'f64', 0x74: 'char', 0x73: 'string', 0x64: 'error-context',
};

export function readValType(reader: Reader): ValType {
  const primitive = PRIMITIVES[reader.peek()];
  if (primitive === undefined) return reader.s33Index();
  reader.byte();
  return primitive;
}

export function readResultList(reader: Reader): ValType | null {
  const form = reader.byte();
  if (form === 0) return readValType(reader);
  if (form !== 1) reader.fail(`unknown form of results ${hex(form)}`, reader.pos - 1);
  if (reader.byte() !== 0) reader.unsupported('named results', reader.pos - 1);
  return null;
}

function readLabelled(reader: Reader): [string, ValType] {
  return [reader.name(), readValType(reader)];
}

function readCase(reader: Reader): [string, ValType | null] {
  const name = reader.name();
  const type = reader.optional(readValType);
  if (reader.byte() !== 0) reader.unsupported('a variant case that refines another', reader.pos - 1);
  return [name, type];
}

export function readExternType(reader: Reader): ExternType {
  const at = reader.pos;
  const kind = reader.byte();
  switch (kind) {
    case 0x00:
      if (reader.byte() !== 0x11) reader.fail('unknown core extern type', at);
      return { sort: 'core module', index: reader.u32() };
    case 0x01: return { sort: 'func', index: reader.u32() };
    case 0x02: return reader.unsupported('an import or export of a value', at);
    case 0x03: {
      const bound = reader.byte();
      if (bound === 0) return { sort: 'type', bound: 'eq', index: reader.u32() };
      if (bound === 1) return { sort: 'type', bound: 'sub' };
      return reader.fail(`unknown type bound ${hex(bound)}`, reader.pos - 1);
    }
    case 0x04: return { sort: 'component', index: reader.u32() };
    case 0x05: return { sort: 'instance', index: reader.u32() };
    default: return reader.fail(`unknown extern type ${hex(kind)}`, at);
  }
}

export function readAlias(reader: Reader): Alias {
  const sort = readSort(reader);
  const target = reader.byte();
  switch (target) {
    case 0x00: return { k: 'alias', target: 'export', sort, instance: reader.u32(), name: reader.name() };
    case 0x01: return { k: 'alias', target: 'core export', sort, instance: reader.u32(), name: reader.name() };
    case 0x02: return { k: 'alias', target: 'outer', sort, count: reader.u32(), index: reader.u32() };
    default: return reader.fail(`unknown alias target ${hex(target)}`, reader.pos - 1);
  }
}

function readDecl(reader: Reader, inComponent: boolean, depth: number): Decl {
  const at = reader.pos;
  const kind = reader.byte();
  switch (kind) {
    case 0x00: return { k: 'core type', type: readCoreType(reader) };
    case 0x01: return { k: 'type', type: readType(reader, depth + 1) };
    case 0x02: return readAlias(reader);
    case 0x03:
      if (!inComponent) reader.fail('an import inside an instance type', at);
      return { k: 'import', ...readExternName(reader), type: readExternType(reader) };
    case 0x04: return { k: 'export', ...readExternName(reader), type: readExternType(reader) };
    default: return reader.fail(`unknown declarator ${hex(kind)}`, at);
  }
}

/** Reads one type definition (Binary.md, deftype). */
export function readType(reader: Reader, depth = 0): TypeDef {
  if (depth > MAX_TYPE_DEPTH) throw new DecodeError('limit', `types are nested deeper than ${MAX_TYPE_DEPTH}`, reader.pos);
  const at = reader.pos;
  const opcode = reader.byte();
  const name = PRIMITIVES[opcode];
  if (name !== undefined) return { t: 'primitive', name };
  switch (opcode) {
    case 0x72: return { t: 'record', fields: reader.vec(readLabelled) };
    case 0x71: return { t: 'variant', cases: reader.vec(readCase) };
    case 0x70: return { t: 'list', of: readValType(reader) };
    case 0x67: return { t: 'list', of: readValType(reader), length: reader.u32() };
    case 0x6f: return { t: 'tuple', of: reader.vec(readValType) };
    case 0x6e: return { t: 'flags', names: reader.vec((r) => r.name()) };
    case 0x6d: return { t: 'enum', names: reader.vec((r) => r.name()) };
    case 0x6b: return { t: 'option', of: readValType(reader) };
    case 0x6a: return { t: 'result', ok: reader.optional(readValType), err: reader.optional(readValType) };
    case 0x69: return { t: 'own', resource: reader.u32() };
    case 0x68: return { t: 'borrow', resource: reader.u32() };
    case 0x66: return { t: 'stream', of: reader.optional(readValType) };
    case 0x65: return { t: 'future', of: reader.optional(readValType) };
    case 0x63: return reader.unsupported('a map type', at);
    case 0x40: case 0x43:
      return { t: 'func', async: opcode === 0x43, params: reader.vec(readLabelled), result: readResultList(reader) };
    case 0x41: return { t: 'component', decls: reader.vec((r) => readDecl(r, true, depth)) };
    case 0x42: return { t: 'instance', decls: reader.vec((r) => readDecl(r, false, depth)) };
    case 0x3f:
      if (reader.byte() !== 0x7f) reader.unsupported('a resource whose representation is not i32', reader.pos - 1);
      return { t: 'resource', dtor: reader.optional((r) => r.u32()) };
    default: return reader.fail(`unknown type opcode ${hex(opcode)}`, at);
  }
}
