import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it } from '@jest/globals';
import { parse } from '@bytecodealliance/jco';
import { LimitTrap, Trap } from '#engine/run/host.js';
import type { CpuClock } from '#engine/run/program.js';
import { BUDGET_NS, MEMORY_WAT, programOf, settled, slotOf, waiting } from './engine-harness.js';

/** Counts calls in a global and in memory; `wait` asks the host. */
const COUNTER = `(component
  (import "host:h/h" (instance $h (export "wait" (func (param "v" u32) (result u32))) (export "tell" (func (param "v" u32)))))
  (core func $wait (canon lower (func $h "wait")))
  (core func $tell (canon lower (func $h "tell")))
  (core module $m
    (import "h" "wait" (func $wait (param i32) (result i32)))
    (import "h" "tell" (func $tell (param i32)))
    (memory (export "memory") 1 4)
    (global $n (mut i32) (i32.const 0))
    (func (export "count") (result i32)
      (global.set $n (i32.add (global.get $n) (i32.const 1)))
      (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
      (i32.add (i32.mul (global.get $n) (i32.const 100)) (i32.load (i32.const 8))))
    (func (export "twice") (param i32) (result i32)
      (call $wait (i32.add (call $wait (local.get 0)) (i32.const 1))))
    (func (export "then-tell") (param i32) (call $tell (call $wait (local.get 0))))
    (func (export "loop") (loop $l (br $l)))
    (func (export "wait-loop") (drop (call $wait (i32.const 1))) (loop $l (br $l)))
    (func (export "crash") unreachable)
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))
  (core instance $i (instantiate $m (with "h" (instance (export "wait" (func $wait)) (export "tell" (func $tell))))))
  (func (export "count") (result u32) (canon lift (core func $i "count")))
  (func (export "twice") (param "v" u32) (result u32) (canon lift (core func $i "twice")))
  (func (export "then-tell") (param "v" u32) (canon lift (core func $i "then-tell")))
  (func (export "loop") (canon lift (core func $i "loop")))
  (func (export "wait-loop") (canon lift (core func $i "wait-loop")))
  (func (export "crash") (canon lift (core func $i "crash")))
  (func (export "grow") (param "pages" u32) (result s32) (canon lift (core func $i "grow"))))`;

const never = { 'host:h/h#wait': waiting(() => new Promise(() => undefined)), 'host:h/h#tell': () => undefined };

describe('slots', () => {
  it('keeps the guest state between calls and forgets it at a reset', async () => {
    const slot = await slotOf(COUNTER, never);
    expect([await slot.call(null, 'count', []), await slot.call(null, 'count', [])]).toEqual([101, 202]);
    slot.reset();
    expect(slot.poisoned).toBe(true);
    slot.instantiate(BUDGET_NS);
    expect(await slot.call(null, 'count', [])).toBe(101);
  });

  it('gives a memory of the first size again after the guest grew it', async () => {
    const slot = await slotOf(COUNTER, never);
    expect(slot.memoryBytes).toBe(65536);
    expect(await slot.call(null, 'grow', [2])).toBe(1);
    expect(slot.memoryBytes).toBe(3 * 65536);
    expect(await slot.call(null, 'grow', [2])).toBe(-1);
    slot.reset();
    slot.instantiate(BUDGET_NS);
    expect(slot.memoryBytes).toBe(65536);
    expect(await slot.call(null, 'count', [])).toBe(101);
  });

  it('holds the memory to the slot maximum, and refuses a component that starts above it', async () => {
    const slot = await slotOf(COUNTER, never, { maxMemoryBytes: 2 * 65536 });
    expect(await slot.call(null, 'grow', [2])).toBe(-1);
    expect(await slot.call(null, 'grow', [1])).toBe(1);
    await expect(slotOf(COUNTER, never, { maxMemoryBytes: 100 })).rejects.toThrow(LimitTrap);
  });

  it('answers what the host does not know at the call, and names it before', async () => {
    const program = await programOf(await parse(COUNTER), { 'host:h/h#wait': () => 1 });
    expect(program.missing).toEqual(['host:h/h#tell']);
    const slot = program.newSlot({});
    slot.instantiate(BUDGET_NS);
    await expect(slot.call(null, 'then-tell', [1])).rejects.toThrow('the host has no host:h/h#tell');
    await expect(slot.call(null, 'count', [])).rejects.toThrow(Trap);
  });

  it('finds exports by name and by prefix', async () => {
    const program = await programOf(await parse(COUNTER), never);
    expect([program.hasExport(null, 'count'), program.hasExport(null, 'constructor'), program.hasExport('count', 'x')]).toEqual([true, false, false]);
    expect(program.findExport('cou')).toBeUndefined();
    await expect(program.newSlot({}).call(null, 'nothing', [])).rejects.toThrow('exports no nothing');
  });

  it('is not entered again after a trap, until it is reset', async () => {
    const slot = await slotOf(COUNTER, never);
    await expect(slot.call(null, 'crash', [])).rejects.toMatchObject({ name: 'RuntimeError' });
    expect(slot.poisoned).toBe(true);
    await expect(slot.call(null, 'count', [])).rejects.toMatchObject({ name: 'RuntimeError' });
    slot.reset();
    slot.instantiate(BUDGET_NS);
    expect(await slot.call(null, 'count', [])).toBe(101);
  });
});

