import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { componentEmbed, componentNew, metadataShow, parse, preview1AdapterReactorPath, print } from '@bytecodealliance/jco';
import { $init, generate } from '@bytecodealliance/jco-transpile/component';
import { buildComponent } from '#engine/build/build-component.js';
import { Program } from '#engine/run/program.js';
import type { Slot } from '#engine/run/slot.js';
import type { GuestState } from '#runtime/capability/guest.js';
import { resolveHost } from '#runtime/capability/table.js';
import { TestGuest } from '../../capability/guest-state.js';
import { stillClock } from '../engine-harness.js';
import { valueComponent } from '../value-component.js';

const VENDOR = new URL('../../../node_modules/@bytecodealliance/jco-transpile/vendor/', import.meta.url);
const EXAMPLES = new URL('../../../examples/', import.meta.url);
const MEMORY_BYTES = 256 * 2 ** 20;
const BUDGET_NS = 20_000_000_000n;
const TOOLS = 'local:wasm-tools/tools';

/** jco ships its own components in parts, without their types: this is what those parts say of themselves. */
const TOOLS_WIT = `package local:wasm-tools;
  interface tools {
    enum string-encoding { utf8, utf16, compact-utf16 }
    type producers-fields = list<tuple<string, list<tuple<string, string>>>>;
    variant enabled-feature-set { %list(list<string>), all }
    record embed-opts {
      binary: option<list<u8>>, wit-source: option<string>, wit-path: option<string>, string-encoding: option<string-encoding>,
      dummy: option<bool>, %world: option<string>, metadata: option<producers-fields>, features: option<enabled-feature-set>,
    }
    variant module-meta-type { %module, component(u32) }
    record module-metadata {
      parent-index: option<u32>, name: option<string>, meta-type: module-meta-type, range: tuple<u32, u32>, producers: producers-fields,
    }
    parse: func(wat: string) -> result<list<u8>, string>;
    print: func(binary: list<u8>) -> result<string, string>;
    component-new: func(binary: list<u8>, adapters: option<list<tuple<string, list<u8>>>>) -> result<list<u8>, string>;
    component-embed: func(embed-opts: embed-opts) -> result<list<u8>, string>;
    metadata-show: func(binary: list<u8>) -> result<list<module-metadata>, string>;
  }
  world shipped { export tools; }`;

const BINDGEN_WIT = `package local:bindgen;
  world shipped {
    type files = list<tuple<string, list<u8>>>;
    type maps = list<tuple<string, string>>;
    variant instantiation-mode { %async, sync }
    variant bindings-mode { js, hybrid, optimized, direct-optimized }
    record async-imports-exports { imports: list<string>, exports: list<string> }
    variant async-mode { sync, jspi(async-imports-exports) }
    record generate-options {
      name: string, no-typescript: option<bool>, instantiation: option<instantiation-mode>, import-bindings: option<bindings-mode>,
      %map: option<maps>, compat: option<bool>, no-nodejs-compat: option<bool>, base64-cutoff: option<u32>, tla-compat: option<bool>,
      valid-lifting-optimization: option<bool>, tracing: option<bool>, no-component-error-wrapping: option<bool>,
      no-namespaced-exports: option<bool>, guest: option<bool>, multi-memory: option<bool>, bindgen-enable-wasm-exnref: option<bool>,
      async-mode: option<async-mode>, strict: option<bool>, flags-as-bigint: option<bool>, variants-inline-cases: option<bool>,
      use-namespace-objects: option<bool>, enum-values-screaming-snake-case: option<bool>, asmjs: option<bool>,
    }
    enum export-type { function, instance }
    record transpiled { files: files, imports: list<string>, exports: list<tuple<string, export-type>> }
    export generate: func(component: list<u8>, options: generate-options) -> result<transpiled, string>;
  }`;

const guests: TestGuest[] = [];
afterAll(() => guests.forEach((guest) => guest.dispose()));

/** One of jco's own components, made whole again and running in the engine. */
async function shipped(name: string, witSource: string): Promise<Slot<GuestState>> {
  const binary = new Uint8Array(readFileSync(new URL(`${name}.core.wasm`, VENDOR)));
  const adapter = new Uint8Array(readFileSync(preview1AdapterReactorPath()));
  const component = await componentNew(await componentEmbed({ binary, witSource, world: 'shipped' }), [['wasi_snapshot_preview1', adapter]]);
  const { plan, modules } = await buildComponent(component, { memoryCapBytes: MEMORY_BYTES });
  const guest = new TestGuest();
  guests.push(guest);
  const program = new Program<GuestState>(plan, modules.map((bytes) => new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>)), {
    resolve: resolveHost, clock: stillClock(), maxAllocationBytes: MEMORY_BYTES,
  });
  expect(program.missing).toEqual([]);
  const slot = program.newSlot(guest);
  slot.instantiate(BUDGET_NS);
  return slot;
}

