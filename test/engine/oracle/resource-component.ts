import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco';

/** What the component imports: a resource `r` of the host. */
export const HELD = 'o:o/held';
/** What it exports: a resource `cell` of its own, and functions that use those of the host by the number of their handle. */
export const CELLS = 'o:o/cells';

const WIT = `package o:o;
  interface held {
    resource r { constructor(v: u32); look: func() -> u32; join: static func(a: borrow<r>, b: r) -> r; }
    many: func(vs: list<u32>) -> list<r>;
    sum: func(rs: list<borrow<r>>) -> u32;
    take: func(r: option<r>) -> u32;
  }
  interface cells {
    resource cell { constructor(v: u32); get: func() -> u32; }
    eat: func(c: cell) -> u32;
    pass: func(c: cell) -> cell;
    both: func(a: borrow<cell>, b: borrow<cell>) -> u32;
    dropped: func() -> u32;
    make: func(v: u32) -> u32;
    look: func(h: u32) -> u32;
    join: func(a: u32, b: u32) -> u32;
    many: func(vs: list<u32>) -> list<u32>;
    sum: func(hs: list<u32>) -> u32;
    take: func(h: u32) -> u32;
    take-none: func() -> u32;
    drop: func(h: u32);
  }
  world w { import held; export cells; }`;

const MODULE = `(module
  (import "${HELD}" "[constructor]r" (func $make (param i32) (result i32)))
  (import "${HELD}" "[method]r.look" (func $look (param i32) (result i32)))
  (import "${HELD}" "[static]r.join" (func $join (param i32 i32) (result i32)))
  (import "${HELD}" "[resource-drop]r" (func $drop (param i32)))
  (import "${HELD}" "many" (func $many (param i32 i32 i32)))
  (import "${HELD}" "sum" (func $sum (param i32 i32) (result i32)))
  (import "${HELD}" "take" (func $take (param i32 i32) (result i32)))
  (import "[export]${CELLS}" "[resource-new]cell" (func $new (param i32) (result i32)))
  (import "[export]${CELLS}" "[resource-rep]cell" (func $rep (param i32) (result i32)))
  (import "[export]${CELLS}" "[resource-drop]cell" (func $dropCell (param i32)))
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 64))
  (global $dropped (mut i32) (i32.const 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (global.set $next (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.get $next) (global.set $next (i32.add (global.get $next) (local.get 3))))
  (func (export "${CELLS}#[constructor]cell") (param i32) (result i32) (call $new (local.get 0)))
  (func (export "${CELLS}#[method]cell.get") (param i32) (result i32) (local.get 0))
  (func (export "${CELLS}#[dtor]cell") (param i32) (global.set $dropped (i32.add (global.get $dropped) (local.get 0))))
  (func (export "${CELLS}#eat") (param i32) (result i32) (local $v i32)
    (local.set $v (call $rep (local.get 0))) (call $dropCell (local.get 0)) (local.get $v))
  (func (export "${CELLS}#pass") (param i32) (result i32) (local.get 0))
  (func (export "${CELLS}#both") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "${CELLS}#dropped") (result i32) (global.get $dropped))
  (func (export "${CELLS}#make") (param i32) (result i32) (call $make (local.get 0)))
  (func (export "${CELLS}#look") (param i32) (result i32) (call $look (local.get 0)))
  (func (export "${CELLS}#join") (param i32 i32) (result i32) (call $join (local.get 0) (local.get 1)))
  (func (export "${CELLS}#many") (param i32 i32) (result i32) (call $many (local.get 0) (local.get 1) (i32.const 8)) (i32.const 8))
  (func (export "${CELLS}#sum") (param i32 i32) (result i32) (call $sum (local.get 0) (local.get 1)))
  (func (export "${CELLS}#take") (param i32) (result i32) (call $take (i32.const 1) (local.get 0)))
  (func (export "${CELLS}#take-none") (result i32) (call $take (i32.const 0) (i32.const 0)))
  (func (export "${CELLS}#drop") (param i32) (call $drop (local.get 0))))`;

export async function resourceComponent(): Promise<Uint8Array> {
  return componentNew(await componentEmbed({ binary: await parse(MODULE), witSource: WIT, world: 'w' }), []);
}
