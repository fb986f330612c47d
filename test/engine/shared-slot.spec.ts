import { describe, expect, it } from '@jest/globals';
import { parse } from '@bytecodealliance/jco';
import { InstanceLost, LimitTrap } from '#engine/run/host.js';
import { hostStream } from '#engine/run/pipe.js';
import type { CpuAccount, Slot } from '#engine/run/program.js';
import { BUDGET_NS, MEMORY_WAT, programOf, settled, slotOf } from './engine-harness.js';

/**
 * `run(v)` asks the host's asynchronous `get`, tells `seen` before and after, and gives how many have come so far. After the answer 8
 * loops for ever and 9 traps. Asked to cancel, it gives its request up and ends; 7 goes on waiting instead.
 */
const RUNS = `(component
  (import "get" (func $get async (param "v" u32) (result u32)))
  (import "seen" (func $seen (param "v" u32)))
  (core module $mem ${MEMORY_WAT}) (core instance $mi (instantiate $mem))
  (core func $get (canon lower (func $get) async (memory (core memory $mi "memory"))))
  (core func $seen (canon lower (func $seen)))
  (core func $return (canon task.return (result u32)))
  (core func $give-up (canon task.cancel))
  (core func $set-new (canon waitable-set.new))
  (core func $join (canon waitable.join))
  (core func $drop (canon subtask.drop))
  (core func $cancel (canon subtask.cancel))
  (core func $context-get (canon context.get i32 0))
  (core func $context-set (canon context.set i32 0))
  (core module $m
    (import "h" "memory" (memory 1))
    (import "h" "get" (func $get (param i32 i32) (result i32)))
    (import "h" "seen" (func $seen (param i32)))
    (import "h" "return" (func $return (param i32)))
    (import "h" "give-up" (func $give-up))
    (import "h" "set-new" (func $set-new (result i32)))
    (import "h" "join" (func $join (param i32 i32)))
    (import "h" "drop" (func $drop (param i32)))
    (import "h" "cancel" (func $cancel (param i32) (result i32)))
    (import "h" "context-get" (func $context-get (result i32)))
    (import "h" "context-set" (func $context-set (param i32)))
    (global $count (mut i32) (i32.const 0))
    ;; At 1024 + 16 v: what get answers, the subtask and the set of run(v).
    (func $at (param $v i32) (result i32) (i32.add (i32.const 1024) (i32.mul (i32.const 16) (local.get $v))))
    (func $wait (result i32) (i32.or (i32.const 2) (i32.shl (i32.load offset=8 (call $at (call $context-get))) (i32.const 4))))
    (func (export "run") (param $v i32) (result i32) (local $at i32)
      (global.set $count (i32.add (global.get $count) (i32.const 1)))
      (call $context-set (local.get $v))
      (call $seen (local.get $v))
      (local.set $at (call $at (local.get $v)))
      (i32.store offset=4 (local.get $at) (i32.shr_u (call $get (local.get $v) (local.get $at)) (i32.const 4)))
      (i32.store offset=8 (local.get $at) (call $set-new))
      (call $join (i32.load offset=4 (local.get $at)) (i32.load offset=8 (local.get $at)))
      (call $wait))
    (func (export "go-on") (param $code i32) (param $handle i32) (param $state i32) (result i32) (local $v i32) (local $at i32)
      (local.set $v (call $context-get))
      (local.set $at (call $at (local.get $v)))
      (call $seen (local.get $v))
      (if (i32.eq (local.get $code) (i32.const 6)) (then
        (if (i32.eq (local.get $v) (i32.const 7)) (then (return (call $wait))))
        (drop (call $cancel (i32.load offset=4 (local.get $at))))
        (call $drop (i32.load offset=4 (local.get $at)))
        (call $give-up)
        (return (i32.const 0))))
      (call $drop (i32.load offset=4 (local.get $at)))
      (if (i32.eq (local.get $v) (i32.const 8)) (then (loop $ever (br $ever))))
      (if (i32.eq (local.get $v) (i32.const 9)) (then unreachable))
      (call $return (global.get $count))
      (i32.const 0)))
  (core instance $i (instantiate $m (with "h" (instance
    (export "memory" (memory $mi "memory")) (export "get" (func $get)) (export "seen" (func $seen)) (export "return" (func $return))
    (export "give-up" (func $give-up)) (export "set-new" (func $set-new)) (export "join" (func $join)) (export "drop" (func $drop))
    (export "cancel" (func $cancel)) (export "context-get" (func $context-get)) (export "context-set" (func $context-set))))))
  (func (export "run") async (param "v" u32) (result u32)
    (canon lift (core func $i "run") async (memory (core memory $mi "memory")) (callback (core func $i "go-on")))))`;

