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

/**
 * `fixedArity` with one array for all calls: for a `call` that does not use it after it has returned, and that is not called again before.
 */
export function reusedArity(count: number, call: (flat: Flat) => unknown): WebAssembly.CoreFunction {
  const args: Flat = [];
  switch (count) {
    case 0: return () => call(args);
    case 1: return (a: Core) => {
      args[0] = a;
      return call(args);
    };
    case 2: return (a: Core, b: Core) => {
      args[0] = a;
      args[1] = b;
      return call(args);
    };
    case 3: return (a: Core, b: Core, c: Core) => {
      args[0] = a;
      args[1] = b;
      args[2] = c;
      return call(args);
    };
    default: return fixedArity(count, call);
  }
}
