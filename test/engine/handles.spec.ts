import { describe, expect, it } from '@jest/globals';
import { MEMORY_WAT, settled, slotOf, waiting } from './engine-harness.js';

/** Uses a resource `r` of the host in every way; `do` picks one. */
const HOST_RESOURCE = `(component
  (import "h:h/h" (instance $h
    (export "r" (type $r (sub resource)))
    (export "make" (func (param "v" u32) (result (own $r))))
    (export "look" (func (param "r" (borrow $r)) (result u32)))
    (export "take" (func (param "r" (own $r)) (result u32)))
    (export "slow" (func (param "r" (borrow $r)) (result u32)))))
  (alias export $h "r" (type $r))
  (core func $make (canon lower (func $h "make")))
  (core func $look (canon lower (func $h "look")))
  (core func $take (canon lower (func $h "take")))
  (core func $slow (canon lower (func $h "slow")))
  (core func $drop (canon resource.drop $r))
  (core module $m
    (import "h" "make" (func $make (param i32) (result i32)))
    (import "h" "look" (func $look (param i32) (result i32)))
    (import "h" "take" (func $take (param i32) (result i32)))
    (import "h" "slow" (func $slow (param i32) (result i32)))
    (import "h" "drop" (func $drop (param i32)))
    (global $r (mut i32) (i32.const 0))
    (func (export "make") (param i32) (result i32) (global.set $r (call $make (local.get 0))) (global.get $r))
    (func (export "look") (param i32) (result i32) (call $look (local.get 0)))
    (func (export "take") (param i32) (result i32) (call $take (local.get 0)))
    (func (export "slow") (param i32) (result i32) (call $slow (local.get 0)))
    (func (export "drop") (param i32) (call $drop (local.get 0)))
    (func (export "keep") (param i32))
    (func (export "give") (param i32) (result i32) (call $drop (local.get 0)) (call $make (i32.const 9)))
    (func (export "use") (param i32) (result i32) (local $v i32) (local.set $v (call $look (local.get 0))) (call $drop (local.get 0)) (local.get $v))
    (func (export "flood") (loop $l (drop (call $make (i32.const 1))) (br $l))))
  (core instance $i (instantiate $m (with "h" (instance
    (export "make" (func $make)) (export "look" (func $look)) (export "take" (func $take)) (export "slow" (func $slow)) (export "drop" (func $drop))))))
  (func (export "make") (param "v" u32) (result u32) (canon lift (core func $i "make")))
  (func (export "look") (param "h" u32) (result u32) (canon lift (core func $i "look")))
  (func (export "take") (param "h" u32) (result u32) (canon lift (core func $i "take")))
  (func (export "slow") (param "h" u32) (result u32) (canon lift (core func $i "slow")))
  (func (export "drop") (param "h" u32) (canon lift (core func $i "drop")))
  (func (export "flood") (canon lift (core func $i "flood")))
  (func (export "keep") (param "r" (borrow $r)) (canon lift (core func $i "keep")))
  (func (export "use") (param "r" (borrow $r)) (result u32) (canon lift (core func $i "use"))))`;

function hostResource(dropped: unknown[] = [], slow: Promise<number> = Promise.resolve(0)) {
  return {
    'h:h/h#make': (v: number) => ({ v }),
    'h:h/h#look': (r: { v: number }) => r.v,
    'h:h/h#take': (r: { v: number }) => r.v + 1000,
    'h:h/h#slow': waiting(() => slow),
    'h:h/h#[resource-drop]r': (r: unknown) => dropped.push(r),
  };
}

