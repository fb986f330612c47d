/** A runner's own heap; the memory of guests is outside of it and has limits of its own. */
const HEAP_MB = 1_024;

/** What V8 is told in every runner. */
export const RUNNER_V8_FLAGS: readonly string[] = [
  `--max-old-space-size=${HEAP_MB}`,
  // V8 would come to make the objects of requests old ones at once, as it sees some of them survive: each then keeps all that it
  // points to until the next full collection, and every small collection costs milliseconds.
  '--no-allocation-site-pretenuring',
  // V8 would look for a module among those of other versions, comparing all bytes of those that begin alike and are as long: 10 ms
  // each for an app of 14 MB. A runner finds modules by their digests.
  '--no-wasm-native-module-cache',
];