describe('a guest that uses up the native stack', () => {
  const RECURSE = `(component
    (import "h:h/h" (instance $h (export "r" (type $r (sub resource))) (export "make" (func (result (own $r))))))
    (core func $make (canon lower (func $h "make")))
    (core module $m (import "h" "make" (func $make (result i32)))
      (func $down (export "down") (drop (call $make)) (call $down)))
    (core instance $i (instantiate $m (with "h" (instance (export "make" (func $make))))))
    (func (export "down") (canon lift (core func $i "down"))))`;

  it.each([['on the main stack', false], ['on a stack of its own', true]])('fails, and everything is settled: %s', async (_, stacked) => {
    let held = 0;
    const make = () => ++held && {};
    const slot = await slotOf(RECURSE, { 'h:h/h#make': stacked ? waiting(make) : make, 'h:h/h#[resource-drop]r': () => --held }, { maxHandles: 1e6 });
    for (let i = 0; i < 3; i++) {
      await expect(slot.call(null, 'down', [])).rejects.toMatchObject({ name: 'RangeError' });
      expect([slot.busy, slot.poisoned]).toEqual([false, true]);
      // the last one may be lost between the host and the handle table: it is nobody's
      expect(held).toBeLessThanOrEqual(i + 1);
      slot.reset();
      slot.instantiate(BUDGET_NS);
    }
  });
});

describe('host functions that wait', () => {
  it('suspend the guest and give it the value later, or at once', async () => {
    const seen: number[] = [];
    const wait = waiting((v: number) => {
      seen.push(v);
      return seen.length === 1 ? v * 10 : new Promise((resolve) => setTimeout(() => resolve(v * 10), 5));
    });
    const slot = await slotOf(COUNTER, { ...never, 'host:h/h#wait': wait });
    expect(await slot.call(null, 'twice', [2])).toBe(210);
    expect(seen).toEqual([2, 21]);
    expect(slot.busy).toBe(false);
  });

  it('keep other calls of the slot out until they return', async () => {
    let go: (v: number) => void = () => undefined;
    const slot = await slotOf(COUNTER, { ...never, 'host:h/h#wait': waiting(() => new Promise((resolve) => (go = resolve))) });
    const order: string[] = [];
    const first = slot.call(null, 'then-tell', [1]).then(() => order.push('first'));
    const second = slot.call(null, 'count', []).then(() => order.push('second'));
    await settled();
    expect(order).toEqual([]);
    go(1);
    await Promise.all([first, second]);
    expect(order).toEqual(['first', 'second']);
  });

  it('end the call when they reject', async () => {
    const slot = await slotOf(COUNTER, { ...never, 'host:h/h#wait': waiting(() => Promise.reject(new Error('no disk'))) });
    await expect(slot.call(null, 'twice', [2])).rejects.toThrow('no disk');
    expect(slot.poisoned).toBe(true);
  });

  it('may not return a promise without saying so before', async () => {
    const slot = await slotOf(COUNTER, { ...never, 'host:h/h#wait': () => Promise.resolve(1) });
    await expect(slot.call(null, 'twice', [2])).rejects.toThrow('does not wait');
  });
});

describe('kill', () => {
  it('settles a suspended call with the error that it is given', async () => {
    const slot = await slotOf(COUNTER, never);
    const call = slot.call(null, 'twice', [1]);
    await settled();
    expect(slot.busy).toBe(true);
    slot.kill(new LimitTrap('wall', 'too late'));
    await expect(call).rejects.toMatchObject({ limit: 'wall' });
    expect([slot.busy, slot.poisoned]).toEqual([false, true]);
  });

  it('lets nothing of the old life touch the new one', async () => {
    const told: number[] = [];
    let late: (v: number) => void = () => undefined;
    const slot = await slotOf(COUNTER, {
      'host:h/h#wait': waiting(() => new Promise((resolve) => (late = resolve))),
      'host:h/h#tell': (v: number) => told.push(v),
    });
    const old = slot.call(null, 'then-tell', [1]);
    const refused = expect(old).rejects.toThrow('gone');
    slot.kill(new Error('gone'));
    // at once: the old stack has not even begun to unwind
    slot.reset();
    slot.instantiate(BUDGET_NS);
    const young = slot.call(null, 'then-tell', [2]);
    const youngs = late;
    await refused;
    await settled();
    expect(told).toEqual([]);
    youngs(7);
    await young;
    expect(told).toEqual([7]);
  });

  it('ignores a host promise that settles after the reset', async () => {
    const told: number[] = [];
    const resolvers: ((v: number) => void)[] = [];
    const slot = await slotOf(COUNTER, {
      'host:h/h#wait': waiting(() => new Promise((resolve) => resolvers.push(resolve))),
      'host:h/h#tell': (v: number) => told.push(v),
    });
    const old = slot.call(null, 'then-tell', [1]).catch((error: Error) => error.message);
    await settled();
    slot.reset();
    expect(await old).toContain('reset');
    slot.instantiate(BUDGET_NS);
    const young = slot.call(null, 'then-tell', [2]);
    resolvers[0](111);
    await settled();
    expect([told, slot.busy]).toEqual([[], true]);
    resolvers[1](2);
    await young;
    expect(told).toEqual([2]);
  });
});

