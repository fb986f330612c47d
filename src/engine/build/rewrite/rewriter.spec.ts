import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from '@jest/globals';
import { parse, preview1AdapterReactorPath } from '@bytecodealliance/jco';
import { Random } from '../../../../test/fixtures/random.js';
import { CLOCK_IMPORT, DEADLINE_EXPORT, MEMORY_IMPORT, START_EXPORT, WHORL_MODULE } from '#engine/plan.js';
import { RewriteError } from '#engine/build/build-error.js';
import { readCoreModule } from '#engine/build/core/core-module.js';
import { rewriteModule, type RewrittenModule } from './rewriter.js';

const CAP_PAGES = 64;

/** Runs `f` of a rewritten module with the deadline 100 and tells how it ended. */
const GUEST_THREAD = `
  const { parentPort, workerData: { bytes, clock } } = require('node:worker_threads');
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { whorl: { clock } });
  exports['whorl:deadline'].value = 100n;
  try { exports.f(); } catch (error) { parentPort.postMessage(error.message); }
`;

async function rewrite(wat: string, memoryCapPages = CAP_PAGES): Promise<RewrittenModule> {
  return rewriteModule(readCoreModule(await parse(wat)), { memoryCapPages, cards: false });
}

async function failure(wat: string | Uint8Array): Promise<RewriteError> {
  try {
    rewriteModule(readCoreModule(typeof wat === 'string' ? await parse(wat) : wat), { memoryCapPages: CAP_PAGES, cards: false });
  } catch (error) {
    if (error instanceof RewriteError) return error;
    throw error;
  }
  throw new Error('was rewritten');
}

/** A module from sections written by hand, for what no assembler writes. */
function raw(...sections: number[][]): Uint8Array {
  return Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flatMap(([id, ...contents]) => [id!, contents.length, ...contents])]);
}

/** A module of one function without parameters and results, and a memory of one page. */
function oneFunction(...code: number[]): Uint8Array {
  return raw([1, 1, 0x60, 0, 0], [3, 1, 0], [5, 1, 0, 1], [10, 1, code.length + 2, 0, ...code, 0x0b]);
}

/** What a slot gives a module, and the clock as the host sees it. */
function instantiate(module: RewrittenModule, imports: WebAssembly.Imports = {}) {
  const clock = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const memory = module.memory && new WebAssembly.Memory({ initial: module.memory.minPages, maximum: module.memory.maxPages });
  const whorl = { [CLOCK_IMPORT]: clock, ...(memory ? { [MEMORY_IMPORT]: memory } : {}) };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes), { ...imports, [WHORL_MODULE]: whorl });
  return {
    memory: memory!,
    exports: exports as Record<string, WebAssembly.CoreFunction>,
    deadline: exports[DEADLINE_EXPORT] as WebAssembly.Global,
    setClock: (time: bigint) => Atomics.store(new BigInt64Array(clock.buffer), 0, time),
  };
}

/** Calls with the clock behind the deadline: must be stopped by the first check it meets. */
async function stopped(wat: string, call = 'f'): Promise<void> {
  const guest = instantiate(await rewrite(wat));
  guest.deadline.value = 100n;
  guest.setClock(100n);
  expect(() => guest.exports[call]!()).toThrow(WebAssembly.RuntimeError);
  guest.setClock(99n);
}

const INCREMENT = '(global.set $n (i32.add (global.get $n) (i32.const 1)))';