describe('resources of the host', () => {
  it('reach the host as its own objects', async () => {
    const dropped: unknown[] = [];
    const slot = await slotOf(HOST_RESOURCE, hostResource(dropped));
    const handle = await slot.call(null, 'make', [7]);
    expect(await slot.call(null, 'look', [handle])).toBe(7);
    await slot.call(null, 'drop', [handle]);
    expect(dropped).toEqual([{ v: 7 }]);
  });

  it('are gone once they are given away', async () => {
    const dropped: unknown[] = [];
    const slot = await slotOf(HOST_RESOURCE, hostResource(dropped));
    const handle = await slot.call(null, 'make', [7]);
    expect(await slot.call(null, 'take', [handle])).toBe(1007);
    await expect(slot.call(null, 'look', [handle])).rejects.toThrow('there is no handle');
    expect(dropped).toEqual([]);
  });

  it.each([['after their drop', 'drop'], ['after they were given away', 'take']])('cannot be used %s', async (_, end) => {
    const slot = await slotOf(HOST_RESOURCE, hostResource());
    const handle = await slot.call(null, 'make', [7]);
    await slot.call(null, end, [handle]);
    await expect(slot.call(null, 'drop', [handle])).rejects.toThrow('there is no handle');
  });

  it.each([0, 99, 0xffffffff])('are not found behind the handle %i', async (handle) => {
    const slot = await slotOf(HOST_RESOURCE, hostResource());
    await expect(slot.call(null, 'look', [handle])).rejects.toThrow('there is no handle');
  });

  it('can be lent to a guest that drops what it was lent', async () => {
    const slot = await slotOf(HOST_RESOURCE, hostResource());
    expect(await slot.call(null, 'use', [{ v: 5 }])).toBe(5);
  });

  it('must not be kept by a guest that they were lent to', async () => {
    const slot = await slotOf(HOST_RESOURCE, hostResource());
    await expect(slot.call(null, 'keep', [{ v: 5 }])).rejects.toThrow('borrowed handles are still held');
  });

  it('are bounded in number', async () => {
    const slot = await slotOf(HOST_RESOURCE, hostResource(), { maxHandles: 50 });
    await expect(slot.call(null, 'flood', [])).rejects.toMatchObject({ limit: 'handles' });
  });

  it('are dropped for the guest when it is reset or killed', async () => {
    const dropped: unknown[] = [];
    const slot = await slotOf(HOST_RESOURCE, hostResource(dropped));
    await slot.call(null, 'make', [1]);
    await slot.call(null, 'make', [2]);
    slot.reset();
    expect(dropped).toEqual([{ v: 1 }, { v: 2 }]);
    slot.instantiate(1_000_000_000n);
    await slot.call(null, 'make', [3]);
    slot.kill(new Error('gone'));
    slot.reset();
    expect(dropped).toHaveLength(3);
  });

  it('stay with a call that waits until it ends', async () => {
    let go: (v: number) => void = () => undefined;
    const slot = await slotOf(HOST_RESOURCE, hostResource([], new Promise((resolve) => (go = resolve))));
    const handle = await slot.call(null, 'make', [7]);
    const slow = slot.call(null, 'slow', [handle]);
    await settled();
    go(4);
    expect(await slow).toBe(4);
    await slot.call(null, 'drop', [handle]);
  });
});

