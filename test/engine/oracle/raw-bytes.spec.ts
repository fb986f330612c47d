import { describe, expect, it } from '@jest/globals';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco';
import { Random } from '../../fixtures/random.js';
import { BUDGET_NS, programOf } from '../engine-harness.js';
import { jcoProgram } from './guests.js';
import { deviates } from './jco-deviations.js';
import { declared, flat, layout, TypeMaker, written, type Core, type WitType } from './wit-type.js';
import { difference, show } from './wit-value.js';

const seed = Number(process.env['ORACLE_SEED'] ?? Date.now() % 2 ** 32);
const RAW = 'o:o/raw';
const TYPES = 80;
const TRIES = 15;
const AREA = 1024;

/** Zeros around bytes that `put` places; `readN` says that a T stands there. What is in it may be anything. */
async function rawComponent(declarations: string, types: WitType[]): Promise<Uint8Array> {
  const read = (type: WitType, i: number): string => {
    const cores: Core[] = flat(type);
    const direct = cores.length === 1 ? cores[0] : null;
    return `(func (export "${RAW}#read${i}") (result ${direct ?? 'i32'}) ${direct ? `(${direct}.load (i32.const ${AREA}))` : `(i32.const ${AREA})`})`;
  };
  const module = `(module (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 32768))
    (func (export "${RAW}#put") (param i32 i32) (local $end i32)
      (memory.copy (i32.const ${AREA}) (local.get 0) (local.get 1))
      (local.set $end (i32.add (i32.const ${AREA}) (local.get 1)))
      (memory.fill (local.get $end) (i32.const 0) (i32.sub (i32.const 65536) (local.get $end))))
    ${types.map(read).join('\n')})`;
  const witSource = `package o:o; interface raw { ${declarations} put: func(bytes: list<u8>); ${types.map((type, i) => `read${i}: func() -> ${written(type)};`).join(' ')} }
    world w { export raw; }`;
  return componentNew(await componentEmbed({ binary: await parse(module), witSource, world: 'w' }), []);
}

/** Mostly small numbers: what is a valid case, a short list, an address within the memory more often than by pure chance. */
function anyBytes(random: Random, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  const noise = random.pick([0, 4, 20]);
  for (let i = 0; i < count; i++) {
    if (random.below(3) === 0) bytes[i] = random.below(3);
    if (noise > 0 && random.below(noise) === 0) bytes[i] = random.below(256);
  }
  return bytes;
}

type Outcome = { value: unknown } | { error: Error };

describe(`bytes that a guest calls a value (ORACLE_SEED=${seed})`, () => {
  it('are read as jco reads them, or refused', async () => {
    const random = new Random(seed);
    const maker = new TypeMaker(random);
    const types: WitType[] = [];
    while (types.length < TYPES) {
      const { result } = maker.function();
      // a result that is an error is thrown by jco, as everything is that it refuses
      if (result && result.k !== 'result' && !deviates(result)) types.push(result);
    }
    const component = await rawComponent(maker.wit, types);
    const slot = (await programOf(component)).newSlot({});
    const instantiate = await jcoProgram(component);
    let jco = instantiate({})[RAW]!;

    const inEngine = async (bytes: Uint8Array, name: string): Promise<Outcome> => {
      if (slot.poisoned) {
        slot.reset();
        slot.instantiate(BUDGET_NS);
      }
      slot.setBudget(BUDGET_NS);
      await slot.call(RAW, 'put', [bytes]);
      return slot.call(RAW, name, []).then((value) => ({ value }), (error: Error) => ({ error }));
    };
    const inJco = (bytes: Uint8Array, name: string): Outcome => {
      try {
        jco['put']!(bytes);
        return { value: jco[name]!() };
      } catch (error) {
        jco = instantiate({})[RAW]!;
        return { error: error as Error };
      }
    };

    let compared = 0;
    for (const [i, type] of types.entries()) {
      for (let n = 0; n < TRIES; n++) {
        const bytes = anyBytes(random, Math.max(8, layout(type).size));
        const told = (what: string): Error => new Error(`ORACLE_SEED=${seed}: ${what}\n${[...new Set(declared(type))].join('\n')}\n${written(type)}\nof the bytes ${show(bytes)}`);
        const ours = await inEngine(bytes, `read${i}`);
        const theirs = inJco(bytes, `read${i}`);
        if ('error' in ours && ours.error.name !== 'Trap') throw told(`the engine failed: ${ours.error.stack}`);
        // jco refuses more (a bool of 2, flags that are none), where the specification says how to read it
        if ('error' in ours || 'error' in theirs) continue;
        const found = difference(type, ours.value, theirs.value);
        if (found !== null) throw told(`the engine and jco read different values at ${found}`);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(200);
  });
});
