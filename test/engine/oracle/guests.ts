import { transpile } from '@bytecodealliance/jco';
import { Err } from '#engine/run/host.js';
import { BUDGET_NS, programOf } from '../engine-harness.js';
import { ECHO } from './pass-through.js';
import type { WitFunction } from './wit-type.js';
import { keyOf } from './wit-value.js';

interface Tagged {
  tag: 'ok' | 'err';
  val?: unknown;
}

/** A component and its host, in the engine's convention for values: a `result` is always `{ tag, val }`. */
export interface Guest {
  call(name: string, args: unknown[]): Promise<unknown>;
  /** What the guest passed to the host since it was last asked. */
  seen(): unknown[][];
  /** What the host's functions return from now on. */
  answer(value: unknown): void;
}

const hostNames = (functions: WitFunction[]): string[] => functions.map((_, i) => `echo${i}`);
const returnsResult = (functions: WitFunction[], name: string): boolean => functions[Number(/^(?:echo|replay)(\d+)$/.exec(name)?.[1] ?? -1)]?.result?.k === 'result';

/** The component in the engine. */
export async function engineGuest(component: Uint8Array, functions: WitFunction[]): Promise<Guest> {
  const seen: unknown[][] = [];
  let answer: unknown;
  const host = Object.fromEntries(hostNames(functions).map((name) => [`${ECHO}#${name}`, (...args: unknown[]) => {
    seen.push(args);
    if (!returnsResult(functions, name)) return answer;
    const { tag, val } = answer as Tagged;
    return tag === 'ok' ? val : new Err(val);
  }]));
  const slot = (await programOf(component, host)).newSlot({});
  slot.instantiate(BUDGET_NS);
  return {
    call: (name, args) => {
      slot.setBudget(BUDGET_NS);
      return slot.call(ECHO, name, args);
    },
    seen: () => seen.splice(0),
    answer: (value) => { answer = value; },
  };
}

type Exports = Record<string, (...args: unknown[]) => unknown>;
type Instantiate = (core: (name: string) => WebAssembly.Module, imports: Record<string, unknown>) => Record<string, Exports>;

/** Instantiates the component by way of jco's generated glue; each time anew. What it gives are the interfaces that are exported. */
export async function jcoProgram(component: Uint8Array): Promise<(imports: Record<string, unknown>) => Record<string, Exports>> {
  const { files } = await transpile(component, { name: 'c', instantiation: 'sync', emitTypescriptDeclarations: false, nodejsCompat: false } as never);
  const byName = new Map(Object.entries(files as Record<string, Uint8Array<ArrayBuffer>>));
  const modules = new Map([...byName].filter(([name]) => name.endsWith('.wasm')).map(([name, bytes]) => [name, new WebAssembly.Module(bytes)]));
  const glue = await import(`data:text/javascript;base64,${Buffer.from(byName.get('c.js')!).toString('base64')}`) as { instantiate: Instantiate };
  return (imports) => glue.instantiate((name) => modules.get(name)!, imports);
}

/** The component in jco. */
export async function jcoGuest(component: Uint8Array, functions: WitFunction[]): Promise<Guest> {
  const seen: unknown[][] = [];
  let answer: unknown;
  const host = Object.fromEntries(hostNames(functions).map((name) => [name, (...args: unknown[]) => {
    seen.push(args);
    if (!returnsResult(functions, name)) return answer;
    const { tag, val } = answer as Tagged;
    if (tag === 'ok') return val;
    throw Object.assign(new Error('the error side'), { payload: val });
  }]));
  const exports = (await jcoProgram(component))({ [ECHO]: host })[ECHO]!;
  return {
    call: async (name, args) => {
      if (!returnsResult(functions, name)) return exports[keyOf(name)]!(...args);
      try {
        return { tag: 'ok', val: exports[keyOf(name)]!(...args) };
      } catch (error) {
        if (error instanceof Error && !Object.hasOwn(error, 'payload')) throw error;
        return { tag: 'err', val: (error as { payload: unknown }).payload };
      }
    },
    seen: () => seen.splice(0),
    answer: (value) => { answer = value; },
  };
}
