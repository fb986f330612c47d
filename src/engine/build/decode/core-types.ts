import type { CoreTypeDef } from './ast.js';
import { hex, type Reader } from './reader.js';

function skipValueType(reader: Reader): void {
  const byte = reader.byte();
  if (byte === 0x63 || byte === 0x64) skipHeapType(reader);
  else if (byte < 0x40) reader.fail(`unknown core value type ${hex(byte)}`, reader.pos - 1);
}

function skipHeapType(reader: Reader): void {
  if (reader.peek() >= 0x40 && reader.peek() < 0x80) reader.byte();
  else reader.s33Index();
}

function skipLimits(reader: Reader): void {
  const flags = reader.byte();
  if (flags > 7) reader.unsupported(`limits with flags ${hex(flags)}`, reader.pos - 1);
  if (flags & 4) reader.unsupported('a 64-bit memory or table in a module type');
  reader.u32();
  if (flags & 1) reader.u32();
}

function skipCoreExternType(reader: Reader): void {
  const kind = reader.byte();
  switch (kind) {
    case 0: reader.u32(); return;
    case 1: skipValueType(reader); skipLimits(reader); return;
    case 2: skipLimits(reader); return;
    case 3: skipValueType(reader); reader.flag('mutability'); return;
    case 4: reader.byte(); reader.u32(); return;
    default: reader.fail(`unknown core extern type ${hex(kind)}`, reader.pos - 1);
  }
}

function skipModuleDecl(reader: Reader): void {
  const kind = reader.byte();
  switch (kind) {
    case 0: reader.name(); reader.name(); skipCoreExternType(reader); return;
    case 1:
      if (reader.peek() === 0x50) reader.fail('a module type inside a module type');
      readCoreType(reader);
      return;
    case 2: reader.byte(); reader.byte(); reader.u32(); reader.u32(); return;
    case 3: reader.name(); skipCoreExternType(reader); return;
    default: reader.fail(`unknown module declarator ${hex(kind)}`, reader.pos - 1);
  }
}

/** Reads past a core type (Binary.md, core:type); of the GC proposal only plain function types are taken. */
export function readCoreType(reader: Reader): CoreTypeDef {
  const form = reader.byte();
  switch (form) {
    case 0x60:
      reader.vec(skipValueType);
      reader.vec(skipValueType);
      return { t: 'func' };
    case 0x50:
      reader.vec(skipModuleDecl);
      return { t: 'module' };
    default:
      return reader.unsupported(`core type ${hex(form)}`, reader.pos - 1);
  }
}
