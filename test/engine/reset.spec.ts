import { existsSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from '@jest/globals';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco';
import { buildComponent } from '#engine/build/build-component.js';
import { readCoreModule } from '#engine/build/core/core-module.js';
import { rewriteModule } from '#engine/build/rewrite/rewriter.js';
import type { HostResolver } from '#engine/run/host.js';
import { Program } from '#engine/run/program.js';
import type { Slot } from '#engine/run/slot.js';
import { incomingRequest02, responseOutparam02 } from '#runtime/capability/http/server-02.js';
import { resolveHost } from '#runtime/capability/table.js';
import { TestExchange, TestGuest } from '../capability/guest-state.js';
import { buildWat } from '../fixtures/build-wat.js';
import { Random } from '../fixtures/random.js';
import { BUDGET_NS, programOf, resolver, settled, slotOf, stillClock, waiting, type Host } from './engine-harness.js';
import { memoryProgram } from './memory-program.js';
import { CASES, valueComponent } from './value-component.js';

/** A component of one module; `lifts` are its functions without parameters that give a number. */
const component = (fields: string, lifts: string[], imports: [name: string, core: string][] = []): string => `(component
  ${imports.map(([name]) => `(import "${name}" (func $${name} (result u32))) (core func $${name} (canon lower (func $${name})))`).join('\n')}
  (core module $m ${imports.map(([name]) => `(import "h" "${name}" (func $${name} (result i32)))`).join('\n')} ${fields})
  (core instance $i (instantiate $m (with "h" (instance ${imports.map(([name]) => `(export "${name}" (func $${name}))`).join(' ')}))))
  ${lifts.map((name) => `(func (export "${name}") (result u32) (canon lift (core func $i "${name}")))`).join('\n')})`;

/** Counts in a global, in memory and by growing; its start function leaves all of them at 1. */
const COUNTER = component(`
  (memory 1) (global $n (mut i32) (i32.const 0))
  (func $count (export "count") (result i32)
    (global.set $n (i32.add (global.get $n) (i32.const 1)))
    (i32.store (i32.const 70000) (i32.add (i32.load (i32.const 70000)) (i32.const 1)))
    (i32.add (i32.mul (global.get $n) (i32.const 100)) (i32.load (i32.const 70000))))
  (func (export "grow") (result i32) (drop (memory.grow (i32.const 3))) (memory.size))
  (func (export "crash") (result i32) (drop (call $count)) (unreachable))
  (func $start (drop (memory.grow (i32.const 1))) (drop (call $count)))
  (start $start)`, ['count', 'grow', 'crash']);

function renew(slot: Slot<unknown>): void {
  slot.reset();
  slot.instantiate(BUDGET_NS);
}

describe('a reset in place', () => {
  it('goes back to the state after the start functions', async () => {
    const program = await programOf(await parse(COUNTER));
    const slot = program.newSlot({});
    slot.instantiate(BUDGET_NS);
    expect(program.resetMode).toEqual({ mode: 'in-place', cards: true });
    for (let i = 0; i < 5; i++) {
      expect([await slot.call(null, 'count', []), await slot.call(null, 'count', []), await slot.call(null, 'grow', [])]).toEqual([202, 303, 5]);
      renew(slot);
      expect([slot.difference, slot.memoryBytes]).toEqual([null, 2 * 65536]);
    }
  });

  it('keeps the memory of a guest that grew', async () => {
    const slot = await slotOf(COUNTER);
    const memories = new Set<unknown>();
    const { Memory } = WebAssembly;
    WebAssembly.Memory = new Proxy(Memory, { construct: (target, args) => {
      const made = new target(...(args as [WebAssembly.MemoryDescriptor]));
      memories.add(made);
      return made;
    } });
    try {
      for (let i = 0; i < 3; i++) {
        expect(await slot.call(null, 'grow', [])).toBe(5);
        renew(slot);
      }
    } finally {
      WebAssembly.Memory = Memory;
    }
    expect(memories.size).toBe(0);
  });

  it('works after a trap, and when nothing was instantiated in between', async () => {
    const slot = await slotOf(COUNTER);
    await expect(slot.call(null, 'crash', [])).rejects.toMatchObject({ name: 'RuntimeError' });
    slot.reset();
    slot.reset();
    expect(slot.poisoned).toBe(true);
    slot.instantiate(BUDGET_NS);
    expect([slot.poisoned, slot.difference, await slot.call(null, 'count', [])]).toEqual([false, null, 202]);
  });

  it('serves all slots of a program, also those whose stacks had to be left behind', async () => {
    const wat = component(`(memory 1) (global $n (mut i32) (i32.const 5))
      (func (export "f") (result i32) (global.set $n (i32.add (global.get $n) (call $wait))) (i32.store (i32.const 8) (global.get $n)) (i32.load (i32.const 8)))`, ['f'], [['wait', '']]);
    let go: (v: number) => void = () => undefined;
    const program = await programOf(await parse(wat), { '#wait': waiting(() => new Promise((resolve) => (go = resolve))) });
    const slots = [program.newSlot({}), program.newSlot({})];
    for (const slot of slots) slot.instantiate(BUDGET_NS);
    for (let i = 0; i < 4; i++) {
      for (const slot of slots) {
        const abandoned = slot.call(null, 'f', []);
        abandoned.catch(() => undefined);
        await settled();
        renew(slot);
        await expect(abandoned).rejects.toThrow('reset');
        const answered = slot.call(null, 'f', []);
        await settled();
        go(1);
        expect(await answered).toBe(6);
        renew(slot);
        expect(slot.difference).toBeNull();
      }
    }
    expect(program.resetMode.mode).toBe('in-place');
  });

  it('is given up when a start function calls the host', async () => {
    const host: Host = { '#now': () => 4 };
    const program = await programOf(await parse(component('(memory 1) (global $n (mut i32) (i32.const 0)) (func $s (global.set $n (call $now))) (start $s) (func (export "f") (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))', ['f'], [['now', '']])), host);
    expect(program.resetMode.mode).toBe('in-place');
    const slot = program.newSlot({});
    slot.instantiate(BUDGET_NS);
    expect(program.resetMode).toEqual({ mode: 'new-instances', reason: 'a start function calls out of its component', cards: false });
    expect([await slot.call(null, 'f', []), await slot.call(null, 'f', [])]).toEqual([5, 6]);
    host['#now'] = () => 7;
    renew(slot);
    expect(await slot.call(null, 'f', [])).toBe(5);
  });

  it('is not tried where the code forbids it, and says why', async () => {
    const program = await programOf(await parse(component('(memory 1) (table 1 funcref) (func (export "f") (result i32) (table.set (i32.const 0) (ref.null func)) (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) (i32.load (i32.const 0)))', ['f'])));
    expect(program.resetMode).toEqual({ mode: 'new-instances', reason: 'core module 0: it uses table.set', cards: false });
    const slot = program.newSlot({});
    slot.instantiate(BUDGET_NS);
    for (let i = 0; i < 3; i++) {
      expect(await slot.call(null, 'f', [])).toBe(1);
      renew(slot);
    }
  });

  it('puts back the whole memory where stores cannot be marked', async () => {
    const program = await programOf(await parse(component(`(memory 1 3) (global $n (mut f64) (f64.const -0))
      (func (export "f") (result i32) (global.set $n (f64.add (global.get $n) (f64.const 1))) (drop (i32.atomic.rmw.add (i32.const 8) (i32.const 1))) (i32.load (i32.const 8)))
      (func (export "grow") (result i32) (memory.grow (i32.const 1)))`, ['f', 'grow'])));
    const slot = program.newSlot({});
    slot.instantiate(BUDGET_NS);
    expect(program.resetMode).toEqual({ mode: 'in-place', reason: 'core module 0 has an atomic store', cards: false });
    for (let i = 0; i < 3; i++) {
      expect([await slot.call(null, 'f', []), await slot.call(null, 'f', []), await slot.call(null, 'grow', [])]).toEqual([1, 2, 1]);
      renew(slot);
      expect(slot.difference).toBeNull();
    }
  });

  it('covers memories that another module writes to', async () => {
    const slot = await slotOf(`(component
      (core module $a (memory (export "m") 1 4))
      (core instance $a (instantiate $a))
      (core module $b (import "a" "m" (memory 1)) (export "again" (memory 0)))
      (core instance $b (instantiate $b (with "a" (instance $a))))
      (core module $c (import "b" "again" (memory 1))
        (func (export "f") (result i32) (drop (memory.grow (i32.const 1))) (i32.store (i32.const 66000) (i32.add (i32.load (i32.const 66000)) (memory.size))) (i32.load (i32.const 66000))))
      (core instance $c (instantiate $c (with "b" (instance $b))))
      (func (export "f") (result u32) (canon lift (core func $c "f"))))`);
    for (let i = 0; i < 3; i++) {
      expect([await slot.call(null, 'f', []), await slot.call(null, 'f', [])]).toEqual([2, 5]);
      renew(slot);
      expect(slot.difference).toBeNull();
    }
  });
});

describe('globals', () => {
  it('go back where they are, also those that other modules write to, of every type and with every bit', async () => {
    const slot = await slotOf(`(component
      (core module $a
        (global (export "n") (mut i32) (i32.const 7)) (global (export "l") (mut i64) (i64.const -9223372036854775808))
        (global (export "f") (mut f32) (f32.const -0)) (global $d (export "d") (mut f64) (f64.const nan))
        (func (export "odd") (result i32) (i32.wrap_i64 (i64.shr_u (i64.reinterpret_f64 (global.get $d)) (i64.const 32)))))
      (core instance $a (instantiate $a))
      (core module $b (import "a" "n" (global $n (mut i32))) (import "a" "l" (global $l (mut i64))) (import "a" "f" (global $f (mut f32)))
        (import "a" "d" (global $d (mut f64))) (import "a" "odd" (func $odd (result i32))) (global $own (mut i32) (i32.const 1))
        (func (export "f") (result i32)
          (global.set $n (i32.add (global.get $n) (global.get $own))) (global.set $own (i32.add (global.get $own) (i32.const 1)))
          (global.set $l (i64.add (global.get $l) (i64.const 1))) (global.set $f (f32.add (global.get $f) (f32.const 1)))
          (i32.add (i32.add (global.get $n) (i32.wrap_i64 (global.get $l))) (i32.add (i32.trunc_f32_s (global.get $f)) (call $odd)))
          (global.set $d (f64.const 1))))
      (core instance $b (instantiate $b (with "a" (instance $a))))
      (func (export "f") (result u32) (canon lift (core func $b "f"))))`, {}, { verifyEvery: 1 });
    const nan = 0x7ff80000;
    for (let i = 0; i < 3; i++) {
      expect([await slot.call(null, 'f', []), await slot.call(null, 'f', [])]).toEqual([nan + 10, 0x3ff00000 + 14]);
      renew(slot);
      expect(slot.difference).toBeNull();
    }
  });
});

describe('what the host writes', () => {
  /** Each in a page of its own, which the guest itself does not write to. */
  const PIPES = `(component
    (type $s (stream u8))
    (core module $mem (memory (export "memory") 2) (data (i32.const 16) "abcdefgh"))
    (core instance $mi (instantiate $mem))
    (core func $new (canon stream.new $s))
    (core func $read (canon stream.read $s async (memory (core memory $mi "memory"))))
    (core func $write (canon stream.write $s async (memory (core memory $mi "memory"))))
    (core func $set-new (canon waitable-set.new))
    (core func $join (canon waitable.join))
    (core func $poll (canon waitable-set.poll (memory (core memory $mi "memory"))))
    (core module $m
      (import "h" "memory" (memory 1))
      (import "h" "new" (func $new (result i64)))
      (import "h" "read" (func $read (param i32 i32 i32) (result i32)))
      (import "h" "write" (func $write (param i32 i32 i32) (result i32)))
      (import "h" "set-new" (func $set-new (result i32)))
      (import "h" "join" (func $join (param i32 i32)))
      (import "h" "poll" (func $poll (param i32 i32) (result i32)))
      (func (export "f") (result i32) (local $pair i64) (local $w i32) (local $set i32)
        (local.set $pair (call $new))
        (local.set $w (i32.wrap_i64 (i64.shr_u (local.get $pair) (i64.const 32))))
        (drop (call $write (local.get $w) (i32.const 16) (i32.const 8)))
        (drop (call $read (i32.wrap_i64 (local.get $pair)) (i32.const 20476) (i32.const 8)))
        (local.set $set (call $set-new))
        (call $join (local.get $w) (local.get $set))
        (drop (call $poll (local.get $set) (i32.const 40956)))
        (i32.add (i32.load8_u (i32.const 20483)) (i32.load (i32.const 40960)))))
    (core instance $i (instantiate $m (with "h" (instance (export "memory" (memory $mi "memory")) (export "new" (func $new)) (export "read" (func $read))
      (export "write" (func $write)) (export "set-new" (func $set-new)) (export "join" (func $join)) (export "poll" (func $poll))))))
    (func (export "f") (result u32) (canon lift (core func $i "f"))))`;

  it('is wiped, also what one end of a stream gets from the other, and events', async () => {
    const slot = await slotOf(PIPES);
    for (let i = 0; i < 3; i++) {
      expect(await slot.call(null, 'f', [])).toBe('h'.charCodeAt(0) + (8 << 4));
      renew(slot);
      expect(slot.difference).toBeNull();
    }
  });
});

describe('the check mode', () => {
  /** The module's code marks nothing, and the plan says that it does. */
  async function faulty(verifyEvery: number) {
    const bytes = await parse(COUNTER);
    const { plan } = await buildComponent(bytes, { memoryCapBytes: 2 ** 24 });
    const start = bytes.indexOf(0x61, 9) - 1;
    const core = readCoreModule(bytes.subarray(start, start + moduleLength(bytes.subarray(start))));
    const { bytes: unmarked } = rewriteModule(core, { memoryCapPages: 256, cards: false });
    return new Program<unknown>(plan, [new WebAssembly.Module(unmarked as Uint8Array<ArrayBuffer>)], { resolve: resolver({}), clock: stillClock(), verifyEvery });
  }

  /** Where the first core module ends: its sections follow each other, and the next thing in the component is no section of it. */
  function moduleLength(bytes: Uint8Array): number {
    for (let length = bytes.length; length > 8; length--) if (WebAssembly.validate(bytes.slice(0, length))) return length;
    throw new Error('no module');
  }

  it('finds what was not put back, says so, and lets nobody use it', async () => {
    const program = await faulty(3);
    const slot = program.newSlot({});
    slot.instantiate(BUDGET_NS);
    for (let i = 0; i < 2; i++) {
      await slot.call(null, 'count', []);
      renew(slot);
    }
    await slot.call(null, 'count', []);
    expect(() => slot.reset()).toThrow('the reset in place left byte 70000 of the memory of core instance 0 changed');
    expect(slot.poisoned).toBe(true);
    expect(program.resetMode).toMatchObject({ mode: 'new-instances', reason: expect.stringContaining('a check found byte 70000') });
    slot.instantiate(BUDGET_NS);
    expect(await slot.call(null, 'count', [])).toBe(202);
  });

  it('is silent where all is well', async () => {
    const slot = await slotOf(COUNTER, {}, { verifyEvery: 1 });
    for (let i = 0; i < 20; i++) {
      await slot.call(null, i % 3 === 0 ? 'grow' : 'count', []);
      renew(slot);
    }
  });
});

describe('exactness', () => {
  const seed = Date.now() & 0xffff_ffff;
  const random = new Random(seed);
  const exact = (slot: Slot<unknown>, what: string): void => {
    const { difference } = slot;
    if (difference !== null) throw new Error(`seed ${seed}, ${what}: after a reset ${difference} is not as it was`);
  };

  it('holds for made-up programs in a component', async () => {
    for (let round = 0; round < 30; round++) {
      const wat = memoryProgram(random, round % 2 === 0);
      const [fields] = /(?<=^\(module)[^]*(?=\)$)/.exec(wat)!;
      const text = component(`${fields} (func (export "go") (result i32) (call 0 (i32.const ${random.below(1e6)})))`, ['go']);
      const slot = await slotOf(text, {}, { verifyEvery: 1 });
      for (let i = 0; i < 3; i++) {
        await slot.call(null, 'go', []).catch(() => undefined);
        renew(slot);
        exact(slot, text);
      }
    }
  });

  it.each(['utf8', 'utf16', 'compact-utf16'] as const)('holds for values of all types, strings in %s', async (encoding) => {
    const program = await programOf(await valueComponent(encoding), Object.fromEntries(CASES.map(({ name }) => [`t:t/echo#${name}`, (value: unknown) => {
      if (random.below(8) === 0) throw new Error('the host fails');
      return value;
    }])));
    const slot = program.newSlot({});
    slot.instantiate(BUDGET_NS);
    expect(program.resetMode).toEqual({ mode: 'in-place', cards: true });
    for (let round = 0; round < 150; round++) {
      for (let calls = random.below(6); calls >= 0; calls--) {
        const { name, values } = random.pick(CASES);
        await slot.call('t:t/echo', name, [random.pick(values)]).catch(() => undefined);
      }
      renew(slot);
      exact(slot, `round ${round}`);
    }
  });

  const guests: TestGuest[] = [];
  afterEach(() => guests.splice(0).forEach((guest) => guest.dispose()));

  /** A request of any kind, ended in any way: answered, cut off by a reset, killed, out of CPU time. */
  async function request(slot: Slot<unknown>, paths: string[]): Promise<void> {
    const headers = Array.from({ length: random.below(12) }, (_, i): [string, string] => [`x-${i}`, 'v'.repeat(random.below(300))]);
    const exchange = new TestExchange(random.pick(['GET', 'POST', 'PUT']), random.pick(paths) + '?q='.repeat(random.below(40)), headers);
    if (random.below(2)) exchange.requestBody.write(Buffer.alloc(random.below(60_000), random.below(256)));
    if (random.below(5) > 0) exchange.requestBody.end();
    const end = random.below(10);
    let over = false;
    const call = slot.call('wasi:http/incoming-handler@0.2.3', 'handle', [incomingRequest02(exchange), responseOutparam02(exchange)])
      .catch(() => undefined).finally(() => (over = true));
    if (end === 0) return;
    for (let turn = 0; turn < 20 && !over; turn++) {
      await settled();
      while (exchange.answer?.body.read(65_536) instanceof Uint8Array);
      if (end === 1) return slot.kill(new Error('killed'));
    }
    if (over) await call;
  }

  const example = (name: string): string => new URL(`../../examples/${name}/${name}.wasm`, import.meta.url).pathname;
  const tiny = async (): Promise<Uint8Array> => {
    const folder = new URL('../../examples/tiny-wat/', import.meta.url);
    const binary = await parse(readFileSync(new URL('tiny.wat', folder), 'utf8'));
    return componentNew(await componentEmbed({ binary, witSource: readFileSync(new URL('wit/tiny.wit', folder), 'utf8'), world: 'tiny' }), []);
  };
  const cases: [name: string, bytes: () => Promise<Uint8Array> | Uint8Array, paths: string[], rounds: number, present: boolean][] = [
    ['tiny-wat', tiny, ['/', '/x'], 200, true],
    ['loop.wat', () => buildWat('loop'), ['/ok', '/trap', '/grow'], 60, true],
    ['hello-js', () => readFileSync(example('hello-js')), ['/', '/hello/you', '/headers', '/echo', '/nothing'], 60, existsSync(example('hello-js'))],
    ['counter-js', () => readFileSync(example('counter-js')), ['/', '/count/a'], 40, existsSync(example('counter-js'))],
  ];
  it.each(cases.filter(([, , , , present]) => present))('holds for requests to %s', async (name, bytes, paths, rounds) => {
    const program = await programOf(new Uint8Array(await bytes()), {}, { resolve: resolveHost as HostResolver<unknown>, maxMemoryBytes: 24 * 2 ** 20 });
    const pair = [0, 1].map(() => {
      const guest = new TestGuest();
      guests.push(guest);
      const slot = program.newSlot(guest);
      slot.instantiate(BUDGET_NS);
      return { guest, slot };
    });
    expect(program.resetMode).toEqual({ mode: 'in-place', cards: true });
    for (let round = 0; round < rounds; round++) {
      const { guest, slot } = random.pick(pair);
      slot.setBudget(BUDGET_NS);
      await request(slot, paths);
      guest.next();
      renew(slot);
      exact(slot, `${name}, round ${round}`);
    }
    expect(program.resetMode.mode).toBe('in-place');
  }, 120_000);
});
