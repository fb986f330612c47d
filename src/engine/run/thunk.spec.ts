import { describe, expect, it } from '@jest/globals';
import { ThunkModules, entryThunk, waitThunk, type CoreSignature } from './thunk.js';

const TYPES = ['i32', 'i64', 'f32', 'f64'] as const;

describe('thunks', () => {
  it.each(TYPES)('are valid for results of %s and for up to 17 parameters', (result) => {
    for (const count of [0, 1, 4, 17]) {
      const signature: CoreSignature = { params: Array.from({ length: count }, (_, i) => TYPES[i % 4]), result };
      for (const bytes of [entryThunk(signature), waitThunk(signature), entryThunk({ ...signature, result: null }), waitThunk({ ...signature, result: null })]) {
        expect(WebAssembly.validate(bytes)).toBe(true);
      }
    }
  });

  it('pass parameters and the result, and do not wait for what is not blocked', () => {
    const blocked = new WebAssembly.Global({ value: 'i32', mutable: true }, 0);
    const seen: unknown[] = [];
    const { f } = new WebAssembly.Instance(new WebAssembly.Module(waitThunk({ params: ['i32', 'i64'], result: 'f64' })), {
      h: {
        attempt: (...args: unknown[]) => seen.push(...args) / 4,
        wait: () => seen.push('wait'),
        resumed: () => seen.push('resumed'),
        blocked,
      },
    }).exports as { f(a: number, b: bigint): number };
    expect([f(7, 8n), seen]).toEqual([0.5, [7, 8n]]);
    blocked.value = 1;
    expect([f(7, 8n), seen]).toEqual([5, [7, 8n, 7, 8n, 'wait', 'resumed']]);
  });

  it('are compiled once for a signature', () => {
    const modules = new ThunkModules();
    expect(modules.get('wait', { params: ['i32'], result: null })).toBe(modules.get('wait', { params: ['i32'], result: null }));
    expect(modules.get('wait', { params: ['i32'], result: null })).not.toBe(modules.get('entry', { params: ['i32'], result: null }));
  });
});
