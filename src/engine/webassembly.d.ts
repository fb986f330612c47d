/**
 * The WebAssembly JavaScript interface as V8 has it, JSPI included: TypeScript ships these types only with the DOM library, which a
 * server must not have in scope.
 */
declare namespace WebAssembly {
  type ImportExportKind = 'function' | 'table' | 'memory' | 'global' | 'tag';
  type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128' | 'externref' | 'anyfunc';
  interface ModuleExportDescriptor { name: string; kind: ImportExportKind }
  interface ModuleImportDescriptor { module: string; name: string; kind: ImportExportKind }
  // oxlint-disable-next-line no-explicit-any -- core functions take and give numbers and bigints by their core type
  type CoreFunction = (...args: any[]) => any;
  type ExportValue = CoreFunction | Global | Memory | Table;
  type Exports = Record<string, ExportValue>;
  type Imports = Record<string, Record<string, ExportValue>>;

  class Module {
    constructor(bytes: BufferSource);
    static exports(module: Module): ModuleExportDescriptor[];
    static imports(module: Module): ModuleImportDescriptor[];
    static customSections(module: Module, name: string): ArrayBuffer[];
  }
  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Exports;
  }
  interface MemoryDescriptor { initial: number; maximum?: number; shared?: boolean }
  class Memory {
    constructor(descriptor: MemoryDescriptor);
    readonly buffer: ArrayBuffer | SharedArrayBuffer;
    grow(pages: number): number;
  }
  class Global {
    constructor(descriptor: { value: ValueType; mutable?: boolean }, value?: unknown);
    // oxlint-disable-next-line no-explicit-any -- a bigint for i64, a number else
    value: any;
  }
  class Table {
    constructor(descriptor: { element: 'anyfunc' | 'externref'; initial: number; maximum?: number });
    readonly length: number;
    get(index: number): CoreFunction | null;
    set(index: number, value?: CoreFunction | null): void;
    grow(by: number, value?: CoreFunction | null): number;
  }
  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}
  /** JSPI: wraps a JavaScript function so that a promise it returns suspends the calling wasm stack. */
  class Suspending {
    constructor(fn: CoreFunction);
  }
  /** JSPI: error thrown when a Suspending import is reached without a suspendable stack, or across JavaScript frames. */
  class SuspendError extends Error {}

  function validate(bytes: BufferSource): boolean;
  function compile(bytes: BufferSource): Promise<Module>;
  /** JSPI: the export on a stack of its own that can be suspended. */
  function promising(fn: CoreFunction): (...args: unknown[]) => Promise<unknown>;
}
type BufferSource = ArrayBufferView | ArrayBuffer | SharedArrayBuffer;
