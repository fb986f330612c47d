import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse } from '@bytecodealliance/jco';
import { CARDS_IMPORT, CLOCK_IMPORT, GLOBAL_EXPORT, MEMORY_IMPORT, PAGE_BYTES, WHORL_MODULE } from '#engine/plan.js';
import { BuildError } from '#engine/build/build-error.js';
import { readCoreModule } from '#engine/build/core/core-module.js';
import { rewriteModule, type RewrittenModule } from '#engine/build/rewrite/rewriter.js';
import { GuestMemory } from '#engine/run/guest-memory.js';
import { Random } from '../fixtures/random.js';
import { memoryProgram, PROGRAM_MAX_PAGES, PROGRAM_PAGES } from './memory-program.js';
import { pointerProgram } from './pointer-program.js';

/** Programs that are made up in one run. */
const FUZZ_ROUNDS = Number(process.env['FUZZ_ROUNDS'] ?? 250);

type Functions = Record<string, WebAssembly.CoreFunction>;

const rewrite = (bytes: Uint8Array, cards = true): RewrittenModule => rewriteModule(readCoreModule(bytes), { memoryCapPages: 2_048, cards });

/** A module with cards, its memory, and what resets need. */
async function instance(wat: string | Uint8Array) {
  const module = rewrite(typeof wat === 'string' ? await parse(wat) : wat);
  if (!module.cards) throw new Error('has no cards');
  const memory = new GuestMemory(module.memory!.minPages, module.memory!.maxPages, true);
  const clock = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes as Uint8Array<ArrayBuffer>), {
    [WHORL_MODULE]: { [MEMORY_IMPORT]: memory.memory, [CLOCK_IMPORT]: clock, [CARDS_IMPORT]: memory.cards!.memory },
  });
  return { module, memory, exports: exports as Functions, globals: exports as Record<string, WebAssembly.Global>, marks: memory.cards!.marks };
}

/** Which cards a call marks. */
async function marked(wat: string): Promise<number[]> {
  const { exports, marks } = await instance(`(module (memory 2 4) (data $d "abc") (tag $e) (func (export "f") ${wat}))`);
  try {
    exports['f']!();
  } catch {
    // out of bounds
  }
  return [...marks.entries()].filter(([, mark]) => mark !== 0).map(([card]) => card);
}