/** Defines a resource; its representation is a number, its destructor writes it down. */
const GUEST_RESOURCE = `(component
  (component $inner
    (core module $d (memory (export "mem") 1)
      (func (export "dtor") (param i32) (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (local.get 0))))
      (func (export "sum") (result i32) (i32.load (i32.const 0))))
    (core instance $di (instantiate $d))
    (type $r (resource (rep i32) (dtor (core func $di "dtor"))))
    (export $rx "r" (type $r))
    (core func $new (canon resource.new $r))
    (core func $rep (canon resource.rep $r))
    (core func $drop (canon resource.drop $r))
    (core module $m
      (import "r" "new" (func $new (param i32) (result i32)))
      (import "r" "rep" (func $rep (param i32) (result i32)))
      (import "r" "drop" (func $drop (param i32)))
      (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
      (func (export "look") (param i32) (result i32) (local.get 0))
      (func (export "eat") (param i32) (result i32) (local $v i32) (local.set $v (call $rep (local.get 0))) (call $drop (local.get 0)) (local.get $v)))
    (core instance $i (instantiate $m (with "r" (instance (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))))
    (func (export "make") (param "v" u32) (result (own $rx)) (canon lift (core func $i "make")))
    (func (export "look") (param "r" (borrow $rx)) (result u32) (canon lift (core func $i "look")))
    (func (export "eat") (param "r" (own $rx)) (result u32) (canon lift (core func $i "eat")))
    (func (export "sum") (result u32) (canon lift (core func $di "sum"))))
  (instance $in (instantiate $inner))
  (component $outer
    (import "in" (instance $in
      (export "r" (type $r (sub resource)))
      (export "make" (func (param "v" u32) (result (own $r))))
      (export "look" (func (param "r" (borrow $r)) (result u32)))))
    (alias export $in "r" (type $r))
    (core func $make (canon lower (func $in "make")))
    (core func $look (canon lower (func $in "look")))
    (core func $drop (canon resource.drop $r))
    (core module $m
      (import "in" "make" (func $make (param i32) (result i32)))
      (import "in" "look" (func $look (param i32) (result i32)))
      (import "in" "drop" (func $drop (param i32)))
      (func (export "via") (param i32) (result i32) (local $h i32) (local $v i32)
        (local.set $h (call $make (local.get 0)))
        (local.set $v (call $look (local.get $h)))
        (call $drop (local.get $h))
        (local.get $v)))
    (core instance $i (instantiate $m (with "in" (instance (export "make" (func $make)) (export "look" (func $look)) (export "drop" (func $drop))))))
    (func (export "via") (param "v" u32) (result u32) (canon lift (core func $i "via"))))
  (instance $out (instantiate $outer (with "in" (instance $in))))
  (export "i:i/in" (instance $in))
  (func (export "via") (alias export $out "via")))`.replace('(func (export "via") (alias export $out "via"))', '(alias export $out "via" (func $via)) (export "via" (func $via))');

describe('resources of a guest', () => {
  it('go out and come back as what the guest made', async () => {
    const slot = await slotOf(GUEST_RESOURCE);
    const made = await slot.call('i:i/in', 'make', [11]);
    expect(await slot.call('i:i/in', 'look', [made])).toBe(11);
    expect(await slot.call('i:i/in', 'eat', [made])).toBe(11);
    expect(await slot.call('i:i/in', 'sum', [])).toBe(11);
    await expect(slot.call('i:i/in', 'look', [made])).rejects.toThrow('given away before');
  });

  it('are lent and dropped between components, with their destructor', async () => {
    const slot = await slotOf(GUEST_RESOURCE);
    expect(await slot.call(null, 'via', [6])).toBe(6);
    expect(await slot.call('i:i/in', 'sum', [])).toBe(6);
  });

  it('do not survive a reset', async () => {
    const slot = await slotOf(GUEST_RESOURCE);
    const made = await slot.call('i:i/in', 'make', [11]);
    slot.reset();
    slot.instantiate(1_000_000_000n);
    await expect(slot.call('i:i/in', 'look', [made])).rejects.toThrow('gone');
  });

  it('cannot be replaced by numbers or other objects', async () => {
    const slot = await slotOf(GUEST_RESOURCE);
    await expect(slot.call('i:i/in', 'look', [3])).rejects.toThrow('expected a resource');
  });
});

/** Hands what it is told to a host function as if it were a value. */
function forger(type: string, flat: string): string {
  const count = flat.split(' ').length;
  const params = Array.from({ length: count }, (_, i) => `(param "p${i}" u32)`).join(' ');
  return `(component
    (import "take" (func $take (param "v" ${type})))
    (core module $mem ${MEMORY_WAT} (data (i32.const 100) "\\ff\\fe\\00\\d8\\41\\00")
      (data (i32.const 208) "${'\\00\\00\\00\\00\\00\\00\\01\\00'.repeat(64)}"))
    (core instance $mi (instantiate $mem))
    (core func $take (canon lower (func $take) (memory (core memory $mi "memory")) (realloc (core func $mi "realloc"))))
    (core module $m (import "h" "take" (func $take (param ${flat})))
      (func (export "forge") (param ${flat}) (call $take ${flat.split(' ').map((_, i) => `(local.get ${i})`).join(' ')})))
    (core instance $i (instantiate $m (with "h" (instance (export "take" (func $take))))))
    (func (export "forge") ${params} (canon lift (core func $i "forge"))))`;
}

