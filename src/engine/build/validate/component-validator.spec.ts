import { describe, expect, it } from '@jest/globals';
import { parse } from '@bytecodealliance/jco';
import { BuildError } from '#engine/build/build-error.js';
import { decodeComponent } from '#engine/build/decode/component.js';
import { ModuleCache } from '#engine/build/link/module-cache.js';
import { ComponentValidator } from './component-validator.js';

async function validate(wat: string): Promise<void> {
  new ComponentValidator(new ModuleCache()).component(decodeComponent(await parse(`(component $root ${wat})`)), null);
}

async function refusal(wat: string): Promise<BuildError> {
  try {
    await validate(wat);
  } catch (error) {
    if (error instanceof BuildError) return error;
    throw error;
  }
  throw new Error('was taken');
}

type Case = [what: string, wat: string];
type Refused = [what: string, wat: string, message: string];

/** A core function of each shape that the lifts below need. */
const CORE = `(core module $core
    (memory (export "memory") 1)
    (func (export "make") (result i32) unreachable)
    (func (export "take") (param i32))
    (func (export "take2") (param i32 i32))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable))
  (core instance $core (instantiate $core))`;
const MAKE_THING = `${CORE} (type $thing (resource (rep i32))) (func $make (result (own $thing)) (canon lift (core func $core "make")))`;

function taken(cases: Case[]): void {
  it.each(cases)('takes %s', async (_, wat) => {
    await expect(validate(wat)).resolves.toBeUndefined();
  });
}

function refused(cases: Refused[]): void {
  it.each(cases)('refuses %s', async (_, wat, message) => {
    expect(await refusal(wat)).toMatchObject({ kind: 'invalid', message });
  });
}

describe('names of imports and exports', () => {
  taken([
    ['the same name as an import and as an export', '(import "log" (func $f)) (export "log" (func $f))'],
    ['one interface in two versions', '(import "a:b/c@1.0.0" (instance)) (import "a:b/c@1.1.0" (instance)) (import "a:b/c" (instance))'],
    ['attributes that fit', '(import "main" (implements "a:b/c") (instance)) (import "a:b/c@1" (versionsuffix ".2.3") (instance)) (import "x" (external-id "any thing") (func))'],
    ['a resource with all kinds of functions', `(import "i" (instance
      (export "file" (type $file (sub resource)))
      (export "[constructor]file" (func (param "path" string) (result (result (own $file) (error string)))))
      (export "[method]file.read" (func (param "self" (borrow $file)) (result u8)))
      (export "[static]file.count" (func (result u32)))))`],
    ['a method of a resource that is exported again under another name', `(import "file" (type $file (sub resource))) (import "f" (func $f (param "self" (borrow $file))))
      (export $doc "doc" (type $file)) (export "[method]doc.read" (func $f) (func (param "self" (borrow $doc))))`],
  ]);
  refused([
    ['an import that is no name', '(import "notAName" (func))', '"notAName" is not a name for an import or export'],
    ['names that differ in case only', '(import "log" (func)) (import "LOG" (func))', '"LOG" is imported and "log" too, which is too much alike'],
    ['an export that stands twice', '(import "f" (func $f)) (export "g" (func $f)) (export "g" (func $f))', '"g" is exported twice'],
    ['a bad name in an instance type', '(type (instance (export "No" (func))))', '"No" is not a name for an import or export'],
    ['a bad name in a component type', '(type (component (import "a_b" (func))))', '"a_b" is not a name for an import or export'],
    ['a bad name in a synthesized instance', '(import "f" (func $f)) (instance (export "1st" (func $f)))', '"1st" is not a name for an import or export'],
    ['a method and a resource of one name', `(import "file" (type $file (sub resource))) (import "[method]file.file" (func (param "self" (borrow $file))))`,
      '"[method]file.file" is imported and "file" too, which is too much alike'],
    ['a method of nothing', '(import "[method]file.read" (func))', '"[method]file.read": there is no resource "file" among the imports before it'],
    ['a method of what is no resource', '(import "file" (func)) (import "[static]file.read" (func))', '"[static]file.read": there is no resource "file" among the imports before it'],
    ['a method that is an instance', '(import "file" (type (sub resource))) (import "[method]file.read" (instance))', '"[method]file.read" is a instance, not a function'],
    ['a method without self', '(import "file" (type $file (sub resource))) (import "[method]file.read" (func (param "it" (borrow $file))))',
      '"[method]file.read" does not take (param "self" (borrow file)) first'],
    ['a method that owns itself', '(import "file" (type $file (sub resource))) (import "[method]file.read" (func (param "self" (own $file))))',
      '"[method]file.read" does not take (param "self" (borrow file)) first'],
    ['a method of another resource', '(import "file" (type (sub resource))) (import "dir" (type $dir (sub resource))) (import "[method]file.read" (func (param "self" (borrow $dir))))',
      '"[method]file.read" does not take (param "self" (borrow file)) first'],
    ['a constructor that makes nothing', '(import "file" (type (sub resource))) (import "[constructor]file" (func (result u32)))', '"[constructor]file" does not return (own file), alone or as a result'],
    ['a constructor that fails with a file', '(import "file" (type $file (sub resource))) (import "[constructor]file" (func (result (result u8 (error (own $file))))))',
      '"[constructor]file" does not return (own file), alone or as a result'],
    ['an exported method of a resource that is imported only', '(import "file" (type $file (sub resource))) (import "f" (func $f (param "self" (borrow $file)))) (export "[method]file.read" (func $f))',
      '"[method]file.read": there is no resource "file" among the exports before it'],
    ['a function that implements an interface', '(import "main" (implements "a:b/c") (func))', '"main": only instances with a plain name implement an interface'],
    ['an interface that implements another', '(import "a:b/c" (implements "a:b/d") (instance))', '"a:b/c": only instances with a plain name implement an interface'],
    ['an instance that implements no interface', '(import "main" (implements "other") (instance))', '"main": "other" is not the name of an interface'],
    ['an export named as a dependency', '(import "f" (func $f)) (export "url=<x>" (func $f))', '"url=<x>" is not a name for an export'],
  ]);
});

