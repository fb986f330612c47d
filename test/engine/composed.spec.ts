import { describe, expect, it } from '@jest/globals';
import { parse } from '@bytecodealliance/jco';
import { buildComponent } from '#engine/build/build-component.js';
import type { ComponentDependency } from '#engine/build/compose/composition.js';
import type { Slot } from '#engine/run/slot.js';
import { BUDGET_NS, type Host, programOf } from './engine-harness.js';

async function dependency(name: string, wat: string, more: Partial<ComponentDependency> = {}): Promise<ComponentDependency> {
  return { name, bytes: await parse(wat), denied: [], dependencies: [], ...more };
}

async function slotOf(root: string, dependencies: ComponentDependency[], host: Host = {}): Promise<Slot<unknown>> {
  const slot = (await programOf(await parse(root), host, { dependencies })).newSlot({});
  slot.instantiate(BUDGET_NS);
  return slot;
}

const MEMORY = `(core module $memory
    (memory (export "memory") 1) (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $next (i32.add (global.get $next) (i32.const 64))) (i32.sub (global.get $next) (i32.const 64))))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem)) (alias core export $memory "realloc" (core func $realloc))`;

/** An interface of the host with a resource, in any version. */
const streams = (version: string) => `(import "h:io/streams@${version}" (instance $streams
    (export "stream" (type $stream (sub resource)))
    (export "[method]stream.read" (func (param "self" (borrow $stream)) (result u32)))
    (export "open" (func (result (own $stream))))))
  (alias export $streams "stream" (type $stream))`;

/** Reads twice from the stream that it is given, and lets it go. */
const READER = `(component ${streams('0.2.9')}
  (core func $read' (canon lower (func $streams "[method]stream.read")))
  (core func $drop' (canon resource.drop $stream))
  (core module $m
    (import "" "read" (func $read (param i32) (result i32))) (import "" "drop" (func $drop (param i32)))
    (func (export "sum") (param i32) (result i32) (i32.add (call $read (local.get 0)) (call $read (local.get 0))) (call $drop (local.get 0))))
  (core instance $i (instantiate $m (with "" (instance (export "read" (func $read')) (export "drop" (func $drop'))))))
  (func $sum (param "of" (own $stream)) (result u32) (canon lift (core func $i "sum")))
  (component $out (import "stream" (type $t (sub resource))) (import "sum" (func $sum (param "of" (own $t)) (result u32)))
    (export $s "stream" (type $t)) (export "sum" (func $sum) (func (param "of" (own $s)) (result u32))))
  (instance $out (instantiate $out (with "stream" (type $stream)) (with "sum" (func $sum))))
  (export "a:b/reader" (instance $out)))`;

/** Opens a stream of the host and hands it to the reader. */
const OPENER = `(component ${streams('0.2.0')}
  (import "a:b/reader" (instance $reader (export "stream" (type $s (eq $stream)))
    (export "sum" (func (param "of" (own $s)) (result u32)))))
  (core func $open' (canon lower (func $streams "open")))
  (core func $sum' (canon lower (func $reader "sum")))
  (core module $m (import "" "open" (func $open (result i32))) (import "" "sum" (func $sum (param i32) (result i32)))
    (func (export "go") (result i32) (call $sum (call $open))))
  (core instance $i (instantiate $m (with "" (instance (export "open" (func $open')) (export "sum" (func $sum'))))))
  (func (export "go") (result u32) (canon lift (core func $i "go"))))`;

