import { describe, expect, it } from '@jest/globals';
import { EOF, Pipe, hostFuture, hostStream } from '#engine/run/pipe.js';
import type { Slot } from '#engine/run/slot.js';
import { BUDGET_NS, MEMORY_WAT, settled, slotOf, waiting } from './engine-harness.js';
import { ChunkSink, ChunkSource } from './stream-ends.js';

const MEM = '(memory (core memory $mi "memory"))';
const WITH_MEMORY = `(core module $mem ${MEMORY_WAT}) (core instance $mi (instantiate $mem))`;

/** `sum(v)`: asks the host's asynchronous `get` twice, with a callback; `get` may be cancelled by `try`. */
const CALLBACK = `(component
  (import "get" (func $get async (param "v" u32) (result u32)))
  ${WITH_MEMORY}
  (core func $get (canon lower (func $get) async ${MEM}))
  (core func $return (canon task.return (result u32)))
  (core func $set-new (canon waitable-set.new))
  (core func $join (canon waitable.join))
  (core func $drop (canon subtask.drop))
  (core func $cancel (canon subtask.cancel))
  (core func $context-get (canon context.get i32 0))
  (core func $context-set (canon context.set i32 0))
  (core module $m
    (import "h" "memory" (memory 1))
    (import "h" "get" (func $get (param i32 i32) (result i32)))
    (import "h" "return" (func $return (param i32)))
    (import "h" "set-new" (func $set-new (result i32)))
    (import "h" "join" (func $join (param i32 i32)))
    (import "h" "drop" (func $drop (param i32)))
    (import "h" "cancel" (func $cancel (param i32) (result i32)))
    (import "h" "context-get" (func $context-get (result i32)))
    (import "h" "context-set" (func $context-set (param i32)))
    (func (export "sum") (param $v i32) (result i32) (local $r i32) (local $set i32)
      (call $context-set (local.get $v))
      (local.set $r (call $get (local.get $v) (i32.add (i32.const 1024) (i32.mul (i32.const 4) (local.get $v)))))
      (if (i32.eq (local.get $r) (i32.const 2))
        (then (call $return (i32.load (i32.add (i32.const 1024) (i32.mul (i32.const 4) (local.get $v))))) (return (i32.const 0))))
      (local.set $set (call $set-new))
      (call $join (i32.shr_u (local.get $r) (i32.const 4)) (local.get $set))
      (i32.or (i32.const 2) (i32.shl (local.get $set) (i32.const 4))))
    (func (export "sum-callback") (param $code i32) (param $handle i32) (param $state i32) (result i32)
      (if (i32.or (i32.ne (local.get $code) (i32.const 1)) (i32.ne (local.get $state) (i32.const 2))) (then unreachable))
      (call $drop (local.get $handle))
      (call $return (i32.load (i32.add (i32.const 1024) (i32.mul (i32.const 4) (call $context-get)))))
      (i32.const 0))
    (func (export "try") (result i32) (local $r i32)
      (local.set $r (call $get (i32.const 1) (i32.const 2048)))
      (call $return (call $cancel (i32.shr_u (local.get $r) (i32.const 4))))
      (call $drop (i32.shr_u (local.get $r) (i32.const 4)))
      (i32.const 0))
    (func (export "look") (result i32) (i32.load (i32.const 2048)))
    (func (export "forget") (result i32) (i32.const 0)))
  (core instance $i (instantiate $m (with "h" (instance
    (export "memory" (memory $mi "memory")) (export "get" (func $get)) (export "return" (func $return)) (export "set-new" (func $set-new))
    (export "join" (func $join)) (export "drop" (func $drop)) (export "cancel" (func $cancel))
    (export "context-get" (func $context-get)) (export "context-set" (func $context-set))))))
  (func (export "sum") async (param "v" u32) (result u32) (canon lift (core func $i "sum") async ${MEM} (callback (core func $i "sum-callback"))))
  (func (export "try") async (result u32) (canon lift (core func $i "try") async ${MEM} (callback (core func $i "sum-callback"))))
  (func (export "forget") async (result u32) (canon lift (core func $i "forget") async ${MEM} (callback (core func $i "sum-callback"))))
  (func (export "look") (result u32) (canon lift (core func $i "look"))))`;

interface Deferred {
  promise: Promise<number> & { abort?: () => void };
  resolve(value: number): void;
  reject(error: Error): void;
}