describe('external visibility of types', () => {
  taken([
    ['a function of a resource that was exported before', `${MAKE_THING} (export $shown "thing" (type $thing)) (export "make" (func $make) (func (result (own $shown))))`],
    ['types without names where none is needed', '(type $t (option (tuple (list u8) (result string (error u32))))) (export "t" (type $t)) (import "f" (func (param "a" $t)))'],
    ['a record of an imported record', `(type $a (record (field "x" u8))) (import "a" (type $a2 (eq $a))) (type $b (record (field "y" $a2))) (import "b" (type $b2 (eq $b)))
      (import "f" (func (result (list $b2))))`],
    ['a type that is named by the instance that is exported', `${CORE} (type $e (enum "on" "off")) (instance $types (export "e" (type $e))) (export $shown "types" (instance $types))
      (alias export $shown "e" (type $e2)) (func $f (param "e" $e2) (canon lift (core func $core "take"))) (export "f" (func $f))`],
    ['an instance type that could not be imported, while it is not', '(type (instance (type $e (enum "on")) (export "f" (func (param "e" $e)))))'],
    ['an instance of hidden types that stays inside', '(type $a (record (field "x" u8))) (type $b (record (field "a" $a))) (instance (export "b" (type $b)))'],
  ]);
  refused([
    ['a function of a resource without a name', `${MAKE_THING} (export "make" (func $make))`, '"make": the export of a func names a type that is not exported under a name'],
    ['a name that is given afterwards', `${MAKE_THING} (export "thing" (type $thing)) (export "make" (func $make))`, '"make": the export of a func names a type that is not exported under a name'],
    ['an imported function of an exported type', '(type $e (enum "on")) (export $shown "e" (type $e)) (import "f" (func (param "e" $shown)))',
      '"f": the import of a func names a type that is not imported under a name'],
    ...(['(record (field "x" u8))', '(variant (case "x"))', '(enum "x")', '(flags "x")'].map((type): Refused => [
      `a list of a ${type.slice(1, type.indexOf(' '))} without a name`, `(type $t ${type}) (type $l (list $t)) (export "l" (type $l))`,
      '"l": the export of a type names a type that is not exported under a name',
    ])),
    ['a function in an exported instance', `${MAKE_THING} (instance $i (export "make" (func $make))) (export "i" (instance $i))`,
      '"i": the export of a instance names a type that is not exported under a name'],
    ['a type of the component around', '(type $e (enum "on")) (import "e" (type $e2 (eq $e))) (component (import "f" (func (param "e" $e2))))',
      'component 0: "f": the import of a func names a type that is not imported under a name'],
    ['a component type with a hidden type', '(type (component (type $e (enum "on")) (export "f" (func (param "e" $e)))))', '"f": the export of a func names a type that is not exported under a name'],
    ['the import of an instance type with a hidden type', '(type $i (instance (type $e (enum "on")) (export "f" (func (param "e" $e))))) (import "i" (instance (type $i)))',
      '"i": the import of a instance names a type that is not imported under a name'],
    ['an import of a resource that the component makes', `(type $r (resource (rep i32))) (import "r" (type (eq $r)))`, '"r": the import names a resource that the component itself makes'],
  ]);
});