describe('cards', () => {
  it.each([
    ['(i32.store (i32.const 1023) (i32.const 1))', [0]],
    ['(i32.store8 (i32.const 1024) (i32.const 1))', [1]],
    ['(i32.store offset=239 (i32.const 1023) (i32.const 1))', [0]],
    ['(i32.store offset=240 (i32.const 1020) (i32.const 1))', [1]],
    ['(i64.store offset=300 (i32.const 1000) (i64.const 1))', [1]],
    ['(f64.store offset=1024 (i32.const 1088) (f64.const 1))', [2]],
    ['(v128.store (i32.const 131056) (v128.const i32x4 1 2 3 4))', [127]],
    ['(v128.store8_lane 3 (i32.const 2047) (v128.const i32x4 1 2 3 4))', [1]],
    ['(memory.fill (i32.const 1023) (i32.const 1) (i32.const 1))', [0]],
    ['(memory.fill (i32.const 1023) (i32.const 1) (i32.const 2))', [0, 1]],
    ['(memory.fill (i32.const 1024) (i32.const 1) (i32.const 1024))', [1]],
    ['(memory.fill (i32.const 1023) (i32.const 1) (i32.const 1026))', [0, 1, 2]],
    ['(memory.fill (i32.const 0) (i32.const 1) (i32.const 131072))', Array.from({ length: 128 }, (_, i) => i)],
    ['(memory.copy (i32.const 3071) (i32.const 0) (i32.const 3))', [2, 3]],
    ['(memory.init $d (i32.const 2046) (i32.const 0) (i32.const 3))', [1, 2]],
    ['(memory.fill (i32.const 131072) (i32.const 1) (i32.const 0))', []],
    ['(drop (i32.load (i32.const 5000)))', []],
    ['(local $a i32) (if (i32.const 0) (then (i32.store (local.get $a) (i32.const 1))) (else (i32.store8 (local.get $a) (i32.const 1))))', [0]],
    ['(local $a i32) (block (br_if 0 (i32.const 1)) (i32.store (local.get $a) (i32.const 1))) (i32.store (local.get $a) (i32.const 1))', [0]],
    ['(local $a i32) (i32.store (local.get $a) (local.tee $a (i32.const 2048))) (i32.store (local.get $a) (i32.const 1))', [0, 2]],
    ['(local $a i32) (i32.store (local.get $a) (i32.const 1)) (i32.store offset=239 (local.get $a) (i32.const 1)) (i32.store offset=1200 (local.get $a) (i32.const 1))', [0, 1]],
    [`(local $a i32) (i32.store (local.get $a) (i32.const 1)) (loop (i32.store offset=4 (local.get $a) (i32.const 1))
      (local.set $a (i32.add (local.get $a) (i32.const 1024))) (br_if 0 (i32.lt_u (local.get $a) (i32.const 3072))))`, [0, 1, 2]],
    ['(local $a i32) (block $h (try_table (catch_all $h) (throw $e) (i32.store (local.get $a) (i32.const 1)))) (i32.store (local.get $a) (i32.const 1))', [0]],
  ])('mark where %s writes', async (wat, cards) => {
    expect(await marked(wat)).toEqual(cards);
  });

  it.each([
    ['a store at the end of the address space', '(i32.store offset=8 (i32.const -4) (i32.const 1))'],
    ['a store behind the memory', '(i32.store (i32.const 131069) (i32.const 1))'],
    ['a store far behind', '(i64.store offset=4294967295 (i32.const -1) (i64.const 1))'],
    ['a fill over the end', '(memory.fill (i32.const 131071) (i32.const 1) (i32.const 2))'],
    ['an empty fill behind the end', '(memory.fill (i32.const 131073) (i32.const 1) (i32.const 0))'],
    ['a copy of nearly everything', '(memory.copy (i32.const 4096) (i32.const 0) (i32.const -1))'],
    ['a fill of all addresses', '(memory.fill (i32.const 0) (i32.const 1) (i32.const -1))'],
  ])('do not keep %s from trapping, nor the next reset from working', async (_, wat) => {
    const { exports, memory } = await instance(`(module (memory 2 4) (func (export "f") ${wat}))`);
    const snapshot = memory.snapshot();
    expect(() => exports['f']!()).toThrow(WebAssembly.RuntimeError);
    expect(memory.restore(snapshot)).toBe(true);
    expect(memory.difference(snapshot)).toBeNull();
  });

  it('follow a store in unreachable code', async () => {
    const wat = '(module (memory 1) (func (export "f") (param i32) (block (br 0) (i32.store (local.get 0)) (unreachable) (i64.store) (v128.store) (memory.fill) (drop (memory.grow)))))';
    (await instance(wat)).exports['f']!(1);
  });

  it('let a guest that grew begin again with its first size, and hold the maximum exactly', async () => {
    const { exports, memory } = await instance(`(module (memory 1 5)
      (func (export "size") (result i32) (memory.size))
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func (export "store") (param i32) (i32.store (local.get 0) (i32.const 7))))`);
    const { size, grow, store } = exports as { size(): number; grow(n: number): number; store(at: number): void };
    const snapshot = memory.snapshot();
    for (let life = 0; life < 4; life++) {
      expect([size(), grow(0), grow(2), size(), grow(3), grow(-1), grow(65_536), grow(2), size(), grow(1)]).toEqual([1, 1, 1, 3, -1, -1, -1, 3, 5, -1]);
      expect(memory.byteLength).toBe(5 * PAGE_BYTES);
      store(5 * PAGE_BYTES - 4);
      expect(() => store(5 * PAGE_BYTES)).toThrow(WebAssembly.RuntimeError);
      expect(memory.restore(snapshot)).toBe(true);
      expect(memory.difference(snapshot)).toBeNull();
      expect(memory.byteLength).toBe(PAGE_BYTES);
    }
  });

  it('are given up together with a memory that grew much', () => {
    const memory = new GuestMemory(1, 1_000, true);
    const snapshot = memory.snapshot();
    memory.memory.grow(256);
    expect(memory.restore(snapshot)).toBe(true);
    memory.memory.grow(1);
    expect(memory.restore(snapshot)).toBe(false);
  });

  it('undo everything that made-up programs write, and change no result', async () => {
    const seed = Date.now() & 0xffff_ffff;
    const random = new Random(seed);
    let traps = 0;
    for (let round = 0; round < 200; round++) {
      const wild = round % 2 === 0;
      const wat = memoryProgram(random, wild);
      const bytes = (await parse(wat)) as Uint8Array<ArrayBuffer>;
      const where = `seed ${seed}, round ${round}\n${wat}`;
      const original = new WebAssembly.Module(bytes);
      const guest = await instance(bytes);
      const global = guest.globals[`${GLOBAL_EXPORT}0`]!;
      const snapshot = guest.memory.snapshot();
      for (const argument of [0, 1, 4_093, -7, random.below(2 ** 31)]) {
        const fresh = new WebAssembly.Instance(original).exports;
        const outcome = (functions: Functions): unknown => {
          try {
            return functions['f']!(argument);
          } catch (error) {
            traps++;
            return (error as Error).message;
          }
        };
        const expected = outcome(fresh as Functions);
        if (outcome(guest.exports) !== expected) throw new Error(`another result than ${String(expected)} of f(${argument}): ${where}`);
        const theirs = Buffer.from((fresh['memory'] as WebAssembly.Memory).buffer as ArrayBuffer);
        const ours = Buffer.from(guest.memory.memory.buffer as ArrayBuffer, 0, guest.memory.byteLength);
        if (!theirs.equals(ours)) throw new Error(`another memory after f(${argument}): ${where}`);
        guest.memory.restore(snapshot);
        global.value = 3;
        const at = guest.memory.difference(snapshot);
        if (at !== null) throw new Error(`byte ${at} is not restored after f(${argument}): ${where}`);
      }
      expect(guest.module.memory).toEqual({ minPages: PROGRAM_PAGES, maxPages: PROGRAM_MAX_PAGES });
    }
    expect(traps).toBeGreaterThan(20);
  }, 60_000);

  it('undo what is stored through addresses in locals, whichever way control goes', async () => {
    const seed = Date.now() & 0xffff_ffff;
    const random = new Random(seed);
    for (let round = 0; round < FUZZ_ROUNDS; round++) {
      const wat = pointerProgram(random);
      const { exports, memory } = await instance(wat);
      const snapshot = memory.snapshot();
      for (let way = 0; way < 12; way++) {
        const argument = random.below(2 ** 31);
        try {
          exports['f']!(argument);
        } catch {
          // out of bounds, or an exception
        }
        memory.restore(snapshot);
        const at = memory.difference(snapshot);
        if (at !== null) throw new Error(`seed ${seed}, round ${round}: byte ${at} is not restored after f(${argument})\n${wat}`);
      }
    }
  }, 600_000);
});