describe('CPU time', () => {
  const workers: Worker[] = [];
  afterAll(() => Promise.all(workers.map((worker) => worker.terminate())));

  /** A clock as the runner has it: another thread writes this thread's CPU time every millisecond. */
  function tickingClock(): CpuClock {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const source = `const { openSync, readSync } = require('node:fs');
      const { page, tid } = require('node:worker_threads').workerData;
      const fd = openSync('/proc/' + tid + '/task/' + tid + '/schedstat', 'r');
      const text = Buffer.alloc(64), clock = new BigInt64Array(page, 0, 1), pause = new Int32Array(new SharedArrayBuffer(4));
      for (;;) { const n = readSync(fd, text, 0, 64, 0); Atomics.store(clock, 0, BigInt(text.toString('latin1', 0, n).split(' ')[0])); Atomics.wait(pause, 0, 0, 1); }`;
    workers.push(new Worker(source, { eval: true, workerData: { page: memory.buffer, tid: process.pid } }));
    return { memory, now: () => BigInt(process.threadCpuUsage().user + process.threadCpuUsage().system) * 1000n };
  }

  it('stops a guest that loops for ever, and the slot works again after a reset', async () => {
    const slot = await slotOf(COUNTER, never, { clock: tickingClock() });
    await new Promise((resolve) => setTimeout(resolve, 100));
    slot.setBudget(50_000_000n);
    await expect(slot.call(null, 'loop', [])).rejects.toMatchObject({ name: 'LimitTrap', limit: 'cpu' });
    expect(slot.cpuNs).toBeGreaterThan(40_000_000n);
    expect(slot.cpuNs).toBeLessThan(400_000_000n);
    slot.reset();
    slot.instantiate(50_000_000n);
    expect(await slot.call(null, 'count', [])).toBe(101);
    expect(slot.cpuNs).toBeLessThan(50_000_000n);
  });

  it('stops a guest that loops after it was suspended', async () => {
    const wait = waiting(() => new Promise((resolve) => setTimeout(() => resolve(1), 5)));
    const slot = await slotOf(COUNTER, { ...never, 'host:h/h#wait': wait }, { clock: tickingClock() });
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (let i = 0; i < 2; i++) {
      slot.setBudget(30_000_000n);
      await expect(slot.call(null, 'wait-loop', [])).rejects.toMatchObject({ limit: 'cpu' });
      expect(slot.cpuNs).toBeLessThan(400_000_000n);
      slot.reset();
      slot.instantiate(BUDGET_NS);
    }
  });

  it('does not count the time in which a guest waits', async () => {
    const spin = waiting(() => new Promise((resolve) => setTimeout(() => {
      const end = process.threadCpuUsage().user + 30_000;
      while (process.threadCpuUsage().user < end);
      resolve(1);
    }, 1)));
    const slot = await slotOf(COUNTER, { ...never, 'host:h/h#wait': spin });
    slot.setBudget(BUDGET_NS);
    await slot.call(null, 'then-tell', [1]);
    expect(slot.cpuNs).toBeLessThan(20_000_000n);
  });

  it('does not mistake the guest\'s own unreachable for the deadline', async () => {
    const slot = await slotOf(COUNTER, never);
    await expect(slot.call(null, 'crash', [])).rejects.not.toBeInstanceOf(LimitTrap);
  });

  it('runs start functions on the budget of instantiate', async () => {
    const wat = `(component (core module $m (func $s (loop $l (br $l))) (start $s) ${MEMORY_WAT}) (core instance (instantiate $m)))`;
    const program = await programOf(await parse(wat), {}, { clock: tickingClock() });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const slot = program.newSlot({});
    expect(() => slot.instantiate(20_000_000n)).toThrow(LimitTrap);
    expect(slot.poisoned).toBe(true);
  });
});