describe('resource types', () => {
  const SAME = '(component $same (import "a" (type $a (sub resource))) (import "b" (type (eq $a))))';
  taken([
    ['a resource for a type that equals it', `(import "r" (type $r (sub resource))) (import "s" (type $s (eq $r))) ${SAME} (instance (instantiate $same (with "a" (type $r)) (with "b" (type $s))))`],
    ['a resource that went through an instance', `(component $id (import "in" (type $r (sub resource))) (export "out" (type $r))) (type $r (resource (rep i32)))
      (instance $i (instantiate $id (with "in" (type $r)))) (core func (canon resource.new $r)) (alias export $i "out" (type $out)) (core func (canon resource.rep $out))
      ${SAME} (instance (instantiate $same (with "a" (type $r)) (with "b" (type $out))))`],
    ['a function given with the resource that it is about', `(import "i" (instance $i (export "r" (type $r (sub resource))) (export "f" (func (result (own $r))))))
      (component $c (import "t" (type $t (sub resource))) (import "g" (func (result (own $t))))) (instance (instantiate $c (with "t" (type $i "r")) (with "g" (func $i "f"))))`],
  ]);
  const MISMATCH = '"b": the type given is not the type asked for';
  refused([
    ['the resources of two instances of one component', `(component $c (type $r (resource (rep i32))) (export "r" (type $r))) (instance $i (instantiate $c)) (instance $j (instantiate $c))
      ${SAME} (instance (instantiate $same (with "a" (type $i "r")) (with "b" (type $j "r"))))`, MISMATCH],
    ['the resources of two imports of one type', `(type $t (instance (export "r" (type (sub resource))))) (import "i" (instance $i (type $t))) (import "j" (instance $j (type $t)))
      ${SAME} (instance (instantiate $same (with "a" (type $i "r")) (with "b" (type $j "r"))))`, MISMATCH],
    ['what an ascription has made another type', `(component $c (type $r (resource (rep i32))) (export "r" (type $r)) (export "s" (type $r) (type (sub resource)))) (instance $i (instantiate $c))
      ${SAME} (instance (instantiate $same (with "a" (type $i "r")) (with "b" (type $i "s"))))`, MISMATCH],
    ['the representation of what an ascription has made abstract', '(type $r (resource (rep i32))) (export $s "s" (type $r) (type (sub resource))) (core func (canon resource.rep $s))',
      'resource.rep of a resource that another component defines'],
    ['the representation of an imported resource', '(import "r" (type $r (sub resource))) (core func (canon resource.new $r))', 'resource.new of a resource that another component defines'],
    ['a function of another resource', `(import "r" (type $r (sub resource))) (import "s" (type $s (sub resource))) (import "f" (func $f (param "a" (borrow $s))))
      (component $c (import "t" (type $t (sub resource))) (import "g" (func (param "a" (borrow $t))))) (instance (instantiate $c (with "t" (type $r)) (with "g" (func $f))))`,
      '"g": the function given has another type than asked for'],
    ['a value type for a resource', '(type $t u8) (component $c (import "r" (type (sub resource)))) (instance (instantiate $c (with "r" (type $t))))', '"r": a resource is asked for, a value type given'],
    ['a resource in a component type', '(type (component (type (resource (rep i32)))))', 'a resource definition inside an instance or component type'],
    ['a handle of what is no resource', '(type $t u8) (type (own $t))', 'type 0 is a value type where a resource must stand'],
  ]);
});

