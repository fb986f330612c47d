import { describe, expect, it } from '@jest/globals';
import { CARDS_IMPORT, CLOCK_IMPORT, MEMORY_IMPORT, WHORL_MODULE } from '#engine/plan.js';
import { readCoreModule } from '#engine/build/core/core-module.js';
import { rewriteModule, type RewrittenModule } from '#engine/build/rewrite/rewriter.js';
import { GuestMemory } from '#engine/run/guest-memory.js';
import { Random } from '../fixtures/random.js';
import { coreProgram, EXPORTS } from './core-program.js';

/** `FUZZ_ROUNDS=20000 FUZZ_SEED=7 npm run jest -- test/engine/rewriter-fuzz`: more of them, or the same again. */
const rounds = Number(process.env['FUZZ_ROUNDS'] ?? 300);
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 32);

type Call = (exports: WebAssembly.Exports) => unknown;

const rewrite = (bytes: Uint8Array, cards: boolean): RewrittenModule => rewriteModule(readCoreModule(bytes), { memoryCapPages: 64, cards });
const buffer = (memory: WebAssembly.Memory): Buffer => Buffer.from(memory.buffer as ArrayBuffer);

/** How a call ends, and all that the module shows afterwards but its memory. */
function outcome(exports: WebAssembly.Exports, call: Call): unknown[] {
  let ended: unknown;
  try {
    ended = call(exports);
  } catch (error) {
    ended = error instanceof Error ? `${error.name}: ${error.message}` : 'an exception';
  }
  const globals = ['i32', 'i64', 'f32', 'f64'].map((name) => (exports[name] as WebAssembly.Global).value as unknown);
  return [ended, ...globals, (exports['table'] as WebAssembly.Table).length];
}

function rewritten(module: RewrittenModule): { exports: WebAssembly.Exports; memory: GuestMemory } {
  const memory = new GuestMemory(module.memory!.minPages, module.memory!.maxPages, module.cards);
  const clock = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const whorl = { [MEMORY_IMPORT]: memory.memory, [CLOCK_IMPORT]: clock, ...(memory.cards ? { [CARDS_IMPORT]: memory.cards.memory } : {}) };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes as Uint8Array<ArrayBuffer>), { [WHORL_MODULE]: whorl });
  return { exports, memory };
}

describe('modules made up of all instructions', () => {
  it('stay valid and do the same when they are rewritten, each time to the same bytes, and can be reset', () => {
    const random = new Random(seed);
    const ends = { values: 0, traps: 0 };
    for (let round = 0; round < rounds; round++) {
      const resettable = round % 2 === 0;
      const bytes = coreProgram(random, resettable);
      const what = `FUZZ_SEED=${seed}, round ${round}`;
      if (!WebAssembly.validate(bytes)) new WebAssembly.Module(bytes);
      const original = new WebAssembly.Module(bytes);
      const variants = [rewrite(bytes, false), rewrite(bytes, true)];
      for (const module of variants) {
        if (!WebAssembly.validate(module.bytes as Uint8Array<ArrayBuffer>)) throw new Error(`${what}: not valid after rewriting`);
        if (!Buffer.from(module.bytes).equals(rewrite(bytes, module === variants[1]).bytes)) throw new Error(`${what}: other bytes the second time`);
      }
      expect([variants[0]!.cards, variants[1]!.cards]).toEqual([false, resettable]);
      for (let i = 0; i < 4; i++) {
        const [f, a, b, c, d] = [`f${random.below(EXPORTS)}`, random.below(2 ** 32) | 0, BigInt(random.below(2 ** 32)), random.below(999) - 500, random.below(2 ** 32) / 7];
        const call: Call = (exports) => (exports[f] as WebAssembly.CoreFunction)(a, b, c, d);
        const fresh = new WebAssembly.Instance(original).exports;
        const expected = outcome(fresh, call);
        // where the stack ends is not the program's to say
        if (String(expected[0]).startsWith('RangeError')) continue;
        const expectedMemory = buffer(fresh['memory'] as WebAssembly.Memory);
        for (const module of variants) {
          const { exports, memory } = rewritten(module);
          const snapshot = memory.snapshot();
          const actual = outcome(exports, call);
          if (!expected.every((value, at) => Object.is(value, actual[at]))) throw new Error(`${what}: ${actual.join(' ')} instead of ${expected.join(' ')}`);
          const isSame = buffer(memory.memory).equals(expectedMemory);
          if (!isSame) throw new Error(`${what}: another memory`);
          if (!module.cards) continue;
          memory.restore(snapshot);
          const at = memory.difference(snapshot);
          if (at !== null) throw new Error(`${what}: byte ${at} is not restored`);
        }
        ends[typeof expected[0] === 'number' ? 'values' : 'traps']++;
      }
    }
    expect(Math.min(ends.values, ends.traps)).toBeGreaterThan(rounds / 4);
  }, 3_600_000);
});
