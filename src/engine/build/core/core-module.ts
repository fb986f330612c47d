import { BuildError, RewriteError } from '#engine/build/build-error.js';
import { hex, Reader } from '#engine/build/decode/reader.js';
import { skipConstantExpression } from './constant-expression.js';
import { readCoreExternDesc, readCoreKind, readCoreValueType, readFuncType, readLimits, resolveDesc } from './core-types.js';
import type { CoreExternType, CoreKind, CoreLimits, Signature } from './core-types.js';

export interface CoreImport {
  module: string;
  name: string;
  type: CoreExternType;
}

export interface CoreExport {
  name: string;
  index: number;
  type: CoreExternType;
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

/** How many operands a function takes and gives. */
export interface Arity {
  params: number;
  results: number;
}

/** `value` as in `CoreExternType`. */
export interface OwnGlobal {
  index: number;
  value: string | null;
  mutable: boolean;
}

/** What the linker and the rewriter know of a core module. Made by `readCoreModule` only, so the bytes are valid WebAssembly. */
export interface CoreModule {
  bytes: Uint8Array;
  sections: Section[];
  imports: CoreImport[];
  exports: CoreExport[];
  ownTables: OwnTable[];
  ownMemories: CoreLimits[];
  ownGlobals: OwnGlobal[];
  /** Of each type, and of each function, imported ones first. */
  typeArities: Arity[];
  funcArities: Arity[];
  importedFuncs: number;
  importedMemories: number;
  funcs: number;
  globals: number;
  start: number | null;
}

class CoreModuleReader {
  readonly types: Signature[] = [];
  /** Types of what the index spaces hold. */
  private readonly spaces: Record<CoreKind, CoreExternType[]> = { func: [], table: [], memory: [], global: [], tag: [] };
  readonly module: CoreModule;

  constructor(bytes: Uint8Array) {
    this.module = {
      bytes, sections: [], imports: [], exports: [], ownTables: [], ownMemories: [], ownGlobals: [], typeArities: [], funcArities: [],
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
    this.module.funcs = this.spaces.func.length;
    return this.module;
  }

  private section(id: number, body: Reader): void {
    const { module } = this;
    switch (id) {
      case 1: body.vec((r) => this.recGroup(r)); break;
      case 2: body.vec((r) => this.import(r)); break;
      case 3: body.vec((r) => this.func(r.u32())); break;
      case 4: this.tables(body); break;
      case 5: body.vec((r) => this.memory(r)); break;
      case 6: this.globals(body); break;
      case 7: body.vec((r) => this.export(r)); break;
      case 8: module.start = body.u32(); break;
      case 13: body.vec((r) => this.tag(r)); break;
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
    const { signature, arity } = readFuncType(reader);
    this.types.push(signature);
    this.module.typeArities.push(arity);
  }

  private import(reader: Reader): void {
    const { module } = this;
    const from = reader.name();
    const name = reader.name();
    const desc = readCoreExternDesc(reader);
    const type = resolveDesc(desc, (index) => this.types[index] ?? null);
    module.imports.push({ module: from, name, type });
    this.spaces[type.kind].push(type);
    if (desc.kind === 'func') {
      module.importedFuncs++;
      module.funcArities.push(module.typeArities[desc.type]!);
    }
    if (type.kind === 'memory') module.importedMemories++;
    if (type.kind === 'global') module.globals++;
  }

  private func(type: number): void {
    this.spaces.func.push({ kind: 'func', signature: this.types[type] ?? null });
    this.module.funcArities.push(this.module.typeArities[type]!);
  }

  /** A table with an initial value (0x40 0x00 …) ends in an expression, so it can only be the last one that is read here. */
  private tables(reader: Reader): void {
    const count = reader.count();
    for (let i = 0; i < count; i++) {
      if (reader.peek() === 0x40) reader.unsupported('a table with an initial value');
      const element = readCoreValueType(reader);
      const limitsFrom = reader.pos;
      const limits = readLimits(reader, 'table');
      this.module.ownTables.push({ ...limits, limitsFrom, limitsTo: reader.pos });
      this.spaces.table.push({ kind: 'table', element, ...limits });
    }
  }

  private memory(reader: Reader): void {
    const limits = readLimits(reader, 'memory');
    this.module.ownMemories.push(limits);
    this.spaces.memory.push({ kind: 'memory', ...limits });
  }

  private globals(reader: Reader): void {
    const count = reader.count();
    for (let i = 0; i < count; i++) {
      const value = readCoreValueType(reader);
      const mutable = reader.flag('mutability');
      this.module.ownGlobals.push({ index: this.module.globals++, value, mutable });
      this.spaces.global.push({ kind: 'global', value, mutable });
      skipConstantExpression(reader);
    }
  }

  private tag(reader: Reader): void {
    reader.byte();
    this.spaces.tag.push({ kind: 'tag', signature: this.types[reader.u32()] ?? null });
  }

  private export(reader: Reader): void {
    const name = reader.name();
    const kind = readCoreKind(reader);
    const index = reader.u32();
    const type = this.spaces[kind][index] ?? reader.fail(`there is no ${kind} ${index}`);
    this.module.exports.push({ name, index, type });
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