describe('aliases', () => {
  taken([
    ['types of the component around', '(type $t (record (field "x" u8))) (component (alias outer $root $t (type $u)) (type (list $u)))'],
    ['a resource inside a type of the same component', '(type $r (resource (rep i32))) (type (instance (alias outer $root $r (type $s)) (export "f" (func (param "a" (own $s))))))'],
    ['a type that introduces its resources itself', '(type $i (instance (export "r" (type (sub resource))))) (component (alias outer $root $i (type $j)) (import "i" (instance (type $j))))'],
    ['modules and components of the component around', '(core module $m) (component $c) (component (alias outer $root $m (core module)) (alias outer $root $c (component)))'],
  ]);
  refused([
    ['a resource of the component around', '(type $r (resource (rep i32))) (component (alias outer $root $r (type)))', 'component 0: an outer alias of type 0, which names a resource of the component around'],
    ['a type that names such a resource', '(import "r" (type $r (sub resource))) (type $f (func (result (list (own $r))))) (component (type (instance (alias outer $root $f (type)))))',
      'component 0: an outer alias of type 3, which names a resource of the component around'],
    ['a component inside a type', '(component $c) (type (component (alias outer $root $c (component))))', 'an outer alias of a component inside an instance or component type'],
    ['a function inside a type', '(type (component (import "i" (instance $i (export "f" (func)))) (alias export $i "f" (func))))', 'an alias of a func inside an instance or component type'],
    ['what is beyond the root', '(component (alias outer 2 0 (type)))', 'component 0: an outer alias reaches beyond the root'],
    ['what is not there yet', '(component (alias outer 1 0 (type))) (type u8)', 'component 0: there is no type 0'],
  ]);
});