describe(rewriteModule.name, () => {
  it('makes the memory an import with the smaller of both maxima, at the index it had', async () => {
    const declared = await rewrite('(module (memory (export "m") 1 3) (func (export "f") (result i32) (i32.load (i32.const 8))))');
    expect(declared.memory).toEqual({ minPages: 1, maxPages: 3 });
    expect((await rewrite('(module (memory 2 100))')).memory).toEqual({ minPages: 2, maxPages: 64 });
    expect((await rewrite('(module (memory 2))')).memory).toEqual({ minPages: 2, maxPages: 64 });
    const guest = instantiate(declared);
    new Int32Array(guest.memory.buffer)[2] = 77;
    expect(guest.exports['f']!()).toBe(77);
    expect(guest.exports['m']).toBe(guest.memory);
  });

  it('never lets a guest grow beyond the cap', async () => {
    const guest = instantiate(await rewrite('(module (memory 1) (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))', 8));
    expect(guest.exports['grow']!(7)).toBe(1);
    expect(guest.exports['grow']!(1)).toBe(-1);
  });

  it('keeps the data of the guest', async () => {
    const guest = instantiate(await rewrite('(module (memory 1) (data (i32.const 16) "whorl"))'));
    expect(Buffer.from(guest.memory.buffer as ArrayBuffer, 16, 5).toString()).toBe('whorl');
  });

  it('gives a module that only imports a memory a clock behind it', async () => {
    const module = await rewrite('(module (import "env" "memory" (memory 1)) (func (export "f") (result i32) (loop (result i32) (i32.load (i32.const 4)))))');
    expect(module).toMatchObject({ memory: null, metered: true });
    const memory = new WebAssembly.Memory({ initial: 1 });
    new Int32Array(memory.buffer)[1] = 5;
    expect(instantiate(module, { env: { memory } }).exports['f']!()).toBe(5);
  });

  it('leaves a module without code without meter', async () => {
    const module = await rewrite('(module (import "a" "t" (table 1 funcref)) (import "a" "f" (func)) (elem (i32.const 0) func 0))');
    expect(module).toMatchObject({ metered: false, memory: null, start: false });
    expect(WebAssembly.Module.imports(new WebAssembly.Module(module.bytes)).map((item) => item.module)).toEqual(['a', 'a']);
  });

  it('cuts nothing before a deadline is set', async () => {
    const guest = instantiate(await rewrite('(module (func (export "f") (result i32) (loop (result i32) (i32.const 3))))'));
    guest.setClock(2n ** 62n);
    expect(guest.exports['f']!()).toBe(3);
  });

  it('goes on where the clock is before the deadline and stops where it is not', async () => {
    const guest = instantiate(await rewrite('(module (func (export "f") (loop)))'));
    guest.deadline.value = 10n;
    guest.setClock(9n);
    guest.exports['f']!();
    guest.setClock(10n);
    expect(() => guest.exports['f']!()).toThrow('unreachable');
    expect(() => guest.exports['f']!()).toThrow('unreachable');
  });

  it('stops an endless loop in the turn in which the clock passes the deadline', async () => {
    const module = await rewrite('(module (import "host" "tick" (func $tick)) (func (export "f") (loop (call $tick) (br 0))))');
    let turns = 0;
    const guest = instantiate(module, { host: { tick: () => { if (++turns === 1_000) guest.setClock(100n); } } });
    guest.deadline.value = 100n;
    expect(() => guest.exports['f']!()).toThrow('unreachable');
    expect(turns).toBe(1_000);
  });

  it('reads the clock anew in every turn, also in optimised code', async () => {
    const { bytes } = await rewrite('(module (global $g (mut i32) (i32.const 0)) (func (export "f") (loop (global.set $g (i32.add (global.get $g) (i32.const 1))) (br 0))))');
    const clock = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const guest = new Worker(GUEST_THREAD, { eval: true, workerData: { bytes, clock } });
    try {
      // long enough for V8 to replace the running loop by optimised code
      setTimeout(() => Atomics.store(new BigInt64Array(clock.buffer), 0, 100n), 300);
      const [message] = await once(guest, 'message', { signal: AbortSignal.timeout(20_000) });
      expect(message).toBe('unreachable');
    } finally {
      await guest.terminate();
    }
  });

  it.each([
    ['a loop', '(module (func (export "f") (loop (br 0))))'],
    ['recursion', '(module (func $f (export "f") (call $f) (call $f)))'],
    ['a tail call', '(module (func $f (export "f") (return_call $f)))'],
    ['a call through a table', '(module (table 1 funcref) (elem (i32.const 0) $f) (func $f (export "f") (call_indirect (i32.const 0))))'],
    ['a call of a reference', '(module (type $t (func)) (elem declare func $f) (func $f (export "f") (call_ref $t (ref.func $f))))'],
    ['memory.fill', '(module (memory 1) (func (export "f") (memory.fill (i32.const 0) (i32.const 0) (i32.const 9))))'],
    ['memory.copy', '(module (memory 1) (func (export "f") (memory.copy (i32.const 0) (i32.const 0) (i32.const 9))))'],
    ['memory.grow', '(module (memory 1) (func (export "f") (drop (memory.grow (i32.const 1)))))'],
    ['table.grow', '(module (table 1 funcref) (func (export "f") (drop (table.grow 0 (ref.null func) (i32.const 1)))))'],
    ['a long straight line', `(module (global $g (mut i32) (i32.const 0)) (func (export "f") ${'(global.set $g (i32.const 1))'.repeat(20)}))`],
    ['a loop in a handler', '(module (tag $e) (func (export "f") (block $h (try_table (catch_all $h) (throw $e))) (loop (br 0))))'],
  ])('checks %s', async (_, wat) => stopped(wat));

  // the deadline passes at the deepest point: each frame that unwinds does all of its work when it meets no check
  it.each<[what: string, atMost: number, around: (work: string) => string]>([
    ['a long line', 125, (work) => work],
    ['arms of an if', 125, (work) => `(if (i32.eqz (local.get 0)) (then ${work}) (else ${work}))`],
    ['blocks with branches out', 125, (work) => `(block (br_if 0 (i32.const 0)) ${work}) (block (block (br_table 0 1 (local.get 0))) ${work})`],
    ['a handler', 125, (work) => `(block $h (try_table (catch_all $h) ${work} (throw $e))) ${work}`],
    ['calls of short functions', 10, () => '(call $leaf) (call $count)'.repeat(500)],
    ['calls of the host', 0, () => `(call $over) ${INCREMENT}`],
    ['calls through a table', 10, () => `${INCREMENT} (call_indirect (i32.const 1))`.repeat(500)],
    ['loads that wait for each other', 10, () => `${INCREMENT} (local.set $at (i32.load (local.get $at)))`.repeat(500)],
    ['such loads after an arm that calls', 10, () => `${INCREMENT} (local.set $at (i32.load (local.get $at))) (if (local.get $at) (then (call $deep)))`.repeat(500)],
    ['loads from known addresses', 50, () => `${INCREMENT} (drop (i32.load (local.get $at)))`.repeat(500)],
  ])('bounds what a deep recursion does after its calls return: %s', async (_, atMost, around) => {
    const module = await rewrite(`(module (import "h" "over" (func $over)) (tag $e) (memory 1) (table 2 funcref) (elem (i32.const 0) $over $leaf)
      (global $n (export "n") (mut i32) (i32.const 0))
      (func $leaf) (func $count ${INCREMENT}) (func $deep (call_indirect (i32.const 0)))
      (func $f (export "f") (param i32) (local $at i32)
        (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))) (else (call $deep)))
        ${around(INCREMENT.repeat(2_000))}))`);
    const guest: ReturnType<typeof instantiate> = instantiate(module, { h: { over: () => guest.setClock(100n) } });
    guest.deadline.value = 50n;
    expect(() => guest.exports['f']!(1_000)).toThrow('unreachable');
    expect((guest.exports['n'] as unknown as WebAssembly.Global).value).toBeLessThanOrEqual(atMost);
  });

  it('leaves out short functions that call nothing', async () => {
    const guest = instantiate(await rewrite('(module (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))'));
    guest.deadline.value = 0n;
    expect(guest.exports['f']!(1)).toBe(2);
  });

  it('makes the start function an export, so that it can be bounded too', async () => {
    const module = await rewrite('(module (global $g (export "g") (mut i32) (i32.const 0)) (func $s (global.set $g (i32.const 9)) (loop (br_if 0 (i32.const 0)))) (start $s))');
    expect(module.start).toBe(true);
    const guest = instantiate(module);
    const g = guest.exports['g'] as unknown as WebAssembly.Global;
    expect(g.value).toBe(0);
    guest.exports[START_EXPORT]!();
    expect(g.value).toBe(9);
    guest.deadline.value = 0n;
    expect(() => guest.exports[START_EXPORT]!()).toThrow('unreachable');
  });

  it('gives tables a maximum', async () => {
    const module = await rewrite('(module (table (export "t") 2 funcref) (table 3 5 funcref) (func (export "grow") (param i32) (result i32) (table.grow 0 (ref.null func) (local.get 0))))');
    const guest = instantiate(module);
    expect(guest.exports['grow']!(2 ** 20)).toBe(-1);
    expect(guest.exports['grow']!(1_000)).toBe(2);
    expect((await failure('(module (table 2000000 funcref))')).kind).toBe('limit');
  });

  it('drops what would point at wrong code offsets and keeps names', async () => {
    const name = (text: string) => [text.length, ...Buffer.from(text)];
    const bytes = raw([1, 1, 0x60, 0, 0], [3, 1, 0], [0, ...name('metadata.code.branch_hint'), 0], [10, 1, 2, 0, 0x0b], [0, ...name('.debug_info'), 1], [0, ...name('name')]);
    const module = new WebAssembly.Module(rewriteModule(readCoreModule(bytes), { memoryCapPages: 1, cards: false }).bytes as Uint8Array<ArrayBuffer>);
    expect(WebAssembly.Module.customSections(module, 'name')).toHaveLength(1);
    expect(WebAssembly.Module.customSections(module, '.debug_info')).toHaveLength(0);
    expect(WebAssembly.Module.customSections(module, 'metadata.code.branch_hint')).toHaveLength(0);
  });

  it.each([
    ['SIMD', '(memory 1) (func (export "f") (v128.store (i32.const 0) (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (v128.const i32x4 1 2 3 4) (v128.load8_lane 3 (i32.const 0) (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.const i64x2 0 0) (v128.const i64x2 0 0) (v128.const i64x2 0 0))))))'],
    ['exceptions and tail calls', '(tag $e (param i32)) (func $f (result i32) (block $h (result i32) (try_table (catch $e $h) (throw $e (i32.const 1))) (unreachable)) (drop) (return_call $f))'],
    ['references', '(type $t (func (param i32))) (table 2 (ref null $t)) (func $g (type $t)) (elem (table 0) (i32.const 0) (ref null $t) (ref.func $g)) (func (param (ref null $t) anyref) (loop (br_on_null 0 (local.get 0)) (drop) (drop (ref.test (ref i31) (local.get 1)))) (drop (i31.get_u (ref.i31 (i32.const 1)))))'],
    ['atomics', '(memory 1) (func (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))) (atomic.fence) (drop (memory.atomic.notify (i32.const 0) (i32.const 1))))'],
    ['several values', '(func (result i32 i32) (i32.const 1) (i32.const 2) (loop (param i32 i32) (result i32 i32)))'],
    ['br_table and typed select', '(func (param i32) (block (block (br_table 0 1 0 (local.get 0)))) (drop (select (result i64) (i64.const -1) (i64.const 9223372036854775807) (local.get 0))))'],
    ['bulk operations', '(memory 1) (table 1 funcref) (data $d "x") (elem $e func) (func (memory.init $d (i32.const 0) (i32.const 0) (i32.const 0)) (data.drop $d) (table.init $e (i32.const 0) (i32.const 0) (i32.const 0)) (elem.drop $e) (table.copy (i32.const 0) (i32.const 0) (i32.const 0)) (table.fill 0 (i32.const 0) (ref.null func) (i32.const 0)))'],
    ['an own memory beside an imported one', '(import "a" "m" (memory 1)) (memory 1) (func (memory.copy 0 1 (i32.const 0) (i32.const 0) (i32.const 1)) (drop (i32.load 1 offset=4 (i32.const 0))))'],
  ])('takes %s', async (_, fields) => {
    const module = await rewrite(`(module ${fields})`);
    expect(WebAssembly.validate(module.bytes as Uint8Array<ArrayBuffer>)).toBe(true);
    expect(module.metered).toBe(true);
  });

  it('takes the names of the platform\'s own interfaces', async () => {
    const { bytes } = await rewrite('(module (import "whorl:a/b@0.1.0" "f" (func)) (func (export "whorl:a/c@0.1.0#g")))');
    expect(WebAssembly.Module.exports(new WebAssembly.Module(bytes)).map(({ name }) => name)).toContain('whorl:a/c@0.1.0#g');
  });

  it.each([
    ['a shared memory', '(module (memory 1 2 shared))', 'unsupported', 'a shared memory'],
    ['a 64-bit memory', '(module (memory i64 1))', 'unsupported', 'a 64-bit memory'],
    ['an imported 64-bit memory', '(module (import "a" "m" (memory i64 1)))', 'unsupported', 'a 64-bit memory'],
    ['two memories', '(module (memory 1) (memory 1))', 'unsupported', '2 memories in one module'],
    ['a memory larger than the cap', '(module (memory 65))', 'limit', 'wants 65 pages at the start, the limit is 64 pages'],
    ['a reserved import', '(module (import "whorl" "clock" (memory 1)))', 'invalid', 'the import "whorl" "clock" uses a reserved name'],
    ['a reserved import module', '(module (import "whorl:x" "f" (func)))', 'invalid', 'uses a reserved name'],
    ['a reserved export', '(module (global (export "whorl:deadline") (mut i64) (i64.const 0)))', 'invalid', 'the export "whorl:deadline" uses a reserved name'],
    ['structs', '(module (type (struct)))', 'unsupported', 'garbage collection'],
    ['a table with an initial value', '(module (func $f) (table 1 1 (ref func) (ref.func $f)))', 'unsupported', 'a table with an initial value'],
  ] as const)('refuses %s', async (_, wat, kind, message) => {
    expect(await failure(wat)).toMatchObject({ kind, message: expect.stringContaining(message) });
  });

  it.each([
    ['sets the global that would be the deadline', oneFunction(0x42, 63, 0x24, 0)],
    ['loads from the clock memory', oneFunction(0x41, 0, 0x28, 0x42, 1, 0, 0x1a)],
    ['fills the clock memory', oneFunction(0x41, 0, 0x41, 0, 0x41, 8, 0xfc, 11, 1)],
    ['copies into the clock memory', oneFunction(0x41, 0, 0x41, 0, 0x41, 8, 0xfc, 10, 1, 0)],
    ['grows the clock memory', oneFunction(0x41, 0, 0x40, 1, 0x1a)],
    ['exports the deadline', raw([1, 1, 0x60, 0, 0], [3, 1, 0], [7, 1, 1, 0x67, 3, 0], [10, 1, 2, 0, 0x0b])],
    ['exports the clock memory', raw([1, 1, 0x60, 0, 0], [3, 1, 0], [5, 1, 0, 1], [7, 1, 1, 0x67, 2, 1], [10, 1, 2, 0, 0x0b])],
    ['has an instruction nobody knows', oneFunction(0xe0, 0)],
    ['has memory.discard', oneFunction(0x41, 0, 0x41, 0, 0xfc, 18, 0)],
    ['is cut off', Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 10, 50, 1])],
    ['is a component', Uint8Array.from([0, 0x61, 0x73, 0x6d, 13, 0, 1, 0])],
    ['has a custom page size', raw([5, 1, 8, 1, 0])],
  ])('refuses a module that %s: it is not valid by itself', async (_, bytes) => {
    expect((await failure(bytes)).kind).toBe('invalid');
  });

  it('refuses its own output', async () => {
    const once = await rewrite('(module (memory 1) (func (loop)))');
    expect((await failure(once.bytes)).message).toContain('shared memory');
    const start = await rewrite('(module (import "a" "f" (func)) (start 0))');
    expect((await failure(start.bytes)).message).toContain('reserved name');
  });

  it('gives the same bytes each time', async () => {
    const bytes = new Uint8Array(await readFile(preview1AdapterReactorPath()));
    const run = () => rewriteModule(readCoreModule(bytes), { memoryCapPages: 1, cards: false }).bytes;
    expect(Buffer.compare(run(), run())).toBe(0);
  });

  it('adds checks and nothing else: without them the code is the original', async () => {
    const bytes = new Uint8Array(await readFile(preview1AdapterReactorPath()));
    const original = readCoreModule(bytes);
    const rewritten = rewriteModule(original, { memoryCapPages: 1, cards: false }).bytes;
    const check = Buffer.from([0x41, 0, 0x29, 0x43, original.importedMemories, 0, 0x23, original.globals, 0x5a, 0x04, 0x40, 0, 0x0b]);
    const code = bodies(bytes);
    const checked = bodies(rewritten);
    expect(checked).toHaveLength(code.length);
    let checks = 0;
    checked.forEach((body, i) => {
      const parts = split(body, check);
      checks += parts.length - 1;
      expect(Buffer.concat(parts).equals(code[i]!)).toBe(true);
    });
    expect(checks).toBeGreaterThan(code.length / 2);
  });

  it('changes no result of made-up programs', async () => {
    const seed = Date.now() & 0xffff_ffff;
    const random = new Random(seed);
    for (let round = 0; round < 150; round++) {
      const wat = program(random);
      const bytes = await parse(wat);
      const plain = new WebAssembly.Instance(new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>)).exports as Record<string, WebAssembly.CoreFunction>;
      const guest = instantiate(rewriteModule(readCoreModule(bytes), { memoryCapPages: 4, cards: false }));
      for (const argument of [0, 1, -7, random.below(2 ** 31)]) {
        const [expected, actual] = [plain['f']!(argument), guest.exports['f']!(argument)];
        if (actual !== expected) throw new Error(`seed ${seed}, round ${round}: ${actual} is not ${expected}\n${wat}`);
      }
    }
  });

  it.each([[false, 1.06], [true, 1.5]])('rewrites 10 MB in bounded time and size (cards: %s)', async (cards, growth) => {
    const path = new URL('../../../../node_modules/@bytecodealliance/componentize-js/lib/starlingmonkey_embedding.wasm', import.meta.url);
    const module = readCoreModule(new Uint8Array(await readFile(path)));
    const before = process.threadCpuUsage();
    const { bytes } = rewriteModule(module, { memoryCapPages: 2_048, cards });
    const { user, system } = process.threadCpuUsage(before);
    expect((user + system) / 1e3).toBeLessThan(10_000);
    expect(bytes.length / module.bytes.length).toBeLessThan(growth);
  });
});