function deferred(): Deferred {
  let resolve!: (value: number) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<number>((ok, no) => {
    resolve = ok;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** What a started call told so far. */
function started(slot: Slot<unknown>, name: string, args: unknown[]) {
  const told: unknown[] = [];
  slot.start(null, name, args, {
    result: (value) => told.push(value),
    exit: () => told.push('exit'),
    fail: (error) => told.push(error.message),
  });
  return told;
}

describe('asynchronous exports with a callback', () => {
  it('are answered at once when the host has nothing to wait for', async () => {
    const slot = await slotOf(CALLBACK, { '#get': (v: number) => v + 100 });
    expect(started(slot, 'sum', [5])).toEqual([105, 'exit']);
    expect(slot.busy).toBe(false);
  });

  it('wait for the host without a stack, several at a time', async () => {
    const waits = new Map<number, Deferred>();
    const slot = await slotOf(CALLBACK, {
      '#get': (v: number) => {
        waits.set(v, deferred());
        return waits.get(v)!.promise;
      },
    });
    const [one, two, three] = [1, 2, 3].map((v) => started(slot, 'sum', [v]));
    expect([...waits.keys()]).toEqual([1, 2, 3]);
    waits.get(2)!.resolve(22);
    await settled();
    expect([one, two, three]).toEqual([[], [22, 'exit'], []]);
    waits.get(3)!.resolve(33);
    waits.get(1)!.resolve(11);
    await settled();
    expect([one, three, slot.busy]).toEqual([[11, 'exit'], [33, 'exit'], false]);
  });

  it('fail together when one traps', async () => {
    const waits: Deferred[] = [];
    const slot = await slotOf(CALLBACK, { '#get': () => waits[waits.push(deferred()) - 1].promise });
    const [one, two] = [started(slot, 'sum', [1]), started(slot, 'sum', [2])];
    waits[1].reject(new Error('no network'));
    await settled();
    expect([one, two, slot.poisoned]).toEqual([['no network'], ['no network'], true]);
  });

  it('must give a result before they end', async () => {
    const slot = await slotOf(CALLBACK, { '#get': () => 1 });
    expect(started(slot, 'forget', [])).toEqual(['a task ended without a result']);
  });

  it('cancel a call of the host, which is told, and whose late answer is ignored', async () => {
    const wait = deferred();
    let aborted = 0;
    wait.promise.abort = () => aborted++;
    const slot = await slotOf(CALLBACK, { '#get': () => wait.promise });
    expect(started(slot, 'try', [])).toEqual([4, 'exit']);
    expect(aborted).toBe(1);
    wait.resolve(77);
    await settled();
    expect(await slot.call(null, 'look', [])).toBe(0);
  });

  it('are left alone by promises of the life before', async () => {
    const waits: Deferred[] = [];
    const slot = await slotOf(CALLBACK, { '#get': () => waits[waits.push(deferred()) - 1].promise });
    const old = started(slot, 'sum', [1]);
    slot.reset();
    slot.instantiate(BUDGET_NS);
    const young = started(slot, 'sum', [1]);
    waits[0].resolve(1111);
    await settled();
    expect([old, young]).toEqual([['the slot was reset'], []]);
    waits[1].resolve(2);
    await settled();
    expect(young).toEqual([2, 'exit']);
  });
});

/** Everything with streams and futures, on stacks of its own: synchronous reads and writes. */
const STREAMS = `(component
  ${WITH_MEMORY}
  (type $s (stream u8))
  (type $w (stream string))
  (type $f (future u32))
  (core func $new (canon stream.new $s))
  (core func $read (canon stream.read $s ${MEM}))
  (core func $write (canon stream.write $s ${MEM}))
  (core func $drop-r (canon stream.drop-readable $s))
  (core func $drop-w (canon stream.drop-writable $s))
  (core func $read-words (canon stream.read $w ${MEM} (realloc (core func $mi "realloc"))))
  (core func $drop-words (canon stream.drop-readable $w))
  (core func $f-new (canon future.new $f))
  (core func $f-read (canon future.read $f ${MEM}))
  (core func $f-write (canon future.write $f ${MEM}))
  (core func $f-drop-r (canon future.drop-readable $f))
  (core func $f-drop-w (canon future.drop-writable $f))
  (core func $return-s (canon task.return (result $s) ${MEM}))
  (core func $return-f (canon task.return (result $f) ${MEM}))
  (core func $return-n (canon task.return (result u32) ${MEM}))
  (core module $m
    (import "h" "memory" (memory 1))
    (import "h" "new" (func $new (result i64)))
    (import "h" "read" (func $read (param i32 i32 i32) (result i32)))
    (import "h" "write" (func $write (param i32 i32 i32) (result i32)))
    (import "h" "drop-r" (func $drop-r (param i32)))
    (import "h" "drop-w" (func $drop-w (param i32)))
    (import "h" "read-words" (func $read-words (param i32 i32 i32) (result i32)))
    (import "h" "drop-words" (func $drop-words (param i32)))
    (import "h" "f-new" (func $f-new (result i64)))
    (import "h" "f-read" (func $f-read (param i32 i32) (result i32)))
    (import "h" "f-write" (func $f-write (param i32 i32) (result i32)))
    (import "h" "f-drop-r" (func $f-drop-r (param i32)))
    (import "h" "f-drop-w" (func $f-drop-w (param i32)))
    (import "h" "return-s" (func $return-s (param i32)))
    (import "h" "return-f" (func $return-f (param i32)))
    (import "h" "return-n" (func $return-n (param i32)))
    (func $second (param i64) (result i32) (i32.wrap_i64 (i64.shr_u (local.get 0) (i64.const 32))))
    (func (export "relay") (param $in i32) (local $pair i64) (local $out i32) (local $got i32)
      (local.set $pair (call $new))
      (local.set $out (call $second (local.get $pair)))
      (call $return-s (i32.wrap_i64 (local.get $pair)))
      (block $end (loop $l
        (local.set $got (call $read (local.get $in) (i32.const 256) (i32.const 4)))
        (br_if $end (i32.eqz (i32.shr_u (local.get $got) (i32.const 4))))
        (br_if $end (i32.eq (i32.const 1) (i32.and (i32.const 15)
          (call $write (local.get $out) (i32.const 256) (i32.shr_u (local.get $got) (i32.const 4))))))
        (br_if $l (i32.eqz (i32.and (local.get $got) (i32.const 15))))))
      (call $drop-r (local.get $in))
      (call $drop-w (local.get $out)))
    (func (export "same") (param $in i32) (call $return-s (local.get $in)))
    (func (export "words") (param $in i32) (local $got i32) (local $sum i32)
      (block $end (loop $l
        (local.set $got (call $read-words (local.get $in) (i32.const 512) (i32.const 1)))
        (br_if $end (i32.eqz (i32.shr_u (local.get $got) (i32.const 4))))
        (local.set $sum (i32.add (local.get $sum) (i32.load (i32.const 516))))
        (br $l)))
      (call $drop-words (local.get $in))
      (call $return-n (local.get $sum)))
    (func (export "await") (param $f i32)
      (drop (call $f-read (local.get $f) (i32.const 600)))
      (call $f-drop-r (local.get $f))
      (call $return-n (i32.add (i32.const 1) (i32.load (i32.const 600)))))
    (func (export "promise") (local $pair i64)
      (local.set $pair (call $f-new))
      (call $return-f (i32.wrap_i64 (local.get $pair)))
      (i32.store (i32.const 640) (i32.const 42))
      (drop (call $f-write (call $second (local.get $pair)) (i32.const 640)))
      (call $f-drop-w (call $second (local.get $pair)))))
  (core instance $i (instantiate $m (with "h" (instance
    (export "memory" (memory $mi "memory")) (export "new" (func $new)) (export "read" (func $read)) (export "write" (func $write))
    (export "drop-r" (func $drop-r)) (export "drop-w" (func $drop-w)) (export "read-words" (func $read-words)) (export "drop-words" (func $drop-words))
    (export "f-new" (func $f-new)) (export "f-read" (func $f-read)) (export "f-write" (func $f-write)) (export "f-drop-r" (func $f-drop-r))
    (export "f-drop-w" (func $f-drop-w)) (export "return-s" (func $return-s)) (export "return-f" (func $return-f)) (export "return-n" (func $return-n))))))
  (func (export "relay") async (param "in" $s) (result $s) (canon lift (core func $i "relay") async ${MEM}))
  (func (export "same") async (param "in" $s) (result $s) (canon lift (core func $i "same") async ${MEM}))
  (func (export "words") async (param "in" $w) (result u32) (canon lift (core func $i "words") async ${MEM}))
  (func (export "await") async (param "f" $f) (result u32) (canon lift (core func $i "await") async ${MEM}))
  (func (export "promise") async (result $f) (canon lift (core func $i "promise") async ${MEM})))`;

/** The stream that `relay` (or `same`) gives for a source. */
async function outputOf(slot: Slot<unknown>, name: string, source: ChunkSource): Promise<{ out: Pipe; told: unknown[] }> {
  const told = started(slot, name, [source.pipe]);
  await settled();
  return { out: told[0] as Pipe, told };
}

describe('streams', () => {
  it('go through a guest in both directions, cut to what it reads', async () => {
    const slot = await slotOf(STREAMS);
    const source = new ChunkSource(['hello ', 'world'], true);
    const { out, told } = await outputOf(slot, 'relay', source);
    const sink = new ChunkSink(out);
    await settled();
    expect([sink.text, sink.ended, told.at(-1)]).toEqual(['hello world', false, 'exit']);
    expect(Math.max(...sink.sizes)).toBe(4);
  });

  it('wait for a source that has nothing yet', async () => {
    const slot = await slotOf(STREAMS);
    const source = new ChunkSource(['one'], false);
    const { out } = await outputOf(slot, 'relay', source);
    const sink = new ChunkSink(out);
    await settled();
    expect([sink.text, sink.ended]).toEqual(['one', null]);
    source.add('two');
    await settled();
    expect(sink.text).toBe('onetwo');
    source.finish();
    await settled();
    expect([sink.ended, slot.busy]).toEqual([false, false]);
  });

  it('hold the guest back while the sink is full', async () => {
    const slot = await slotOf(STREAMS);
    const source = new ChunkSource(['aaaabbbbccccdddd'], true);
    const { out } = await outputOf(slot, 'relay', source);
    const sink = new ChunkSink(out, { full: true });
    await settled();
    expect([sink.text, source.given]).toEqual(['aaaa', 4]);
    sink.drain();
    await settled();
    expect([sink.text, source.given]).toEqual(['aaaabbbb', 8]);
    sink.full = false;
    sink.drain();
    await settled();
    expect([sink.text, sink.ended]).toEqual(['aaaabbbbccccdddd', false]);
  });

  it('end for the guest when the host stops to read, and for the host\'s source when the guest does', async () => {
    const slot = await slotOf(STREAMS);
    const source = new ChunkSource(['abcdefgh'], false);
    const { out, told } = await outputOf(slot, 'relay', source);
    out.hostDrop();
    await settled();
    expect([source.cancelled, told.at(-1)]).toEqual([true, 'exit']);
  });

  it('are cut off on both sides when the guest is killed, and late data changes nothing', async () => {
    const slot = await slotOf(STREAMS);
    const source = new ChunkSource(['abcd'], false);
    const { out, told } = await outputOf(slot, 'relay', source);
    const sink = new ChunkSink(out);
    await settled();
    slot.kill(new Error('deadline'));
    expect([source.cancelled, sink.ended, told.at(-1)]).toEqual([true, true, 'deadline']);
    slot.reset();
    slot.instantiate(BUDGET_NS);
    source.add('late');
    await settled();
    expect([source.given, sink.text, slot.busy]).toEqual([4, 'abcd', false]);
  });

  it('pass straight from host to host when the guest hands them on', async () => {
    const slot = await slotOf(STREAMS);
    const source = new ChunkSource(['x'.repeat(100_000), 'y'], true);
    const { out } = await outputOf(slot, 'same', source);
    const sink = new ChunkSink(out, { full: true });
    expect(sink.sizes).toEqual([65536]);
    sink.full = false;
    sink.drain();
    expect([sink.text.length, sink.ended, slot.busy]).toEqual([100_001, false, false]);
  });

  it('carry values of any type', async () => {
    const slot = await slotOf(STREAMS);
    const words = ['one', 'three', ''];
    const pipe = hostStream({ pull: (_, max) => (words.length > 0 ? words.splice(0, max) : EOF) });
    expect(await slot.call(null, 'words', [pipe])).toBe(8);
  });

  it('refuse a source that gives more than it was asked for', async () => {
    const slot = await slotOf(STREAMS);
    const told = started(slot, 'relay', [hostStream({ pull: () => Buffer.alloc(100) })]);
    await settled();
    expect(told.at(-1)).toContain('more than it was asked for');
  });
});

describe('futures', () => {
  it('are read at once, or when the host knows the value', async () => {
    const slot = await slotOf(STREAMS);
    expect(await slot.call(null, 'await', [hostFuture(6)])).toBe(7);
    const future = hostFuture();
    const told = started(slot, 'await', [future]);
    await settled();
    expect(told).toEqual([]);
    future.resolve(10);
    await settled();
    expect(told).toEqual([11, 'exit']);
  });

  it('give the host the value that a guest writes', async () => {
    const slot = await slotOf(STREAMS);
    const told = started(slot, 'promise', []);
    await settled();
    const values: unknown[] = [];
    (told[0] as Pipe).attach({ value: (value) => values.push(value) });
    await settled();
    expect([values, told.at(-1)]).toEqual([[42], 'exit']);
  });

  it('tell the host when the guest went away without a value', async () => {
    const slot = await slotOf(STREAMS);
    const told = started(slot, 'promise', []);
    let ends = 0;
    const values: unknown[] = [];
    slot.kill(new Error('gone'));
    (told[0] as Pipe).attach({ value: (value) => values.push(value), end: () => ends++ });
    expect([values, ends]).toEqual([[], 1]);
  });
});

/** An inner component whose function waits for the host, called by an outer one: asynchronously and synchronously. */
function composed(lower: 'async' | 'sync', inner: string): string {
  const isAsync = lower === 'async';
  return `(component
    (import "get" (func $get ${inner} (param "v" u32) (result u32)))
    (component $inner
      (import "get" (func $get ${inner} (param "v" u32) (result u32)))
      (core func $get (canon lower (func $get)))
      (core module $m (import "h" "get" (func $get (param i32) (result i32)))
        (func (export "add") (param i32) (result i32) (i32.add (call $get (local.get 0)) (i32.const 1))))
      (core instance $i (instantiate $m (with "h" (instance (export "get" (func $get))))))
      (func (export "add") ${inner} (param "v" u32) (result u32) (canon lift (core func $i "add"))))
    (instance $in (instantiate $inner (with "get" (func $get))))
    (component $outer
      (import "add" (func $add ${inner} (param "v" u32) (result u32)))
      ${WITH_MEMORY}
      (core func $add (canon lower (func $add) ${isAsync ? `async ${MEM}` : ''}))
      (core func $set-new (canon waitable-set.new))
      (core func $set-wait (canon waitable-set.wait ${MEM}))
      (core func $join (canon waitable.join))
      (core func $drop (canon subtask.drop))
      (core module $m
        (import "h" "memory" (memory 1))
        (import "h" "add" (func $add (param i32 ${isAsync ? 'i32' : ''}) (result i32)))
        (import "h" "set-new" (func $set-new (result i32)))
        (import "h" "set-wait" (func $set-wait (param i32 i32) (result i32)))
        (import "h" "join" (func $join (param i32 i32)))
        (import "h" "drop" (func $drop (param i32)))
        (func (export "run") (param i32) (result i32) (local $r i32) (local $set i32)
          ${isAsync
            ? `(local.set $r (call $add (local.get 0) (i32.const 16)))
               (if (i32.ne (local.get $r) (i32.const 2)) (then
                 (local.set $set (call $set-new))
                 (call $join (i32.shr_u (local.get $r) (i32.const 4)) (local.get $set))
                 (if (i32.ne (call $set-wait (local.get $set) (i32.const 32)) (i32.const 1)) (then unreachable))
                 (call $drop (i32.load (i32.const 32)))))
               (i32.load (i32.const 16))`
            : '(call $add (local.get 0))'}))
      (core instance $i (instantiate $m (with "h" (instance
        (export "memory" (memory $mi "memory")) (export "add" (func $add)) (export "set-new" (func $set-new)) (export "set-wait" (func $set-wait))
        (export "join" (func $join)) (export "drop" (func $drop))))))
      (func (export "run") ${inner} (param "v" u32) (result u32) (canon lift (core func $i "run"))))
    (instance $out (instantiate $outer (with "add" (func $in "add"))))
    (alias export $out "run" (func $run))
    (export "run" (func $run)))`;
}

describe('calls between components', () => {
  it.each([['async', 'async'], ['sync', 'async'], ['sync', '']] as const)('wait for what the callee waits for (%s call, %s function)', async (lower, inner) => {
    const wait = deferred();
    const get = inner === 'async' ? () => wait.promise : waiting(() => wait.promise);
    const slot = await slotOf(composed(lower, inner), { '#get': get });
    const told = started(slot, 'run', [1]);
    await settled();
    expect(told).toEqual([]);
    wait.resolve(41);
    await settled();
    expect(told).toEqual([42, 'exit']);
  });

  it('end at once when the callee does not have to wait', async () => {
    const slot = await slotOf(composed('sync', 'async'), { '#get': (v: number) => v * 2 });
    expect(started(slot, 'run', [4])).toEqual([9, 'exit']);
  });

  it('fail in the caller when the callee is killed', async () => {
    const slot = await slotOf(composed('sync', ''), { '#get': waiting(() => new Promise(() => undefined)) });
    const told = started(slot, 'run', [4]);
    slot.kill(new Error('deadline'));
    await settled();
    expect(told).toEqual(['deadline']);
  });
});
