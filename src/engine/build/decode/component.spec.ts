import { describe, expect, it } from '@jest/globals';
import { componentWit, parse } from '@bytecodealliance/jco';
import { buildWat } from '../../../../test/fixtures/build-wat.js';
import { Random } from '../../../../test/fixtures/random.js';
import { BuildError, DecodeError } from '#engine/build/build-error.js';
import { linkComponent } from '#engine/build/link/linker.js';
import type { Definition } from './ast.js';
import { decodeComponent } from './component.js';

const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];

function component(...sections: number[][]): Uint8Array {
  return Uint8Array.from([...PREAMBLE, ...sections.flat()]);
}

function section(id: number, ...contents: number[]): number[] {
  return [id, contents.length, ...contents];
}

function failure(bytes: Uint8Array): DecodeError {
  try {
    decodeComponent(bytes);
  } catch (error) {
    if (error instanceof DecodeError) return error;
    throw error;
  }
  throw new Error('was decoded');
}

async function defs(wat: string): Promise<Definition[]> {
  return decodeComponent(await parse(wat)).defs;
}

describe(decodeComponent.name, () => {
  it('reads an empty component', () => {
    expect(decodeComponent(component())).toEqual({ defs: [] });
  });

  it('finds the imports and exports that jco finds', async () => {
    const bytes = await buildWat('loop');
    const wit = await componentWit(bytes);
    const names = decodeComponent(bytes).defs.flatMap((def) => (def.k === 'import' || def.k === 'export' ? [`${def.k} ${def.name};`] : []));
    expect(names.length).toBeGreaterThan(3);
    for (const name of names) expect(wit).toContain(name);
  });

  it('reads every kind of type', async () => {
    const types = (await defs(`(component
      (type string) (type (record (field "a" u8) (field "b" 0))) (type (variant (case "x") (case "y" f64))) (type (list s64))
      (type (list char 4)) (type (tuple u16 bool)) (type (flags "p" "q")) (type (enum "m" "n")) (type (option 1)) (type (result 2 (error u32)))
      (type (result)) (type $r (resource (rep i32))) (type (own $r)) (type (borrow $r)) (type (stream u8)) (type (future))
      (type (func (param "v" 3) (result f32))) (type (func async (param "w" s8)))
      (type (instance (type $e (enum "only")) (export "e" (type (eq $e))) (export "f" (func)))))`)).map((def) => def.k === 'type' && def.type);
    expect(types).toMatchObject([
      { t: 'primitive', name: 'string' },
      { t: 'record', fields: [['a', 'u8'], ['b', 0]] },
      { t: 'variant', cases: [['x', null], ['y', 'f64']] },
      { t: 'list', of: 's64' },
      { t: 'list', of: 'char', length: 4 },
      { t: 'tuple', of: ['u16', 'bool'] },
      { t: 'flags', names: ['p', 'q'] },
      { t: 'enum', names: ['m', 'n'] },
      { t: 'option', of: 1 },
      { t: 'result', ok: 2, err: 'u32' },
      { t: 'result', ok: null, err: null },
      { t: 'resource', dtor: null },
      { t: 'own', resource: 11 },
      { t: 'borrow', resource: 11 },
      { t: 'stream', of: 'u8' },
      { t: 'future', of: null },
      { t: 'func', async: false, params: [['v', 3]], result: 'f32' },
      { t: 'func', async: true, params: [['w', 's8']], result: null },
      { t: 'instance' },
    ]);
  });

  it('reads the built-ins of asynchronous components', async () => {
    const canons = (await defs(`(component
      (core module $m (memory (export "m") 1)) (core instance $i (instantiate $m)) (alias core export $i "m" (core memory $mem))
      (type $s (stream u8)) (type $f (future u32))
      (canon task.return (result u32) (core func)) (canon task.cancel (core func)) (canon context.get i32 0 (core func)) (canon context.set i32 0 (core func))
      (canon backpressure.inc (core func)) (canon backpressure.dec (core func)) (canon subtask.cancel async (core func)) (canon subtask.drop (core func))
      (canon stream.new $s (core func)) (canon stream.read $s async (memory $mem) (core func)) (canon stream.cancel-write $s (core func))
      (canon future.drop-readable $f (core func)) (canon future.write $f (memory $mem) (core func))
      (canon waitable-set.new (core func)) (canon waitable-set.drop (core func)) (canon waitable.join (core func)))`))
      .filter((def) => def.k === 'canon');
    expect(canons.map((def) => def.op)).toEqual([
      'task.return', 'task.cancel', 'context.get', 'context.set', 'backpressure.inc', 'backpressure.dec', 'subtask.cancel', 'subtask.drop',
      'stream.new', 'stream.read', 'stream.cancel-write', 'future.drop-readable', 'future.write', 'waitable-set.new', 'waitable-set.drop', 'waitable.join',
    ]);
    expect(canons[6]).toMatchObject({ async: true });
    expect(canons[9]).toMatchObject({ type: 0, options: { async: true, memory: 0 } });
  });

  it('keeps nested components and modules as they are', async () => {
    const [outer, alias] = await defs('(component (component (core module) (component)) (type $t u8) (alias outer 0 $t (type)))');
    expect(outer).toMatchObject({ k: 'component', component: { defs: [{ k: 'core module' }, { k: 'component', component: { defs: [] } }] } });
    expect(alias).toEqual({ k: 'type', type: { t: 'primitive', name: 'u8' } });
  });

  it('skips custom sections and takes all forms of names', () => {
    const custom = section(0, 1, 0x78, 0xff, 0xff);
    const plain = section(10, 1, 0x00, 1, 0x61, 0x03, 0x01);
    const old = section(10, 1, 0x01, 1, 0x62, 0x03, 0x01);
    const attributed = section(10, 1, 0x02, 1, 0x63, 1, 0x01, 2, 0x2e, 0x31, 0x03, 0x01);
    const { defs: found } = decodeComponent(component(custom, plain, old, attributed));
    expect(found.map((def) => def.k === 'import' && def.name)).toEqual(['a', 'b', 'c']);
  });

  it('says where the input is broken', () => {
    const error = failure(component(section(7, 1, 0x01)));
    expect(error).toMatchObject({ kind: 'malformed', offset: 11 });
    expect(error.message).toBe('unknown type opcode 0x01 (at byte 11)');
  });

  it.each([
    ['no bytes', new Uint8Array(), 'not-wasm'],
    ['text', Buffer.from('(component)'), 'not-wasm'],
    ['a core module', Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]), 'not-wasm'],
    ['a later version', Uint8Array.from([0, 0x61, 0x73, 0x6d, 0x0e, 0, 1, 0]), 'not-wasm'],
    ['a core module inside where a component must be', component(section(4, 0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)), 'malformed'],
    ['an unknown section', component(section(13)), 'malformed'],
    ['a section longer than the input', component([7, 100, 0]), 'malformed'],
    ['bytes behind a vector', component(section(7, 0, 0)), 'malformed'],
    ['a count larger than the section', component(section(7, 0xff, 0xff, 0xff, 0xff, 0x0f)), 'malformed'],
    ['an integer of more than 32 bits', component([7, 0xff, 0xff, 0xff, 0xff, 0x1f]), 'malformed'],
    ['an integer without end', component([7, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80]), 'malformed'],
    ['a name that is not UTF-8', component(section(10, 1, 0, 1, 0xff, 0x03, 0x01)), 'malformed'],
    ['a canonical option twice', component(section(8, 1, 0x01, 0x00, 0, 2, 0x06, 0x06)), 'malformed'],
    ['a start section', component(section(9, 0, 0, 0)), 'unsupported'],
    ['a value section', component(section(12, 0)), 'unsupported'],
    ['an import of a value', component(section(10, 1, 0, 1, 0x61, 0x02, 0x01, 0x7f)), 'unsupported'],
    ['a map', component(section(7, 1, 0x63, 0x7f, 0x7f)), 'unsupported'],
    ['a built-in for threads', component(section(8, 1, 0x26)), 'unsupported'],
    ['context in 64 bit', component(section(8, 1, 0x0a, 0x7e, 0)), 'unsupported'],
  ] as const)('refuses %s', (_, bytes, kind) => {
    expect(failure(bytes).kind).toBe(kind);
  });

  it('refuses components that are nested without end', () => {
    let bytes = component();
    for (let depth = 0; depth < 40; depth++) bytes = component([4, ...leb(bytes.length), ...bytes]);
    expect(failure(bytes)).toMatchObject({ kind: 'limit', message: expect.stringContaining('nested deeper than') });
  });

  it('refuses types that are nested without end', () => {
    const deep = Array.from({ length: 100 }, () => [0x42, 0x01, 0x01]).flat();
    expect(failure(component([7, ...leb(deep.length + 2), 1, ...deep, 0x7f])).kind).toBe('limit');
  });

  it('refuses more items than any real component has', () => {
    const count = 4_100_000;
    const bytes = new Uint8Array(PREAMBLE.length + 1 + 4 + 4 + count).fill(0x7f);
    bytes.set([...PREAMBLE, 7, ...leb(count + 4), ...leb(count)]);
    expect(failure(bytes).kind).toBe('limit');
  });

  it('refuses every prefix of a component, or reads it when it ends between sections', async () => {
    const bytes = await buildWat('loop');
    const whole = decodeComponent(bytes).defs.length;
    let read = 0;
    for (let length = 0; length < bytes.length; length++) {
      try {
        expect(decodeComponent(bytes.subarray(0, length)).defs.length).toBeLessThanOrEqual(whole);
        read++;
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
    }
    expect(read).toBeLessThan(60);
  });

  it('never fails on flipped bytes but by an error of its own', async () => {
    const seed = Date.now() & 0xffff_ffff;
    const random = new Random(seed);
    const tiny = await buildWat('loop');
    const started = performance.now();
    for (let round = 0; round < 2_000; round++) {
      const bytes = tiny.slice();
      for (let flips = 1 + random.below(4); flips > 0; flips--) bytes[8 + random.below(bytes.length - 8)] = random.below(256);
      try {
        linkComponent(decodeComponent(bytes));
      } catch (error) {
        if (!(error instanceof BuildError)) throw new Error(`seed ${seed}, round ${round}`, { cause: error });
      }
    }
    expect(performance.now() - started).toBeLessThan(30_000);
  });
});

function leb(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}