describe('composed components', () => {
  it('hand a resource of the host to each other, whichever compatible versions they import', async () => {
    const dropped: unknown[] = [];
    const slot = await slotOf(OPENER, [await dependency('a:b', READER)], {
      'h:io/streams@0.2.0#open': () => ({ next: 20 }),
      'h:io/streams@0.2.9#[method]stream.read': (stream: { next: number }) => stream.next++,
      'h:io/streams@0.2.9#[resource-drop]stream': (stream: unknown) => dropped.push(stream),
      'h:io/streams@0.2.0#[resource-drop]stream': (stream: unknown) => dropped.push(stream),
    });
    await expect(slot.call(null, 'go', [])).resolves.toBe(41);
    expect(dropped).toEqual([{ next: 22 }]);
  });

  it('are not put together over a resource of an interface that one of them is denied', async () => {
    const dependencies = [await dependency('a:b', READER, { denied: ['h:io/streams'] })];
    await expect(buildComponent(await parse(OPENER), { memoryCapBytes: 2 ** 20, dependencies })).rejects.toMatchObject({ kind: 'mismatch', message: expect.stringContaining('"a:b/reader#stream": the type given is not the type asked for') });
  });

  it('copy strings from memory to memory, and each asks the host in its own name', async () => {
    const ask = `(import "h:env/env@1.0.0" (instance $env (export "get" (func (result string)))))`;
    const get = `(core func $get' (canon lower (func $env "get") (memory $mem) (realloc $realloc)))`;
    const teller = `(component ${ask} ${MEMORY} ${get}
      (core module $m (import "" "get" (func $get (param i32))) (func (export "tell") (result i32) (call $get (i32.const 8)) i32.const 8))
      (core instance $i (instantiate $m (with "" (instance (export "get" (func $get'))))))
      (func $tell (result string) (canon lift (core func $i "tell") (memory $mem)))
      (instance $out (export "tell" (func $tell))) (export "a:b/teller" (instance $out)))`;
    const root = `(component ${ask} (import "a:b/teller" (instance $teller (export "tell" (func (result string))))) ${MEMORY} ${get}
      (core func $tell' (canon lower (func $teller "tell") (memory $mem) (realloc $realloc)))
      (core module $m (import "" "get" (func $get (param i32))) (import "" "tell" (func $tell (param i32)))
        (func (export "own") (result i32) (call $get (i32.const 8)) i32.const 8) (func (export "theirs") (result i32) (call $tell (i32.const 16)) i32.const 16))
      (core instance $i (instantiate $m (with "" (instance (export "get" (func $get')) (export "tell" (func $tell'))))))
      (func (export "own") (result string) (canon lift (core func $i "own") (memory $mem)))
      (func (export "theirs") (result string) (canon lift (core func $i "theirs") (memory $mem))))`;
    const host = { 'h:env/env@1.0.0#get': () => 'the secret', 'denied h:env/env@1.0.0#get': () => 'nothing' };
    const denied = await slotOf(root, [await dependency('a:b', teller, { denied: ['h:env/env'] })], host);
    await expect(denied.call(null, 'own', [])).resolves.toBe('the secret');
    await expect(denied.call(null, 'theirs', [])).resolves.toBe('nothing');
    const inherited = await slotOf(root, [await dependency('a:b', teller)], host);
    await expect(inherited.call(null, 'theirs', [])).resolves.toBe('the secret');
  });

  it('share a resource type that the dependency defines, whose destructor runs in the dependency', async () => {
    const thing = `(component
      (core module $m (global $alive (mut i32) (i32.const 0))
        (func (export "alive") (result i32) global.get $alive)
        (func (export "dtor") (param i32) (global.set $alive (i32.sub (global.get $alive) (i32.const 1))))
        (func (export "born") (global.set $alive (i32.add (global.get $alive) (i32.const 1)))))
      (core instance $i (instantiate $m))
      (type $thing' (resource (rep i32) (dtor (core func $i "dtor"))))
      (core func $new (canon resource.new $thing'))
      (core module $n (import "" "new" (func $new (param i32) (result i32))) (import "" "born" (func $born))
        (func (export "make") (result i32) (call $born) (call $new (i32.const 7))))
      (core instance $n (instantiate $n (with "" (instance (export "new" (func $new)) (export "born" (func $i "born"))))))
      (func $make (result (own $thing')) (canon lift (core func $n "make")))
      (func $alive (result u32) (canon lift (core func $i "alive")))
      (component $out (import "thing" (type $t (sub resource))) (import "make" (func $make (result (own $t)))) (import "alive" (func $alive (result u32)))
        (export $s "thing" (type $t)) (export "make" (func $make) (func (result (own $s)))) (export "alive" (func $alive)))
      (instance $out (instantiate $out (with "thing" (type $thing')) (with "make" (func $make)) (with "alive" (func $alive))))
      (export "a:b/things" (instance $out)))`;
    const root = `(component
      (import "a:b/things" (instance $things (export "thing" (type $thing (sub resource)))
        (export "make" (func (result (own $thing)))) (export "alive" (func (result u32)))))
      (alias export $things "thing" (type $thing))
      (core func $make (canon lower (func $things "make"))) (core func $alive (canon lower (func $things "alive"))) (core func $drop (canon resource.drop $thing))
      (core module $m (import "" "make" (func $make (result i32))) (import "" "alive" (func $alive (result i32))) (import "" "drop" (func $drop (param i32)))
        (func (export "go") (result i32) (local i32)
          (drop (call $make)) (local.set 0 (call $make)) (call $drop (local.get 0))
          (i32.add (i32.mul (local.get 0) (i32.const 10)) (call $alive)))
        (func (export "again") (param i32) (call $drop (local.get 0))))
      (core instance $i (instantiate $m (with "" (instance (export "make" (func $make)) (export "alive" (func $alive)) (export "drop" (func $drop))))))
      (func (export "go") (result u32) (canon lift (core func $i "go")))
      (func (export "again") (param "handle" u32) (canon lift (core func $i "again"))))`;
    const slot = await slotOf(root, [await dependency('a:b', thing)]);
    await expect(slot.call(null, 'go', [])).resolves.toBe(21);
    await expect(slot.call(null, 'again', [2])).rejects.toThrow();
  });
});
