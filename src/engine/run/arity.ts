import type { Flat } from '#engine/run/abi/layout.js';

type Core = number | bigint;

/** A function of exactly `count` parameters around one that takes an array: V8 calls imports with rest parameters more slowly. */
export function fixedArity(count: number, call: (flat: Flat) => unknown): WebAssembly.CoreFunction {
  switch (count) {
    case 0: return () => call([]);
    case 1: return (a: Core) => call([a]);
    case 2: return (a: Core, b: Core) => call([a, b]);
    case 3: return (a: Core, b: Core, c: Core) => call([a, b, c]);
    // oxlint-disable-next-line max-params -- one parameter for each core value
    case 4: return (a: Core, b: Core, c: Core, d: Core) => call([a, b, c, d]);
    default: return (...flat: Flat) => call(flat);
  }
}