/** The function bodies of a module, from the code section. */
function bodies(bytes: Uint8Array): Buffer[] {
  const section = readCoreBytes(bytes).find(([id]) => id === 10)![1];
  let at = 0;
  const u32 = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = section[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  return Array.from({ length: u32() }, () => {
    const size = u32();
    at += size;
    return section.subarray(at - size, at);
  });
}

function readCoreBytes(bytes: Uint8Array): [id: number, contents: Buffer][] {
  const sections: [number, Buffer][] = [];
  for (let at = 8; at < bytes.length;) {
    const id = bytes[at++]!;
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      length += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    sections.push([id, Buffer.from(bytes.subarray(at, at + length))]);
    at += length;
  }
  return sections;
}

function split(body: Buffer, separator: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = body.indexOf(separator); at !== -1; at = body.indexOf(separator, from)) {
    parts.push(body.subarray(from, at));
    from = at + separator.length;
  }
  return [...parts, body.subarray(from)];
}

/** A program that always ends: nested blocks, counted loops, memory and calls, made at random. */
function program(random: Random): string {
  const operators = ['i32.add', 'i32.sub', 'i32.mul', 'i32.xor', 'i32.rotl', 'i32.shr_u', 'i32.lt_s'];
  const value = (depth: number): string => {
    if (depth === 0) return random.pick(['(local.get $x)', '(local.get $y)', `(i32.const ${random.below(1_000) - 500})`, '(global.get $g)']);
    return random.pick([
      () => `(${random.pick(operators)} ${value(depth - 1)} ${value(depth - 1)})`,
      () => `(i32.load offset=${random.below(64)} (i32.and ${value(depth - 1)} (i32.const 1023)))`,
      () => `(call $leaf ${value(depth - 1)} ${value(depth - 1)})`,
      () => `(call_indirect (type $binary) ${value(depth - 1)} ${value(depth - 1)} (i32.const ${random.below(2)}))`,
      () => `(if (result i32) ${value(depth - 1)} (then ${value(depth - 1)}) (else ${value(depth - 1)}))`,
    ])();
  };
  const statement = (depth: number): string => {
    const inner = () => Array.from({ length: 1 + random.below(2) }, () => statement(depth - 1)).join(' ');
    if (depth === 0) return random.pick([() => `(local.set $y ${value(2)})`, () => `(global.set $g ${value(2)})`, () => `(i32.store (i32.and ${value(1)} (i32.const 1023)) ${value(2)})`])();
    return random.pick([
      () => `(block (br_if 0 ${value(1)}) ${inner()})`,
      () => `(if ${value(1)} (then ${inner()}) (else ${inner()}))`,
      () => `(local.set $n${depth} (i32.const ${random.below(6)})) (loop ${inner()} (br_if 0 (i32.gt_s (local.tee $n${depth} (i32.sub (local.get $n${depth}) (i32.const 1))) (i32.const 0))))`,
      () => `(block (block (br_table 0 1 ${value(1)})) ${inner()})`,
      () => `(memory.fill (i32.and ${value(1)} (i32.const 255)) ${value(1)} (i32.const ${random.below(99)}))`,
    ])();
  };
  return `(module (type $binary (func (param i32 i32) (result i32))) (memory 1) (global $g (mut i32) (i32.const 7))
    (table funcref (elem $leaf $node))
    (func $leaf (type $binary) (i32.sub (local.get 0) (local.get 1)))
    (func $node (type $binary) (call $leaf (local.get 1) (i32.mul (local.get 0) (i32.const 3))))
    (func (export "f") (param $x i32) (result i32) (local $y i32) (local $n1 i32) (local $n2 i32) (local $n3 i32)
      ${statement(3)} ${statement(2)} ${statement(3)}
      (i32.xor (local.get $y) (i32.add (global.get $g) (i32.load (i32.const 40))))))`;
}
