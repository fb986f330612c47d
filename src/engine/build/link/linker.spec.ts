import { describe, expect, it } from '@jest/globals';
import { parse } from '@bytecodealliance/jco';
import { LinkError } from '#engine/build/build-error.js';
import { decodeComponent } from '#engine/build/decode/component.js';
import { linkComponent, type LinkedComponent } from './linker.js';

async function link(wat: string): Promise<LinkedComponent> {
  return linkComponent(decodeComponent(await parse(wat)));
}

async function failure(wat: string): Promise<LinkError> {
  const ast = decodeComponent(await parse(wat));
  try {
    linkComponent(ast);
  } catch (error) {
    if (error instanceof LinkError) return error;
    throw error;
  }
  throw new Error('was linked');
}

const ADDER = `
  (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func $add (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))`;

const LIBC = `
  (core module $libc
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8)))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))`;

describe(linkComponent.name, () => {
  it('lifts a core function and exports it', async () => {
    const { plan, exports } = await link(`(component ${ADDER} (export "add" (func $add)))`);
    expect(exports).toEqual(['add']);
    expect(plan.exports).toEqual({ add: { k: 'func', lift: 0 } });
    expect(plan.steps).toEqual([{ module: 0, instance: 0, args: [] }]);
    expect(plan.lifts).toMatchObject([{ core: { k: 'export', step: 0, name: 'add' }, type: 0, instance: 0 }]);
    expect(plan.funcTypes).toEqual([{ async: false, params: [['a', 0], ['b', 0]], result: 0 }]);
    expect(plan.types).toEqual([{ t: 'u32' }]);
  });

  it('gives equal types one index, wherever they are written', async () => {
    const { plan } = await link(`(component
      (type $a (record (field "x" (list u8)))) (type $b (record (field "x" (list u8)))) (type $c (record (field "y" (list u8))))
      (component (type (record (field "x" (list u8))))) )`);
    expect(plan.types).toEqual([{ t: 'u8' }, { t: 'list', of: 0 }, { t: 'record', fields: [['x', 1]] }, { t: 'record', fields: [['y', 1]] }]);
  });

  it('flattens nested components, with an instance for each instantiation', async () => {
    const { plan, modules } = await link(`(component
      (component $inner ${ADDER} (export "add" (func $add)))
      (instance $one (instantiate $inner)) (instance $two (instantiate $inner))
      (export "one" (func $one "add")) (export "two" (func $two "add")))`);
    expect(plan.instances).toBe(3);
    expect(modules).toHaveLength(1);
    expect(plan.steps.map(({ module, instance }) => [module, instance])).toEqual([[0, 1], [0, 2]]);
    expect(plan.exports).toEqual({ one: { k: 'func', lift: 0 }, two: { k: 'func', lift: 1 } });
  });

  it('joins components: what one exports, the other calls as a lift', async () => {
    const { plan } = await link(`(component
      (component $callee ${ADDER} (export "add" (func $add)))
      (component $caller
        (import "add" (func $add (param "a" u32) (param "b" u32) (result u32)))
        (core func $lowered (canon lower (func $add)))
        (core module $m (import "x" "add" (func (param i32 i32) (result i32))) (func (export "go")))
        (core instance $i (instantiate $m (with "x" (instance (export "add" (func $lowered))))))
        (func (export "go") (canon lift (core func $i "go"))))
      (instance $a (instantiate $callee))
      (instance $b (instantiate $caller (with "add" (func $a "add"))))
      (export "go" (func $b "go")))`);
    expect(plan.trampolines).toMatchObject([{ op: 'lower', callee: { k: 'lift', lift: 0 }, instance: 2 }]);
    expect(plan.steps[1]!.args).toEqual([['x', { k: 'bag', exports: { add: { k: 'trampoline', id: 0 } } }]]);
  });

  it('follows outer aliases to types and modules', async () => {
    const { plan } = await link(`(component $root
      (core module $m (func (export "f") (param i32)))
      (type $t (func (param "c" char)))
      (component $inner
        (alias outer $root $m (core module $m2)) (alias outer $root $t (type $t2))
        (core instance $i (instantiate $m2))
        (func (export "f") (type $t2) (canon lift (core func $i "f"))))
      (instance $i (instantiate $inner)) (export "f" (func $i "f")))`);
    expect(plan.funcTypes[plan.lifts[0]!.type]).toMatchObject({ params: [['c', 0]] });
    expect(plan.types[0]).toEqual({ t: 'char' });
  });

  it('makes functions and resources of the host of what the root imports', async () => {
    const { plan, imports } = await link(`(component
      (import "a:b/c@1.0.0" (instance $c
        (export "thing" (type $thing (sub resource)))
        (export "[method]thing.use" (func (param "self" (borrow $thing)) (result u8)))))
      (import "plain" (func $plain))
      (alias export $c "thing" (type $thing)) (alias export $c "[method]thing.use" (func $use))
      (core func (canon lower (func $use))) (core func (canon lower (func $plain))) (core func (canon resource.drop $thing)))`);
    expect(imports).toEqual(['a:b/c@1.0.0', 'plain']);
    expect(plan.resources).toEqual([{ name: 'thing', host: { iface: 'a:b/c@1.0.0', name: 'thing' }, instance: -1, dtor: null }]);
    expect(plan.trampolines).toMatchObject([
      { op: 'lower', callee: { k: 'host', iface: 'a:b/c@1.0.0', name: '[method]thing.use' } },
      { op: 'lower', callee: { k: 'host', iface: '', name: 'plain' } },
      { op: 'resource.drop', resource: 0, instance: 0 },
    ]);
  });

  it('keeps a resource one identity across instances, and its destructor', async () => {
    const { plan } = await link(`(component
      (component $maker
        (core module $m (func (export "dtor") (param i32)) (func (export "make") (result i32) (i32.const 1)))
        (core instance $i (instantiate $m))
        (type $r (resource (rep i32) (dtor (core func $i "dtor"))))
        (export $r2 "r" (type $r))
        (core func (canon resource.new $r)) (core func (canon resource.rep $r))
        (func (export "make") (result (own $r2)) (canon lift (core func $i "make"))))
      (component $user
        (import "i" (instance $i (export "r" (type $r (sub resource))) (export "make" (func (result (own $r))))))
        (alias export $i "r" (type $r)) (core func (canon resource.drop $r)))
      (instance $a (instantiate $maker))
      (instance $b (instantiate $user (with "i" (instance $a)))))`);
    expect(plan.resources).toEqual([{ name: '', host: null, instance: 1, dtor: { k: 'export', step: 0, name: 'dtor' } }]);
    expect(plan.trampolines).toEqual([
      { op: 'resource.new', resource: 0, instance: 1 },
      { op: 'resource.rep', resource: 0, instance: 1 },
      { op: 'resource.drop', resource: 0, instance: 2 },
    ]);
  });

  it('links asynchronous lifts, lowers and built-ins', async () => {
    const { plan } = await link(`(component
      (import "wait" (func $wait async (param "s" string) (result u64)))
      ${LIBC}
      (type $s (stream u8)) (type $f (future string))
      (core func (canon lower (func $wait) async (memory $memory)))
      (core func (canon task.return (result string) (memory $memory)))
      (core func (canon stream.read $s async (memory $memory))) (core func (canon future.read $f (memory $memory) (realloc $realloc)))
      (core func (canon stream.cancel-read $s async)) (core func (canon waitable-set.poll (memory $memory)))
      (core func (canon context.get i32 1)) (core func (canon thread.yield))
      (core module $m (func (export "run") (result i32) (i32.const 0)) (func (export "cb") (param i32 i32 i32) (result i32) (i32.const 0)))
      (core instance $i (instantiate $m))
      (func (export "run") async (result string) (canon lift (core func $i "run") async (memory $memory) (callback (core func $i "cb")))))`);
    const memory = { k: 'export', step: 0, name: 'memory' };
    expect(plan.trampolines).toMatchObject([
      { op: 'lower', options: { async: true, memory, realloc: null } },
      { op: 'task.return', options: { memory } },
      { op: 'stream.read', async: true, options: { async: true, memory } },
      { op: 'future.read', async: false, options: { realloc: { k: 'export', step: 0, name: 'realloc' } } },
      { op: 'stream.cancel-read', async: true },
      { op: 'waitable-set.poll', cancellable: false, options: { memory } },
      { op: 'context.get', slot: 1 },
      { op: 'thread.yield', cancellable: false },
    ]);
    expect(plan.lifts).toMatchObject([{ options: { async: true, callback: { k: 'export', step: 1, name: 'cb' } } }]);
  });

  it('checks the core type of what is lifted, of its options and of what is lowered', async () => {
    const lift = (core: string, type: string, options = '') => `(component ${LIBC}
      (core module $m (func (export "f") ${core} unreachable)) (core instance $i (instantiate $m))
      (func (export "f") ${type} (canon lift (core func $i "f") ${options})))`;
    expect((await failure(lift('(param i32)', '(param "a" u64)'))).message).toBe('the lifted core function has the type i32>, not i64>');
    expect((await failure(lift('(result i32)', '(result string)'))).message).toBe('lift: memory is missing');
    expect((await failure(lift('(param i32 i32)', '(param "a" string)', '(memory $memory)'))).message).toBe('lift: realloc is missing');
    expect((await failure(lift('(param i32 i32)', '(param "a" string)', '(realloc $realloc)'))).message).toBe('lift: realloc without memory');
    expect((await failure(lift('', '', '(post-return $realloc)'))).message).toContain('post-return has the type');
    const flat17 = Array.from({ length: 17 }, (_, i) => `(param "p${i}" u8)`).join(' ');
    await link(lift('(param i32)', flat17, '(memory $memory) (realloc $realloc)'));
    await link(lift('(result i32)', '(result (tuple u8 f64))', '(memory $memory)'));
    await link(lift('(param i32 i64)', '(param "v" (result f32 (error u64)))'));
    await link(lift('(param i32 i32)', '(param "v" (result f32 (error s8)))'));
  });

  it('checks what the host gives a core module, which V8 would take with any type', async () => {
    const wat = (type: string) => `(component (import "f" (func $f (param "a" u32))) (core func $l (canon lower (func $f)))
      (core module $m (import "x" "f" (func ${type}))) (core instance (instantiate $m (with "x" (instance (export "f" (func $l)))))))`;
    await link(wat('(param i32)'));
    expect((await failure(wat('(param i64)'))).message).toBe('core import "x" "f": a function i64> is asked for, i32> given');
  });

  it.each([
    ['a missing argument', '(component $c (import "x" (func))) (instance (instantiate $c))', 'the argument "x" is missing'],
    ['an argument of another sort', '(component $c (import "x" (func))) (instance $i) (instance (instantiate $c (with "x" (instance $i))))', '"x": a func is asked for, a instance given'],
    [
      'an argument of another type',
      '(import "f" (func $f (param "a" u8))) (component $c (import "x" (func (param "a" u16)))) (instance (instantiate $c (with "x" (func $f))))',
      '"x": the function given has another type than asked for',
    ],
    [
      'an instance that lacks an export',
      '(component $c (import "x" (instance (export "f" (func))))) (instance $i) (instance (instantiate $c (with "x" (instance $i))))',
      '"x": the instance given lacks "f"',
    ],
    [
      'another resource than the one promised',
      `(import "r" (type $r (sub resource))) (import "s" (type $s (sub resource)))
       (component $c (import "a" (type $a (sub resource))) (import "b" (type (eq $a))))
       (instance (instantiate $c (with "a" (type $r)) (with "b" (type $s))))`,
      '"b": the type given is not the type asked for',
    ],
    ['a core argument that is missing', '(core module $m (import "x" "f" (func))) (core instance (instantiate $m))', 'core import "x" "f": the argument is missing'],
    [
      'a core export that is missing',
      '(core module $e) (core instance $e (instantiate $e)) (core module $m (import "x" "f" (func))) (core instance (instantiate $m (with "x" (instance $e))))',
      'core import "x" "f": the argument does not export it',
    ],
    [
      'a core export of another kind',
      '(core module $e (memory (export "f") 1)) (core instance $e (instantiate $e)) (core module $m (import "x" "f" (func))) (core instance (instantiate $m (with "x" (instance $e))))',
      'core import "x" "f": a func is asked for, a memory given',
    ],
    ['resource.rep of a host resource', '(import "r" (type $r (sub resource))) (core func (canon resource.rep $r))', 'resource.rep of a resource that another component defines'],
    ['a borrow that is returned', '(import "r" (type $r (sub resource))) (import "f" (func (result (borrow $r))))', 'a function result holds a borrow'],
    ['a stream of borrows', '(import "r" (type $r (sub resource))) (type (stream (borrow $r)))', 'a stream of borrows'],
    ['async options on a synchronous type', '(import "f" (func $f)) (core func (canon lower (func $f) async))', 'lower: async is for functions of async type only'],
    ['a stream built-in of another type', '(type $t u8) (core func (canon stream.new $t))', 'stream.new: type 0 is not a stream'],
    ['field names that meet on the host side', '(type (record (field "a-1" u8) (field "a1" u8)))', 'record: the name "a1" stands twice'],
    ['a type of enormous size', '(type $a (list u8 1000000)) (type (list $a 1000000))', 'a list type is larger than 268435456 bytes'],
  ])('refuses %s', async (_, wat, message) => {
    expect((await failure(`(component ${wat})`)).message).toBe(message);
  });

  it.each([
    ['a core module as an argument', '(core module $m) (component $c (import "m" (core module))) (instance (instantiate $c (with "m" (core module $m))))', '"m": a core module'],
    ['a component as an argument', '(component $m) (component $c (import "m" (component))) (instance (instantiate $c (with "m" (component $m))))', '"m": a component'],
    ['a core module that the root imports', '(import "m" (core module))', 'the import "m" of a core module'],
    ['an instance inside an imported instance', '(import "i" (instance (export "j" (instance))))', 'the import "i/j" of a instance'],
    ['a host function that is handed on', '(import "f" (func $f)) (export "g" (func $f))', 'the export "g" hands on a function of the host'],
    ['the name __proto__', '(core module $m (func (export "f"))) (core instance $i (instantiate $m)) (core instance (export "__proto__" (func $i "f")))', 'the name "__proto__"'],
  ])('does not cover %s, and says so', async (_, wat, message) => {
    expect(await failure(`(component ${wat})`)).toMatchObject({ kind: 'unsupported', message: expect.stringContaining(message) });
  });

  it('shows a component no more of an instance than it asked for', async () => {
    const wat = (alias: string) => `(component
      (component $has ${ADDER} (export "add" (func $add)) (export "more" (func $add)))
      (component $wants (import "i" (instance $i (export "add" (func (param "a" u32) (param "b" u32) (result u32))))) ${alias})
      (instance $h (instantiate $has)) (instance (instantiate $wants (with "i" (instance $h)))))`;
    await link(wat('(alias export $i "add" (func))'));
    const bytes = await parse(wat('(alias export $i "add" (func))'));
    const name = Buffer.from(bytes).lastIndexOf('add');
    const forged = bytes.slice();
    forged.set(Buffer.from('mor'), name);
    expect(() => linkComponent(decodeComponent(forged))).toThrow(LinkError);
  });

  it('never resolves the names that the rewriter will add', async () => {
    const { message } = await failure(`(component
      (core module $a (func (export "f"))) (core instance $a (instantiate $a))
      (core module $b (import "a" "whorl:deadline" (global (mut i64)))) (core instance (instantiate $b (with "a" (instance $a)))))`);
    expect(message).toBe('core import "a" "whorl:deadline": the argument does not export it');
    const alias = await failure(`(component (core module $a (func (export "f"))) (core instance $a (instantiate $a))
      (alias core export $a "whorl:start" (core func)))`);
    expect(alias.message).toContain('which the core instance does not export');
  });

  it('ends quickly when nested components double at every level', async () => {
    let inner = '(component $c0)';
    for (let level = 1; level < 20; level++) inner = `(component $c${level} ${inner} (instance (instantiate $c${level - 1})) (instance (instantiate $c${level - 1})))`;
    const started = performance.now();
    expect((await failure(`(component ${inner} (instance (instantiate $c19)))`)).kind).toBe('limit');
    expect(performance.now() - started).toBeLessThan(30_000);
  });

  it('refuses components that instantiate each other in a long chain', async () => {
    const chain = Array.from({ length: 400 }, (_, i) => `(component $c${i + 1} (alias outer $root $c${i} (component $d)) (instance (instantiate $d)))`);
    expect((await failure(`(component $root (component $c0) ${chain.join('\n')} (instance (instantiate $c400)))`)).message).toContain('nested deeper than 100');
  });

  it('ends quickly when a large instance is made again and again', async () => {
    const exports = Array.from({ length: 3_000 }, (_, i) => `(func (export "f${i}"))`);
    const started = performance.now();
    expect((await failure(`(component (core module $m ${exports.join('')}) ${'(core instance (instantiate $m))'.repeat(500)})`)).kind).toBe('limit');
    expect(performance.now() - started).toBeLessThan(30_000);
  });

  it('ends quickly on a label made to be ambiguous', async () => {
    const started = performance.now();
    const wat = await parse(`(component (type (flags "a${'-1'.repeat(60)}-a")))`);
    const forged = wat.slice();
    forged[forged.lastIndexOf(0x61)] = 0x21;
    expect(() => linkComponent(decodeComponent(forged))).toThrow('is not a label');
    expect(performance.now() - started).toBeLessThan(30_000);
  });

  it('ends quickly when exported instances double at every level', async () => {
    const levels = Array.from({ length: 60 }, (_, i) => `(instance $i${i + 1} (export "a" (instance $i${i})) (export "b" (instance $i${i})))`);
    const started = performance.now();
    expect((await failure(`(component (instance $i0) ${levels.join('\n')} (export "x" (instance $i60)))`)).kind).toBe('limit');
    expect(performance.now() - started).toBeLessThan(30_000);
  });
});