describe('subtyping of instances, components and core modules', () => {
  taken([
    ['an instance that exports more', '(import "i" (instance $i (export "a" (func)) (export "b" (func)))) (export "j" (instance $i) (instance (export "a" (func))))'],
    ['a component that imports less and exports more', `(component $c (import "c" (component $c (export "x" (func)) (export "y" (func)))) (export "d" (component $c) (component (import "f" (func)) (export "x" (func)))))`],
    ['a component that is generic in a resource', `(component (import "c" (component $c (import "r" (type $r (sub resource))) (export "f" (func (result (own $r))))))
      (export "d" (component $c) (component (import "r" (type $s (sub resource))) (export "f" (func (result (own $s)))))))`],
    ['a component that makes the resource it exports', `(component (import "c" (component $c (export "r" (type $r (sub resource))) (export "f" (func (result (own $r))))))
      (export "d" (component $c) (component (export "r" (type $s (sub resource))) (export "f" (func (result (own $s)))))))`],
    ['a core module with a larger memory', '(component $c (import "m" (core module (export "memory" (memory 1))))) (core module $m (memory (export "memory") 2)) (instance (instantiate $c (with "m" (core module $m))))'],
    ['types of instances that equal each other', `(component $c (type $i (instance (export "r" (type $r (sub resource))) (export "f" (func (param "a" u8))))) (import "i" (type (eq $i))))
      (type $j (instance (export "f" (func (param "a" u8))) (export "r" (type (sub resource))))) (instance (instantiate $c (with "i" (type $j))))`],
  ]);
  refused([
    ['an ascription that adds an export', '(import "i" (instance $i)) (export "j" (instance $i) (instance (export "a" (func))))', '"j": the instance given lacks "a"'],
    ['what an ascription has hidden', `(import "i" (instance $i (export "a" (func)))) (export $j "j" (instance $i) (instance)) (alias export $j "a" (func))`,
      'an alias names "a", which the instance does not export'],
    ['an instance with another function', '(import "i" (instance $i (export "a" (func (param "x" u8))))) (component $c (import "i" (instance (export "a" (func (param "y" u8)))))) (instance (instantiate $c (with "i" (instance $i))))',
      '"i#a": the function given has another type than asked for'],
    ['a component that imports more', '(component (import "c" (component $c (import "f" (func)))) (export "d" (component $c) (component)))', 'component 0: "d": the component given imports "f" too'],
    ['a component that exports less', '(component (import "c" (component $c)) (export "d" (component $c) (component (export "f" (func)))))', 'component 0: "d": the component given does not export "f"'],
    ['a component that promises a resource of its own for one that is given', `(component (import "c" (component $c (import "r" (type (sub resource))) (export "s" (type $s (sub resource))) (export "f" (func (result (own $s))))))
      (export "d" (component $c) (component (import "r" (type $r (sub resource))) (export "s" (type (eq $r))) (export "f" (func (result (own $r)))))))`,
      'component 0: "d#s": the type given is not the type asked for'],
    ['a core module that imports more', '(component $c (import "m" (core module))) (core module $m (import "a" "b" (func))) (instance (instantiate $c (with "m" (core module $m))))', '"m": core import "a" "b": is imported too'],
    ['a core module that exports less', '(component $c (import "m" (core module (export "f" (func))))) (core module $m) (instance (instantiate $c (with "m" (core module $m))))', '"m": core export "f": is missing'],
    ['types of instances where one exports more', `(component $c (type $i (instance (export "a" (func)))) (import "i" (type (eq $i))))
      (type $j (instance (export "a" (func)) (export "b" (func)))) (instance (instantiate $c (with "i" (type $j))))`, '"i": the instance given lacks "b"'],
    ['an argument of another sort', '(component $d) (component $c (import "f" (func))) (instance (instantiate $c (with "f" (component $d))))', '"f": a func is asked for, a component given'],
  ]);
});