/** `first(words)` reads a word, whose memory comes from a realloc that traps. */
const NO_ROOM = `(component
  (type $w (stream string))
  (core module $mem (memory (export "memory") 1) (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable))
  (core instance $mi (instantiate $mem))
  (core func $read (canon stream.read $w (memory (core memory $mi "memory")) (realloc (core func $mi "realloc"))))
  (core func $return (canon task.return))
  (core module $m
    (import "h" "read" (func $read (param i32 i32 i32) (result i32)))
    (import "h" "return" (func $return))
    (func (export "first") (param $in i32) (drop (call $read (local.get $in) (i32.const 512) (i32.const 1))) (call $return)))
  (core instance $i (instantiate $m (with "h" (instance (export "read" (func $read)) (export "return" (func $return))))))
  (func (export "first") async (param "in" $w) (canon lift (core func $i "first") async)))`;

interface Started {
  account: CpuAccount;
  told: unknown[];
}

/** A slot whose state is the holder of the account that runs. */
async function setUp(clock?: { memory: WebAssembly.Memory; now(): bigint }) {
  const seen: [v: number, holder: unknown][] = [];
  const answers = new Map<number, () => void>();
  const aborted: number[] = [];
  let spin: (v: number) => void = () => undefined;
  const state = { holder: null as unknown };
  const program = await programOf(await parse(RUNS), {
    '#seen': (v: number) => {
      seen.push([v, state.holder]);
      spin(v);
    },
    '#get': (v: number) => Object.assign(new Promise<number>((resolve) => answers.set(v, () => resolve(v))), { abort: () => aborted.push(v) }),
  }, { onSwitch: (its, holder) => { (its as typeof state).holder = holder; }, ...(clock && { clock }) });
  const slot: Slot<unknown> = program.newSlot(state);
  slot.instantiate(BUDGET_NS);
  const start = (v: number, budgetNs = BUDGET_NS): Started => {
    const account = slot.setBudget(budgetNs, `caller ${v}`);
    const told: unknown[] = [];
    slot.start(null, 'run', [v], { result: (value) => told.push(value), exit: () => told.push('exit'), fail: (error) => told.push(error) });
    return { account, told };
  };
  const answer = async (v: number) => {
    answers.get(v)!();
    await settled();
  };
  return { slot, seen, aborted, start, answer, onSeen: (fn: typeof spin) => { spin = fn; } };
}

function burn(ms: number): void {
  const end = process.threadCpuUsage().user + ms * 1000;
  while (process.threadCpuUsage().user < end);
}

