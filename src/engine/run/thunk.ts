import type { CoreType } from '#engine/run/abi/layout.js';

/** Parameters and the result, if any, of a core function. */
export interface CoreSignature {
  params: readonly CoreType[];
  result: CoreType | null;
}

export const THUNK_EXPORT = 'f';
export const THUNK_MODULE = 'h';

const VALUE_TYPES: Record<CoreType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c };
const MUTABLE_I32 = [0x7f, 0x01];
const EMPTY_BLOCK = 0x40;
const OP = { if: 0x04, end: 0x0b, call: 0x10, callRef: 0x14, localGet: 0x20, localSet: 0x21, globalGet: 0x23 };

type Bytes = readonly number[];

function leb(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

const vector = (items: readonly Bytes[]): number[] => [...leb(items.length), ...items.flat()];
const section = (id: number, items: readonly Bytes[]): number[] => {
  const body = vector(items);
  return [id, ...leb(body.length), ...body];
};
const text = (value: string): number[] => [...leb(value.length), ...Buffer.from(value, 'latin1')];
const funcType = (params: readonly Bytes[], results: readonly Bytes[]): number[] => [0x60, ...vector(params), ...vector(results)];
const importOf = (name: string, kind: number, description: Bytes): number[] => [...text(THUNK_MODULE), ...text(name), kind, ...description];
const valueTypes = (types: readonly CoreType[]): Bytes[] => types.map((type) => [VALUE_TYPES[type]]);
const getAll = (count: number, from: number): number[] => Array.from({ length: count }, (_, i) => [OP.localGet, ...leb(from + i)]).flat();

/** A module of imports and one exported function; a local after its parameters holds the result. */
function assemble(types: readonly Bytes[], imports: readonly Bytes[], exported: { type: number; index: number; result: CoreType | null; code: Bytes }): Uint8Array {
  const { type, index, result, code } = exported;
  const locals = result ? vector([[1, VALUE_TYPES[result]]]) : [0];
  const body = [...locals, ...code, OP.end];
  return Uint8Array.from([
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
    ...section(1, types),
    ...section(2, imports),
    ...section(3, [leb(type)]),
    ...section(7, [[...text(THUNK_EXPORT), 0x00, ...leb(index)]]),
    ...section(10, [[...leb(body.length), ...body]]),
  ]);
}

/**
 * `f(callee, ...params)`: calls the callee and then the import `returned(result)`. Called through `WebAssembly.promising` it tells
 * that the callee has ended in the moment it does: the promise tells a microtask later, when the caller has long gone on.
 */
export function entryThunk({ params, result }: CoreSignature): Uint8Array {
  const results = result ? valueTypes([result]) : [];
  const calleeRef = [0x63, 0x00];
  const kept = params.length + 1;
  const keep = result ? [OP.localSet, ...leb(kept), OP.localGet, ...leb(kept)] : [];
  const give = result ? [OP.localGet, ...leb(kept)] : [];
  return assemble(
    [funcType(valueTypes(params), results), funcType(results, []), funcType([calleeRef, ...valueTypes(params)], results)],
    [importOf('returned', 0x00, [1])],
    { type: 2, index: 1, result, code: [...getAll(params.length, 1), OP.localGet, 0, OP.callRef, 0, ...keep, OP.call, 0, ...give] },
  );
}

/**
 * `f(...params)`: calls the import `attempt(...params)`; only when that set the global `blocked` it calls `wait()`, a Suspending
 * import, for the result, and then `resumed()`. V8 suspends at a Suspending import whatever it returns: this way a call that has
 * nothing to wait for costs no suspension, and the stack is not taken off in the middle of it.
 */
export function waitThunk({ params, result }: CoreSignature): Uint8Array {
  const results = result ? valueTypes([result]) : [];
  const kept = params.length;
  const keep = result ? [OP.localSet, ...leb(kept)] : [];
  const give = result ? [OP.localGet, ...leb(kept)] : [];
  return assemble(
    [funcType(valueTypes(params), results), funcType([], results), funcType([], [])],
    [importOf('attempt', 0x00, [0]), importOf('wait', 0x00, [1]), importOf('resumed', 0x00, [2]), importOf('blocked', 0x03, MUTABLE_I32)],
    {
      type: 0, index: 3, result,
      code: [
        ...getAll(params.length, 0), OP.call, 0, ...keep,
        OP.globalGet, 0, OP.if, EMPTY_BLOCK, OP.call, 1, ...keep, OP.call, 2, OP.end,
        ...give,
      ],
    },
  );
}

/** Compiled thunks of one program, by core signature. */
export class ThunkModules {
  private readonly modules = new Map<string, WebAssembly.Module>();

  get(kind: 'entry' | 'wait', signature: CoreSignature): WebAssembly.Module {
    const key = `${kind} ${signature.params.join()} ${signature.result}`;
    let module = this.modules.get(key);
    if (!module) {
      module = new WebAssembly.Module(kind === 'entry' ? entryThunk(signature) : waitThunk(signature));
      this.modules.set(key, module);
    }
    return module;
  }
}
