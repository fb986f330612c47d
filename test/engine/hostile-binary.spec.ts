import { describe, expect, it } from '@jest/globals';
import { parse } from '@bytecodealliance/jco';
import { BuildError } from '#engine/build/build-error.js';
import { decodeComponent } from '#engine/build/decode/component.js';
import { linkComponent } from '#engine/build/link/linker.js';
import { buildWat } from '../fixtures/build-wat.js';
import { Random } from '../fixtures/random.js';
import { valueComponent } from './value-component.js';

const seed = Number(process.env['BINARY_SEED'] ?? Date.now() % 2 ** 32);
const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];
const DEPTH = 100_000;
const MAX_GROWTH_BYTES = 100 * 2 ** 20;

function leb(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest % 128) | 0x80);
  }
}

const section = (id: number, body: number[]): number[] => [id, ...leb(body.length), ...body];
const component = (...sections: number[][]): Uint8Array => Uint8Array.from([...PREAMBLE, ...sections.flat()]);

function refusal(bytes: Uint8Array): BuildError | null {
  try {
    linkComponent(decodeComponent(bytes));
    return null;
  } catch (error) {
    if (error instanceof BuildError) return error;
    throw error;
  }
}

/** Components inside each other, the innermost empty. */
function nestedComponents(depth: number): Uint8Array {
  const heads: number[][] = [];
  let length = PREAMBLE.length;
  for (let i = 0; i < depth; i++) {
    const head = [...PREAMBLE, 4, ...leb(length)];
    heads.push(head);
    length += head.length;
  }
  return Uint8Array.from([...heads.toReversed().flat(), ...PREAMBLE]);
}

describe('a binary that is made to cost much', () => {
  it.each<[string, () => Uint8Array]>([
    ['components 100,000 deep', () => nestedComponents(DEPTH)],
    ['instance types 100,000 deep', () => component(section(7, [1, ...Array.from({ length: DEPTH }, () => [0x42, 1, 1]).flat(), 0x7f]))],
    ['component types 100,000 deep', () => component(section(7, [1, ...Array.from({ length: DEPTH }, () => [0x41, 1, 1]).flat(), 0x7f]))],
    ['lists of lists, 100,000 deep', () => component(section(7, [...leb(DEPTH), 0x70, 0x7d, ...Array.from({ length: DEPTH - 1 }, (_, i) => [0x70, ...signed(i)]).flat()]))],
    ['tuples that double at every level', () => component(section(7, [...leb(64), 0x70, 0x7d, ...Array.from({ length: 63 }, (_, i) => [0x6f, 2, ...signed(i), ...signed(i)]).flat()]))],
  ])('is refused as too large: %s', (_, make) => {
    expect(refusal(make())?.kind).toMatch(/^(limit|invalid)$/);
  });

  it('is linked when its types only look large: a result whose both sides are the one before', () => {
    const types = Array.from({ length: 58 }, (_, i) => [0x6a, 1, ...signed(i), 1, ...signed(i)]).flat();
    expect(refusal(component(section(7, [...leb(60), 0x70, 0x7d, ...types, 0x40, 1, 1, 0x61, ...signed(58), 1, 0])))).toBeNull();
  });

  it(`is read or refused within bounds wherever a number is 2^32 - 1 (BINARY_SEED=${seed})`, async () => {
    const random = new Random(seed);
    const huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    for (const bytes of [await buildWat('loop'), await valueComponent()]) {
      const before = process.memoryUsage().rss;
      for (let round = 0; round < 600; round++) {
        const at = 8 + random.below(bytes.length - 8);
        const rest = bytes.subarray(at + random.below(2));
        try {
          refusal(Uint8Array.from([...bytes.subarray(0, at), ...huge, ...rest]));
        } catch (cause) {
          throw new Error(`BINARY_SEED=${seed}, round ${round}, byte ${at}`, { cause });
        }
      }
      expect(process.memoryUsage().rss - before).toBeLessThan(MAX_GROWTH_BYTES);
    }
  });

  it('costs what its parts cost, however often they are compared', async () => {
    const levels = 25;
    const chain = Array.from({ length: levels }, (_, i) => `(type $i${i + 1} (instance (alias outer 1 ${i} (type $o)) (export "a" (instance (type $o))) (export "b" (instance (type $o)))))`);
    const wat = `(component (type $i0 (instance (export "f" (func)))) ${chain.join('\n')}
      (component $c (type $i0 (instance (export "f" (func)))) ${chain.join('\n')} (import "x" (instance (type $i${levels}))))
      (import "x" (instance $x (type $i${levels}))) (instance (instantiate $c (with "x" (instance $x)))))`;
    expect(refusal(await parse(wat))?.kind).toBe('limit');
  });
});

/** An index as the signed number that type references are written in. */
function signed(index: number): number[] {
  const bytes: number[] = [];
  for (let rest = index; ; rest >>= 7) {
    if (rest < 0x40) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}