describe('several calls in one slot', () => {
  it('keep one state, and each ends with its own result', async () => {
    const { start, answer, slot } = await setUp();
    const [one, two] = [start(1), start(2)];
    await answer(2);
    expect([one.told, two.told]).toEqual([[], [2, 'exit']]);
    await answer(1);
    expect([one.told, slot.busy]).toEqual([[2, 'exit'], false]);
    const three = start(3);
    await answer(3);
    expect(three.told).toEqual([3, 'exit']);
  });

  it('are each made for their own holder, whichever goes on first', async () => {
    const { start, answer, seen } = await setUp();
    start(1);
    start(2);
    start(3);
    await answer(2);
    await answer(3);
    await answer(1);
    expect(seen).toEqual([1, 2, 3, 2, 3, 1].map((v) => [v, `caller ${v}`]));
  });

  it('pay for their own CPU time alone', async () => {
    const { start, answer, slot, onSeen } = await setUp();
    onSeen((v) => v === 2 && burn(30));
    const [one, two] = [start(1), start(2)];
    await answer(2);
    await answer(1);
    expect(slot.cpuNsOf(two.account)).toBeGreaterThan(55_000_000n);
    expect(slot.cpuNsOf(one.account)).toBeLessThan(20_000_000n);
    expect([one.account.tasks, two.account.tasks]).toEqual([0, 0]);
  });

  it('are lost when one of them traps, which alone has the trap', async () => {
    const { start, answer, slot } = await setUp();
    const [one, nine] = [start(1), start(9)];
    await answer(9);
    expect(nine.told).toEqual([expect.objectContaining({ name: 'RuntimeError' })]);
    expect(one.told).toEqual([expect.any(InstanceLost)]);
    expect((one.told[0] as Error).cause).toBe(nine.told[0]);
    expect(slot.poisoned).toBe(true);
  });

  it('are lost when one of them uses up its CPU time, though they have all of theirs', async () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const clock = new BigInt64Array(memory.buffer);
    const { start, answer, onSeen } = await setUp({ memory, now: () => clock[0] });
    const [one, eight] = [start(1), start(8, 50_000_000n)];
    onSeen(() => { clock[0] += 60_000_000n; });
    await answer(8);
    expect(eight.told).toEqual([expect.any(LimitTrap)]);
    expect(one.told).toEqual([expect.any(InstanceLost)]);
  });

  it('all end with the same error when the slot is killed', async () => {
    const { start, slot } = await setUp();
    const [one, two] = [start(1), start(2)];
    const error = new Error('enough');
    slot.kill(error);
    expect([one.told, two.told]).toEqual([[error], [error]]);
  });
});

describe('a realloc that the host calls when values come later', () => {
  it('ends the call when it traps, and not the host', async () => {
    const slot = await slotOf(NO_ROOM);
    const words: string[] = [];
    const stream = hostStream({ pull: () => (words.length > 0 ? words.splice(0) : null) });
    const call = slot.call(null, 'first', [stream]);
    call.catch(() => undefined);
    await settled();
    words.push('late');
    expect(() => stream.more()).not.toThrow();
    await expect(call).rejects.toMatchObject({ name: 'RuntimeError' });
  });

  it('has the time that is left to its call, however long the thread did something else', async () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const clock = new BigInt64Array(memory.buffer);
    const slot = await slotOf(NO_ROOM.replace('(result i32) unreachable)', '(result i32) (i32.const 1024))'), {}, { clock: { memory, now: () => clock[0] } });
    const words: string[] = [];
    const stream = hostStream({ pull: () => (words.length > 0 ? words.splice(0) : null) });
    slot.setBudget(50_000_000n);
    const call = slot.call(null, 'first', [stream]);
    await settled();
    clock[0] += 900_000_000n;
    words.push('late');
    stream.more();
    await expect(call).resolves.toBeUndefined();
  });
});

describe('a call that is cancelled', () => {
  it('is told so and ends without a result, and the others go on', async () => {
    const { start, answer, slot, aborted } = await setUp();
    const [one, two] = [start(1), start(2)];
    slot.cancel(one.account);
    expect([one.told, one.account.tasks, aborted]).toEqual([['exit'], 0, [1]]);
    await answer(2);
    expect([two.told, slot.busy, slot.poisoned]).toEqual([[2, 'exit'], false, false]);
  });

  it('may go on in spite of it, which its account tells', async () => {
    const { start, answer, slot } = await setUp();
    const seven = start(7);
    slot.cancel(seven.account);
    expect([seven.told, seven.account.tasks]).toEqual([[], 1]);
    await answer(7);
    expect([seven.told, seven.account.tasks]).toEqual([[1, 'exit'], 0]);
  });

  it('has ended before: nothing happens', async () => {
    const { start, answer, slot } = await setUp();
    const one = start(1);
    await answer(1);
    slot.cancel(one.account);
    expect([one.told, slot.poisoned]).toEqual([[1, 'exit'], false]);
  });
});