/** Core modules below a folder, each content once. */
async function coreModules(folder: string): Promise<string[]> {
  const bySize = new Map<number, string>();
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith('.wasm')) continue;
    const path = join(folder, name);
    bySize.set((await stat(path)).size, path);
  }
  return [...bySize.values()].toSorted();
}

describe('modules of real programs', () => {
  it('are valid with checks and cards, or refused by name', async () => {
    const seed = Date.now() & 0xffff_ffff;
    const random = new Random(seed);
    const paths = await coreModules(join(import.meta.dirname, '../../node_modules'));
    expect(paths.length).toBeGreaterThan(10);
    let cards = 0;
    let largest = 0;
    for (const path of paths) {
      const { size } = await stat(path);
      // one large module a run, the small ones always
      if (size > 4e6 && (largest > 0 || random.below(4) > 0)) continue;
      const bytes = new Uint8Array(await readFile(path));
      if (bytes[4] !== 1) continue;
      if (size > 4e6) largest = size;
      try {
        const { bytes: out, cards: has, reset } = rewrite(bytes);
        if (!WebAssembly.validate(out as Uint8Array<ArrayBuffer>)) throw new Error(`seed ${seed}: ${path} is not valid after rewriting`);
        if (has) cards++;
        else if (reset.inPlace && reset.unmarked === undefined) throw new Error(`seed ${seed}: ${path} has no cards, and no reason`);
      } catch (error) {
        if (!(error instanceof BuildError)) throw error;
      }
    }
    expect(cards).toBeGreaterThan(5);
  }, 120_000);
});