describe('core modules', () => {
  const joined = (wanted: string, given: string) => `(core module $g ${given}) (core instance $g (instantiate $g)) (core module $w (import "g" "x" ${wanted})) (core instance (instantiate $w (with "g" (instance $g))))`;
  taken([
    ['a memory that is larger and bounded tighter', joined('(memory 1 4)', '(memory (export "x") 2 3)')],
    ['a table that is larger', joined('(table 1 funcref)', '(table (export "x") 2 funcref)')],
    ['a global that cannot be written, of a subtype', joined('(global funcref)', '(func $f) (elem declare func $f) (global (export "x") (ref func) (ref.func $f))')],
    ['globals after constants of all kinds', joined('(global f64)', `(global i32 (i32.const -5)) (global i64 (i64.add (i64.const 1) (i64.const 2))) (global f32 (f32.const 1))
      (global v128 (v128.const i64x2 1 2)) (global externref (ref.null extern)) (global (export "x") f64 (f64.const 1))`)],
    ['a core module type with types from outside', '(core type $f (func (param i32))) (core type (module (alias outer $root $f (type $g)) (import "a" "b" (func (type $g)))))'],
  ]);
  refused([
    ['a memory that is too small', joined('(memory 2)', '(memory (export "x") 1)'), 'core import "g" "x": a memory 2 is asked for, a memory 1 given'],
    ['a memory without a bound', joined('(memory 1 4)', '(memory (export "x") 1)'), 'core import "g" "x": a memory 1 4 is asked for, a memory 1 given'],
    ['a table of other references', joined('(table 1 funcref)', '(table (export "x") 1 externref)'), 'core import "g" "x": a table 1 funcref is asked for, a table 1 externref given'],
    ['a table that may grow too far', joined('(table 1 2 funcref)', '(table (export "x") 1 3 funcref)'), 'core import "g" "x": a table 1 2 funcref is asked for, a table 1 3 funcref given'],
    ['a global of another type', joined('(global i32)', '(global (export "x") i64 (i64.const 0))'), 'core import "g" "x": a global i32 is asked for, a global i64 given'],
    ['a global that can be written', joined('(global i32)', '(global (export "x") (mut i32) (i32.const 0))'), 'core import "g" "x": a global i32 is asked for, a mutable global i32 given'],
    ['a tag with other values', joined('(tag (param i32))', '(tag (export "x") (param i64))'), 'core import "g" "x": a tag i32> is asked for, a tag i64> given'],
    ['two imports of one name', '(core module (import "a" "b" (func)) (import "a" "b" (func)))', 'the core import "a" "b" stands twice in a core module'],
    ['a module type that exports a name twice', '(type (instance (core type (module (export "a" (func)) (export "a" (func))))))', 'a core module type exports "a" twice'],
    ['a module type with a memory of more than 4 GiB', '(core type (module (import "a" "b" (memory 65537))))', 'a core module type has a memory with the limits 65537 '],
    ['a module type that is a function type', '(core type $f (func)) (import "m" (core module (type $f)))', 'core type 0 is a function type where a module type must stand'],
  ]);

  it('checks the code of a module that nothing instantiates', async () => {
    expect(await refusal('(component (core module (func i32.add)))')).toMatchObject({ kind: 'invalid', message: expect.stringContaining('core module 0') });
  });
});

describe('canonical definitions in components that are never instantiated', () => {
  const nested = (wat: string) => `(component ${CORE} ${wat})`;
  taken([
    ['lifts and lowers', nested(`(import "f" (func $f (param "s" string) (result (list u8))))
      (core func (canon lower (func $f) (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
      (func (param "s" string) (canon lift (core func $core "take2") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))`)],
  ]);
  refused([
    ['a lift of another core type', nested('(func (param "a" u64) (canon lift (core func $core "take")))'), 'component 0: the lifted core function has the type i32>, not i64>'],
    ['a lower without memory', nested('(import "f" (func $f (param "s" string))) (core func (canon lower (func $f)))'), 'component 0: lower: memory is missing'],
    ['an asynchronous lift of a string without memory', nested('(func async (result string) (canon lift (core func $core "make") async (callback (core func $core "realloc"))))'),
      'component 0: lift: memory is missing'],
    ['a realloc of another type', nested('(import "f" (func $f (result string))) (core func (canon lower (func $f) (memory (core memory $core "memory")) (realloc (core func $core "take"))))'),
      'component 0: realloc has the type i32>, not i32,i32,i32,i32>i32'],
    ['async on a function that is not', nested('(func (canon lift (core func $core "make") async))'), 'component 0: lift: async is for functions of async type only'],
    ['a destructor of another type', nested('(type (resource (rep i32) (dtor (core func $core "make"))))'), 'component 0: the destructor of a resource does not have the type i32>'],
    ['a stream built-in on a future', nested('(type $t (future u8)) (core func (canon stream.new $t))'), 'component 0: stream.new: type 0 is not a stream'],
    ['a missing argument, two levels in', '(component (component (component $c (import "f" (func))) (instance (instantiate $c))))', 'component 0: component 0: the argument "f" is missing'],
  ]);
});

