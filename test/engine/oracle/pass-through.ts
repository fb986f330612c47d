import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco';
import { flat, layout, written, type Core, type WitFunction } from './wit-type.js';

/** The interface that the component imports and exports. */
export const ECHO = 'o:o/echo';

const WIDTH: Record<Core, number> = { i32: 4, f32: 4, i64: 8, f64: 8 };
/** What memory holds below the heap. */
const NEXT = 0;
const POSTS = 4;
const LIST = 8;
const RESULT = 16;
const PARAMS = 32;
const HEAP = 1024;
const PAGES = 64;

interface Shape {
  params: Core[];
  /** Of the core function that is exported. */
  result: Core | null;
  /** The result travels in memory: so many bytes. */
  resultBytes: number | null;
}

function shapeOf({ params, result }: WitFunction): Shape {
  const flatParams = params.flatMap(flat);
  const flatResult = result ? flat(result) : [];
  return {
    params: flatParams.length > 16 ? ['i32'] : flatParams,
    result: flatResult.length > 1 ? 'i32' : (flatResult[0] ?? null),
    resultBytes: flatResult.length > 1 ? layout(result!).size : null,
  };
}

const types = (keyword: string, cores: Core[]): string => (cores.length === 0 ? '' : `(${keyword} ${cores.join(' ')})`);

function importWat({ params, result, resultBytes }: Shape, i: number): string {
  const isIndirect = resultBytes !== null;
  return `(import "${ECHO}" "echo${i}" (func $host${i} ${types('param', isIndirect ? [...params, 'i32'] : params)} ${types('result', isIndirect || !result ? [] : [result])}))`;
}

/** Calls the host with `args` and leaves what comes back in a fresh place, whose address (or the value itself) it keeps if `kept`. */
function callWat({ result, resultBytes }: Shape, i: number, args: string, kept: boolean): string {
  if (resultBytes !== null) {
    return `(local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const ${resultBytes})))
      (call $host${i} ${args} (local.get $at)) ${kept ? `(i32.store (i32.const ${RESULT}) (local.get $at))` : ''}`;
  }
  if (!result) return `(call $host${i} ${args})`;
  return kept ? `(${result}.store (i32.const ${RESULT}) (call $host${i} ${args}))` : `(drop (call $host${i} ${args}))`;
}

function exportWat(shape: Shape, i: number): string {
  const { params, result } = shape;
  const area = params.map((core, at) => ({ core, at, address: PARAMS + at * WIDTH.f64 }));
  const keep = area.map(({ core, at, address }) => `(${core}.store (i32.const ${address}) (local.get ${at}))`).join(' ');
  const give = result ? `(${result}.load (i32.const ${RESULT}))` : '';
  return `
    (func (export "${ECHO}#echo${i}") ${types('param', params)} ${types('result', result ? [result] : [])} (local $at i32)
      ${keep} ${callWat(shape, i, area.map(({ at }) => `(local.get ${at})`).join(' '), true)} ${give})
    (func (export "${ECHO}#replay${i}") ${types('result', result ? [result] : [])} (local $at i32)
      ${callWat(shape, i, area.map(({ core, address }) => `(${core}.load (i32.const ${address}))`).join(' '), false)} ${give})
    (func (export "cabi_post_${ECHO}#echo${i}") ${types('param', result ? [result] : [])}
      (i32.store (i32.const ${POSTS}) (i32.add (i32.load (i32.const ${POSTS})) (i32.const 1))))`;
}

function witFunction({ params, result }: WitFunction, i: number): string {
  const arrow = result ? ` -> ${written(result)}` : '';
  return `echo${i}: func(${params.map((param, at) => `p${at}: ${written(param)}`).join(', ')})${arrow}; replay${i}: func()${arrow};`;
}

/**
 * A component without opinions: `echoN` hands what it is given to the host's function and what that returns to the caller. Both stay
 * in its memory, which `dump` gives and `load` replaces; `replayN` then gives the old parameters to the host once more, and the old
 * result to the caller. So what one host wrote into a guest's memory can be read by another. `posts` counts calls of post-return.
 */
export async function passThrough(declarations: string, functions: WitFunction[], stringEncoding: 'utf8' | 'utf16'): Promise<Uint8Array> {
  const shapes = functions.map(shapeOf);
  const module = `(module
    ${shapes.map(importWat).join('\n')}
    (memory (export "memory") ${PAGES})
    (data (i32.const ${NEXT}) "\\00\\04\\00\\00")
    (func $realloc (export "cabi_realloc") (param $old i32) (param $oldn i32) (param $align i32) (param $n i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (i32.load (i32.const ${NEXT})) (i32.sub (local.get $align) (i32.const 1))) (i32.sub (i32.const 0) (local.get $align))))
      (i32.store (i32.const ${NEXT}) (i32.add (local.get $at) (local.get $n)))
      (if (i32.gt_u (i32.load (i32.const ${NEXT})) (i32.const ${PAGES * 65_536})) (then unreachable))
      (memory.copy (local.get $at) (local.get $old) (select (local.get $oldn) (local.get $n) (i32.lt_u (local.get $oldn) (local.get $n))))
      (local.get $at))
    (func (export "${ECHO}#clear") (i32.store (i32.const ${NEXT}) (i32.const ${HEAP})) (i32.store (i32.const ${POSTS}) (i32.const 0)))
    (func (export "${ECHO}#posts") (result i32) (i32.load (i32.const ${POSTS})))
    (func (export "${ECHO}#dump") (result i32)
      (i32.store (i32.const ${LIST}) (i32.const 0)) (i32.store offset=4 (i32.const ${LIST}) (i32.load (i32.const ${NEXT}))) (i32.const ${LIST}))
    (func (export "${ECHO}#load") (param i32 i32) (memory.copy (i32.const 0) (local.get 0) (local.get 1)))
    ${shapes.map(exportWat).join('\n')})`;
  const witSource = `package o:o; interface echo { ${declarations} ${functions.map(witFunction).join('\n')}
    clear: func(); posts: func() -> u32; dump: func() -> list<u8>; load: func(bytes: list<u8>); }
    world w { import echo; export echo; }`;
  return componentNew(await componentEmbed({ binary: await parse(module), witSource, world: 'w', stringEncoding }), []);
}
