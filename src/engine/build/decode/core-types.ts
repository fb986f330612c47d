import { readCoreExternDesc, readSignature } from '#engine/build/core/core-types.js';
import type { CoreTypeDef, ModuleDecl } from './ast.js';
import { hex, type Reader } from './reader.js';

function readModuleDecl(reader: Reader): ModuleDecl {
  const at = reader.pos;
  const kind = reader.byte();
  switch (kind) {
    case 0: return { k: 'import', module: reader.name(), name: reader.name(), type: readCoreExternDesc(reader) };
    case 1: {
      const form = reader.byte();
      if (form === 0x50) reader.fail('a module type inside a module type', at);
      if (form !== 0x60) reader.unsupported(`core type ${hex(form)}`, at);
      return { k: 'type', signature: readSignature(reader) };
    }
    case 2:
      if (reader.byte() !== 0x10 || reader.byte() !== 0x01) reader.fail('a module type takes outer aliases of types only', at);
      return { k: 'outer type', count: reader.u32(), index: reader.u32() };
    case 3: return { k: 'export', name: reader.name(), type: readCoreExternDesc(reader) };
    default: return reader.fail(`unknown module declarator ${hex(kind)}`, at);
  }
}

/** Reads a core type (Binary.md, core:type); of the GC proposal only plain function types are taken. */
export function readCoreType(reader: Reader): CoreTypeDef {
  const form = reader.byte();
  switch (form) {
    case 0x60: return { t: 'func', signature: readSignature(reader) };
    case 0x50: return { t: 'module', decls: reader.vec(readModuleDecl) };
    default: return reader.unsupported(`core type ${hex(form)}`, reader.pos - 1);
  }
}