describe('the bound on sizes', () => {
  taken([['types just below it', '(type (list u8 268435455)) (type (list string 16777215)) (type (stream (list u64 33554431)))']]);
  refused([
    ['a type that reaches it', '(type (list u8 268435456))', 'a list type is larger than 268435456 bytes'],
    ['a type that reaches it with 64-bit pointers', '(type (list string 16777216))', 'a list type is larger than 268435456 bytes'],
    ['a record that reaches it', '(type $half (list u8 134217728)) (type (record (field "a" $half) (field "b" $half)))', 'a record type is larger than 268435456 bytes'],
  ]);
});

describe('gated features are refused by name', () => {
  it.each([
    ['maps', '(type (map string u8))', 'a map type'],
    ['a resource with an i64 representation', '(type (resource (rep i64)))', 'a resource whose representation is not i32'],
    ['64-bit context slots', '(core func (canon context.get i64 0))', 'context.get of another type than i32'],
    ['threads', '(core func (canon thread.index))', 'canon thread.index'],
    ['core types of the garbage collector', '(core type (struct))', 'core type 0x5f'],
    ['recursive core types', '(core type (sub (func)))', 'core type 0x00'],
    ['a 64-bit memory', '(component (core module (memory i64 1)))', 'a 64-bit memory'],
    ['a shared memory', '(component (core module (memory 1 1 shared)))', 'a shared memory'],
    ['nested namespaces', '(import "a:b:c/d" (func))', 'nested namespaces and packages'],
    ['values', '(import "v" (value string))', 'an import or export of a value'],
  ])('%s', async (_, wat, message) => {
    expect(await refusal(wat)).toMatchObject({ kind: 'unsupported', message: expect.stringContaining(`${message} `) });
  });
});

describe('hostile types end quickly', () => {
  const repeat = (count: number, part: (i: number) => string) => Array.from({ length: count }, (_, i) => part(i)).join('\n');
  it.each([
    ['instance types that double at every level', `(type $i0 (instance (export "r" (type (sub resource)))))
      ${repeat(60, (i) => `(type $i${i + 1} (instance (export "a" (instance (type $i${i}))) (export "b" (instance (type $i${i})))))`)} (import "x" (instance (type $i60)))`],
    ['components whose resources double at every level', `(component $c0 (type $r (resource (rep i32))) (export "r" (type $r)))
      ${repeat(40, (i) => `(component $c${i + 1} (alias outer 1 ${i} (component $d)) (instance $a (instantiate $d)) (instance $b (instantiate $d)) (export "a" (instance $a)) (export "b" (instance $b)))`)}`],
    ['a wide type that is substituted again and again', `(component $c (import "r" (type $r (sub resource))) (type $t (record ${repeat(3_000, (i) => `(field "f${i}" (own $r))`)})) (export "t" (type $t)))
      (import "r" (type $r (sub resource))) ${repeat(2_000, () => '(instance (instantiate $c (with "r" (type $r))))')}`],
    ['a long name that is compared again and again', `(component $c (import "r" (type $r (sub resource))) (type $t (record (field "${'a'.repeat(1_000_000)}" (own $r)))) (export "t" (type $t)))
      (import "r" (type $r (sub resource))) ${repeat(2_000, () => '(instance (instantiate $c (with "r" (type $r))))')}`],
    ['component types that are compared both ways at every level', `(component (type $c0 (component (export "f" (func))))
      ${repeat(28, (i) => `(type $c${i + 1} (component (alias outer 1 ${i} (type $o)) (import "a" (type (eq $o))) (export "b" (component (type $o))) (export "c" (component (type $o)))))`)}
      (import "x" (component $x (type $c28))) (export "y" (component $x) (component (type $c28))))`],
  ])('%s', async (_, wat) => {
    const ast = decodeComponent(await parse(`(component $root ${wat})`));
    const started = performance.now();
    expect(() => new ComponentValidator(new ModuleCache()).component(ast, null)).toThrow(BuildError);
    expect(performance.now() - started).toBeLessThan(30_000);
  });
});
