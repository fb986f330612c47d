import { describe, expect, it } from '@jest/globals';
import { SharedLook } from './shared-look.js';

describe('SharedLook', () => {
  it('gives all who ask during a look the next one, together', async () => {
    let looks = 0;
    const gates: PromiseWithResolvers<void>[] = [];
    const shared = new SharedLook(async () => {
      const number = ++looks;
      gates.push(Promise.withResolvers());
      await gates.at(-1)!.promise;
      return number;
    });
    const first = shared.get();
    const others = [shared.get(), shared.get()];
    gates[0]!.resolve();
    expect(await first).toBe(1);
    await new Promise(setImmediate);
    gates[1]!.resolve();
    expect(await Promise.all(others)).toEqual([2, 2]);
    expect(looks).toBe(2);
  });

  it('fails for those who asked, and looks again for the next', async () => {
    let looks = 0;
    const shared = new SharedLook(async () => {
      if (++looks === 1) throw new Error('gone');
      return looks;
    });
    const [first, second] = [shared.get(), shared.get()];
    await expect(first).rejects.toThrow('gone');
    expect(await second).toBe(2);
  });
});