describe('broken values', () => {
  const WASM_BYTES = 2 * 65536;
  it.each([
    ['a string outside the memory', 'string', 'i32 i32', [WASM_BYTES - 1, 2], 'outside the memory'],
    ['an empty string outside the memory', 'string', 'i32 i32', [WASM_BYTES + 1, 0], 'outside the memory'],
    ['a string too long for anything', 'string', 'i32 i32', [0, 0xffffffff], 'too long'],
    ['a string that is no UTF-8', 'string', 'i32 i32', [100, 2], 'not valid UTF-8'],
    ['an unaligned list', '(list u32)', 'i32 i32', [2, 1], 'not aligned'],
    ['an unaligned empty list', '(list u32)', 'i32 i32', [2, 0], 'not aligned'],
    ['a list outside the memory', '(list u64)', 'i32 i32', [WASM_BYTES - 8, 2], 'outside the memory'],
    ['a list of more than can be', '(list u64)', 'i32 i32', [0, 0x20000001], 'too long'],
    ['a surrogate as a char', 'char', 'i32', [0xd800], 'not a character'],
    ['a char beyond Unicode', 'char', 'i32', [0x110000], 'not a character'],
    ['a case that is none', '(option u32)', 'i32 i32', [2, 0], 'not the number of a case'],
    ['a huge case', '(result u32)', 'i32 i32', [0xffffffff, 0], 'not the number of a case'],
  ])('trap: %s', async (_, type, flat, args, message) => {
    const slot = await slotOf(forger(type, flat), { '#take': () => undefined });
    await expect(slot.call(null, 'forge', args)).rejects.toMatchObject({ name: 'Trap', message: expect.stringContaining(message) });
    expect(slot.poisoned).toBe(true);
  });

  it('trap: overlapping lists that make the host copy without end', async () => {
    // 64 lists, each of the same 64 KiB
    const slot = await slotOf(forger('(list (list u8))', 'i32 i32'), { '#take': () => undefined }, { maxAllocationBytes: 1 << 20 });
    await expect(slot.call(null, 'forge', [208, 8])).resolves.toBeUndefined();
    await expect(slot.call(null, 'forge', [208, 64])).rejects.toMatchObject({ limit: 'allocation' });
  });

  it.each([
    ['unaligned', '(i32.const 4098)'],
    ['outside the memory', '(i32.const 0x7ffffff0)'],
  ])('trap: a realloc whose answer is %s', async (message, answer) => {
    const slot = await slotOf(`(component
      (core module $m (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) ${answer})
        (func (export "eat") (param i32 i32)))
      (core instance $i (instantiate $m))
      (func (export "eat") (param "v" (list u32)) (canon lift (core func $i "eat") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))`);
    await expect(slot.call(null, 'eat', [Uint32Array.of(1, 2)])).rejects.toThrow(message.replace('un', 'not '));
  });

  it('trap: a call out of realloc', async () => {
    const slot = await slotOf(`(component
      (import "out" (func $out))
      (core func $out (canon lower (func $out)))
      (core module $m (import "h" "out" (func $out)) (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (call $out) (i32.const 0))
        (func (export "eat") (param i32 i32)))
      (core instance $i (instantiate $m (with "h" (instance (export "out" (func $out))))))
      (func (export "eat") (param "v" string) (canon lift (core func $i "eat") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))`, { '#out': () => undefined });
    await expect(slot.call(null, 'eat', ['x'])).rejects.toThrow('cannot call out now');
  });

  it('trap: going on after a host function threw, even for a guest that catches it', async () => {
    const slot = await slotOf(`(component
      (import "out" (func $out))
      (core func $out (canon lower (func $out)))
      (core module $m (import "h" "out" (func $out))
        (func (export "run") (block $b (try_table (catch_all $b) (call $out))) (call $out)))
      (core instance $i (instantiate $m (with "h" (instance (export "out" (func $out))))))
      (func (export "run") (canon lift (core func $i "run"))))`, {
      '#out': () => {
        throw new Error('host broke');
      },
    });
    await expect(slot.call(null, 'run', [])).rejects.toThrow('host broke');
    expect(slot.poisoned).toBe(true);
  });
});