describe('the proof that a module can be reset in place', () => {
  const prove = async (fields: string) => rewrite(await parse(`(module ${fields})`)).reset;

  it.each([
    ['table.set', '(table 1 funcref) (func (table.set (i32.const 0) (ref.null func)))'],
    ['table.grow', '(table 1 funcref) (func (drop (table.grow 0 (ref.null func) (i32.const 1))))'],
    ['table.fill', '(table 1 funcref) (func (table.fill 0 (i32.const 0) (ref.null func) (i32.const 1)))'],
    ['table.copy', '(table 1 funcref) (func (table.copy (i32.const 0) (i32.const 0) (i32.const 1)))'],
    ['table.init', '(table 1 funcref) (elem $e func) (func (table.init $e (i32.const 0) (i32.const 0) (i32.const 0)))'],
    ['elem.drop', '(elem $e func) (func (elem.drop $e))'],
    ['data.drop', '(memory 1) (data $d "x") (func (data.drop $d))'],
    ['a mutable global of type v128', '(global (mut v128) (v128.const i64x2 0 0))'],
    ['a mutable global of type funcref', '(global (mut funcref) (ref.null func))'],
    ['a mutable global of type externref', '(global (mut externref) (ref.null extern))'],
  ])('fails for %s', async (what, fields) => {
    expect(await prove(fields)).toEqual({ inPlace: false, reason: expect.stringContaining(what) });
  });

  it.each([
    ['an atomic store', '(memory 1) (func (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))))'],
    ['several memories', '(import "a" "m" (memory 1)) (memory 1) (func (memory.copy 0 1 (i32.const 0) (i32.const 0) (i32.const 1)))'],
  ])('holds without cards for %s', async (what, fields) => {
    expect(await prove(fields)).toMatchObject({ inPlace: true, unmarked: expect.stringContaining(what) });
  });

  it('counts the mutable globals of the module itself, and exports them', async () => {
    const bytes = await parse('(module (import "a" "g" (global (mut i32))) (global i32 (i32.const 1)) (global (mut i64) (i64.const 5)) (global (mut f32) (f32.const 1)) (func))');
    const { reset, bytes: out } = rewrite(bytes);
    expect(reset).toEqual({ inPlace: true, globals: 2 });
    const exports = WebAssembly.Module.exports(new WebAssembly.Module(out as Uint8Array<ArrayBuffer>)).map(({ name }) => name);
    expect(exports).toEqual(expect.arrayContaining([`${GLOBAL_EXPORT}0`, `${GLOBAL_EXPORT}1`]));
  });

  it('holds for exceptions, whose state is on the stack', async () => {
    expect(await prove('(tag $e (param i32)) (func (result i32) (block $h (result i32) (try_table (catch $e $h) (throw $e (i32.const 1))) (unreachable)))')).toEqual({ inPlace: true, globals: 0 });
  });
});