const ok = (val: unknown) => ({ tag: 'ok', val });

describe('the toolbox of jco, in the engine', () => {
  let tools: Slot<GuestState>;
  const call = (name: string, ...args: unknown[]): Promise<unknown> => {
    if (tools.poisoned) {
      tools.reset();
      tools.instantiate(BUDGET_NS);
    }
    tools.setBudget(BUDGET_NS);
    return tools.call(TOOLS, name, args);
  };

  beforeAll(async () => {
    tools = await shipped('wasm-tools', TOOLS_WIT);
  });

  it.each([
    '(module)',
    '(module (memory 1) (func (export "f") (param i64) (result f64) local.get 0 f64.reinterpret_i64) (data (i32.const 8) "\\ff\\00é"))',
    '(component (core module $m (func (export "f"))) (core instance $i (instantiate $m)) (func (export "f") (canon lift (core func $i "f"))))',
  ])('parses and prints as in jco: %s', async (wat) => {
    const binary = await parse(wat);
    expect(await call('parse', wat)).toEqual(ok(binary));
    expect(await call('print', binary)).toEqual(ok(await print(binary)));
  });

  it('prints and parses a component of many types as in jco', async () => {
    const component = await valueComponent();
    const text = await print(component);
    expect(await call('print', component)).toEqual(ok(text));
    expect(await call('parse', text)).toEqual(ok(await parse(text)));
  });

  it.each(['(module (func (export', '(component (export "a" (func $gone)))', '\0'])('gives the same error as jco for the text %j', async (wat) => {
    const error = await Promise.resolve(parse(wat)).then(() => null, (thrown: { payload?: string }) => thrown.payload ?? thrown);
    expect(await call('parse', wat)).toEqual({ tag: 'err', val: error });
  });

  it('makes the same component of a module, and tells the same of it', async () => {
    const binary = await parse('(module (import "w:w/in" "f" (func $f (param i32 i32))) (memory (export "memory") 1) (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 0) (func (export "go") i32.const 0 i32.const 0 call $f))');
    const options = {
      binary, witSource: 'package w:w; interface in { f: func(text: string); } world w { import in; export go: func(); }', world: 'w', stringEncoding: 'utf16' as const,
      metadata: [['language', [['WAT', '1']]]] as [string, [string, string][]][],
    };
    const embedded = await componentEmbed(options);
    expect(await call('component-embed', { ...options })).toEqual(ok(embedded));
    const component = await componentNew(embedded, []);
    expect(await call('component-new', embedded, [])).toEqual(ok(component));
    expect(await call('metadata-show', component)).toEqual(ok(await metadataShow(component)));
  });

  it('is the same after a reset', async () => {
    const first = await call('parse', '(module (func))');
    for (let i = 0; i < 3; i++) {
      tools.reset();
      tools.instantiate(BUDGET_NS);
      expect(tools.difference).toBeNull();
      expect(await call('parse', '(module (func))')).toEqual(first);
    }
  });

  it('writes the same glue as jco', async () => {
    await $init;
    const bindgen = await shipped('js-component-bindgen-component', BINDGEN_WIT);
    const component = await componentNew(await componentEmbed({
      binary: await parse('(module (func (export "go") (param i32) (result i64) i64.const 7))'), witSource: 'package w:w; world w { export go: func(c: char) -> u64; }', world: 'w',
    }), []);
    const options = { name: 'c', instantiation: { tag: 'sync' as const }, map: [['a', 'b']] as [string, string][], asyncMode: { tag: 'jspi' as const, val: { imports: [], exports: ['go'] } } };
    expect(await bindgen.call(null, 'generate', [component, options])).toEqual(ok(generate(component, options)));
    const values = await valueComponent();
    expect(await bindgen.call(null, 'generate', [values, { name: 'values' }])).toEqual(ok(generate(values, { name: 'values' })));
    expect(await bindgen.call(null, 'generate', [Uint8Array.of(1), { name: 'none' }])).toMatchObject({ tag: 'err', val: expect.any(String) });
  });
});

describe('the components of the examples', () => {
  const names = ['tiny-wat', 'hello-js', 'counter-js'];
  it.each(names)('are built: %s', async (name) => {
    const file = new URL(`${name}/${name}.wasm`, EXAMPLES);
    if (!existsSync(file)) return;
    const { plan, modules, handlers } = await buildComponent(new Uint8Array(readFileSync(file)), { memoryCapBytes: MEMORY_BYTES });
    expect(handlers).toContain('wasi-http-0.2');
    const program = new Program(plan, modules.map((bytes) => new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>)), { resolve: resolveHost, clock: stillClock() });
    expect(program.missing).toEqual([]);
  });
});
