import { BuildError, RewriteError } from '#engine/build/build-error.js';
import { hex, Reader } from '#engine/build/decode/reader.js';

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

export interface CoreImport {
  module: string;
  name: string;
  kind: CoreKind;
  signature: Signature;
}

export interface CoreExport {
  name: string;
  kind: CoreKind;
  index: number;
  signature: Signature;
}

export interface Section {
  id: number;
  /** Where the section begins (its id), where its contents begin, and where they end. */
  start: number;
  from: number;
  to: number;
}

/** A table of the module's own and where its limits stand. */
export interface OwnTable extends CoreLimits {
  limitsFrom: number;
  limitsTo: number;
}

/** What the linker and the rewriter know of a core module. Made by `readCoreModule` only, so the bytes are valid WebAssembly. */
export interface CoreModule {
  bytes: Uint8Array;
  sections: Section[];
  imports: CoreImport[];
  exports: CoreExport[];
  ownTables: OwnTable[];
  ownMemories: CoreLimits[];
  importedFuncs: number;
  importedMemories: number;
  funcs: number;
  globals: number;
  start: number | null;
}

const VALUE_TYPES: Record<number, string> = {
  0x7f: 'i32', 0x7e: 'i64', 0x7d: 'f32', 0x7c: 'f64', 0x7b: 'v128', 0x70: 'funcref', 0x6f: 'externref', 0x69: 'exnref',
};

/** A value type as text, or null when it names a type of the module. */
function valueType(reader: Reader): string | null {
  const byte = reader.byte();
  const name = VALUE_TYPES[byte];
  if (name !== undefined) return name;
  if (byte === 0x63 || byte === 0x64) {
    const heap = reader.peek();
    if (heap >= 0x40 && heap < 0x80) {
      reader.byte();
      return `ref ${byte === 0x63 ? 'null ' : ''}${hex(heap)}`;
    }
    reader.s33Index();
    return null;
  }
  if (byte >= 0x66 && byte <= 0x78) return `ref ${hex(byte)}`;
  return reader.unsupported(`core value type ${hex(byte)}`, reader.pos - 1);
}

function readLimits(reader: Reader, what: 'memory' | 'table'): CoreLimits {
  const at = reader.pos;
  const flags = reader.byte();
  if (flags & 2) reader.unsupported(`a shared ${what}`, at);
  if (flags & 4) reader.unsupported(`a 64-bit ${what}`, at);
  if (flags & 8) reader.unsupported(`a ${what} with a custom page size`, at);
  if (flags & ~1) reader.unsupported(`a ${what} with limits flags ${hex(flags)}`, at);
  return { min: reader.u32(), max: flags & 1 ? reader.u32() : null };
}

class CoreModuleReader {
  readonly types: Signature[] = [];
  readonly funcTypes: number[] = [];
  readonly module: CoreModule;

  constructor(bytes: Uint8Array) {
    this.module = {
      bytes, sections: [], imports: [], exports: [], ownTables: [], ownMemories: [],
      importedFuncs: 0, importedMemories: 0, funcs: 0, globals: 0, start: null,
    };
  }

  read(): CoreModule {
    const { bytes, sections } = this.module;
    const reader = new Reader(bytes, 8);
    while (!reader.done) {
      const start = reader.pos;
      const id = reader.byte();
      const body = reader.sub(reader.u32());
      if (id > 13) reader.unsupported(`core section ${id}`, start);
      sections.push({ id, start, from: body.pos, to: body.end });
      this.section(id, body);
    }
    this.module.funcs = this.funcTypes.length;
    return this.module;
  }

  private section(id: number, body: Reader): void {
    const { module } = this;
    switch (id) {
      case 1: body.vec((r) => this.recGroup(r)); break;
      case 2: body.vec((r) => this.import(r)); break;
      case 3: body.vec((r) => this.funcTypes.push(r.u32())); break;
      case 4: this.tables(body); break;
      case 5: body.vec((r) => module.ownMemories.push(readLimits(r, 'memory'))); break;
      case 6: module.globals += body.u32(); break;
      case 7: body.vec((r) => this.export(r)); break;
      case 8: module.start = body.u32(); break;
      default:
    }
  }

  private recGroup(reader: Reader): void {
    if (reader.peek() !== 0x4e) return this.subType(reader);
    reader.byte();
    reader.vec((r) => this.subType(r));
  }

  private subType(reader: Reader): void {
    if (reader.peek() === 0x50 || reader.peek() === 0x4f) {
      reader.byte();
      reader.vec((r) => r.u32());
    }
    const at = reader.pos;
    const form = reader.byte();
    // objects of the garbage collector would lie outside the memory that the cap bounds
    if (form === 0x5f || form === 0x5e) reader.unsupported('a type of the garbage collection proposal (struct, array)', at);
    if (form !== 0x60) reader.unsupported(`core type ${hex(form)}`, at);
    const params = reader.vec(valueType);
    const results = reader.vec(valueType);
    this.types.push([...params, ...results].includes(null) ? null : `${params.join(',')}>${results.join(',')}`);
  }

  private import(reader: Reader): void {
    const { module } = this;
    const from = reader.name();
    const name = reader.name();
    const kind = this.kind(reader);
    let signature: Signature = null;
    switch (kind) {
      case 'func': {
        const type = reader.u32();
        this.funcTypes.push(type);
        module.importedFuncs++;
        signature = this.types[type] ?? null;
        break;
      }
      case 'table': valueType(reader); readLimits(reader, 'table'); break;
      case 'memory': readLimits(reader, 'memory'); module.importedMemories++; break;
      case 'global': valueType(reader); reader.byte(); module.globals++; break;
      default: reader.byte(); reader.u32();
    }
    module.imports.push({ module: from, name, kind, signature });
  }

  /** A table with an initial value (0x40 0x00 …) ends in an expression, so it can only be the last one that is read here. */
  private tables(reader: Reader): void {
    const count = reader.count();
    for (let i = 0; i < count; i++) {
      if (reader.peek() === 0x40) reader.unsupported('a table with an initial value');
      valueType(reader);
      const limitsFrom = reader.pos;
      this.module.ownTables.push({ ...readLimits(reader, 'table'), limitsFrom, limitsTo: reader.pos });
    }
  }

  private export(reader: Reader): void {
    const name = reader.name();
    const kind = this.kind(reader);
    const index = reader.u32();
    const signature = kind === 'func' ? this.types[this.funcTypes[index] ?? -1] ?? null : null;
    this.module.exports.push({ name, kind, index, signature });
  }

  private kind(reader: Reader): CoreKind {
    const byte = reader.byte();
    return KINDS[byte] ?? reader.unsupported(`a core import or export of kind ${byte}`, reader.pos - 1);
  }
}

/**
 * Reads what linking and rewriting need of a core module. The module must be valid by itself: an index that is out of range there
 * could come to mean something that the rewriter appends. Throws `RewriteError`, the message begins with `label`.
 */
export function readCoreModule(bytes: Uint8Array, label = 'core module'): CoreModule {
  const copy = bytes as Uint8Array<ArrayBuffer>;
  if (!WebAssembly.validate(copy)) throw new RewriteError('invalid', `${label} is not valid WebAssembly: ${compileMessage(copy)}`);
  try {
    return new CoreModuleReader(bytes).read();
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    throw new RewriteError(error.kind === 'limit' ? 'limit' : 'unsupported', `${label}: ${error.message}`);
  }
}

/** V8's reason, which names the function and the byte. */
function compileMessage(bytes: Uint8Array<ArrayBuffer>): string {
  try {
    new WebAssembly.Module(bytes);
    return 'a feature that is switched off';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
