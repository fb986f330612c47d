import { randomFillSync } from 'node:crypto';
import { LimitTrap } from '#engine/run/host.js';
import { perSlot, plain, type Capability } from './capability.js';
import type { Invocation } from './guest.js';
import { atVersions, SINCE_2023_10_18, SINCE_2026_03_15 } from './versions.js';

/** One request for bytes; more than this is a mistake or an attack on the host's memory. */
const MAX_BYTES = 16 * 1024 * 1024;

/** Entropy drawn ahead: guests ask for 8 or 16 bytes at a time, and a system call for each would dominate. */
const pool = new Uint8Array(4096);
const poolView = new DataView(pool.buffer);
let used = pool.length;

/** Position of `length` bytes in the pool that nobody has had and nobody will get again. */
function reserve(length: number): number {
  if (used + length > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += length;
  return used - length;
}

function randomBytes(len: bigint): Uint8Array {
  if (len > MAX_BYTES) throw new LimitTrap('allocation', `asked for ${len} random bytes; ${MAX_BYTES} are the most at once`);
  const length = Number(len);
  if (length > 256) return randomFillSync(new Uint8Array(length));
  const at = reserve(length);
  const bytes = pool.slice(at, at + length);
  pool.fill(0, at, at + length);
  return bytes;
}

function randomU64(): bigint {
  const at = reserve(8);
  const value = poolView.getBigUint64(at, true);
  poolView.setBigUint64(at, 0n);
  return value;
}

/** One seed for an invocation: guests compare what they get twice (wasi:random/insecure-seed). */
const seed = perSlot((state) => {
  const drawn = new WeakMap<Invocation, [bigint, bigint]>();
  return () => {
    let pair = drawn.get(state.invocation);
    if (!pair) drawn.set(state.invocation, (pair = [randomU64(), randomU64()]));
    return pair;
  };
});
const secure = { 'get-random-bytes': plain(randomBytes), 'get-random-u64': plain(randomU64) };
const insecure = { 'get-insecure-random-bytes': plain(randomBytes), 'get-insecure-random-u64': plain(randomU64) };

/** `wasi:random`: everything from the system's generator, the insecure ones too: being stronger costs nothing. */
export const RANDOM: readonly Capability[] = [
  ...atVersions([...SINCE_2023_10_18, ...SINCE_2026_03_15], 'wasi:random/random', secure),
  ...atVersions([...SINCE_2023_10_18, ...SINCE_2026_03_15], 'wasi:random/insecure', insecure),
  ...atVersions(SINCE_2023_10_18, 'wasi:random/insecure-seed', { 'insecure-seed': seed }),
  ...atVersions(SINCE_2026_03_15, 'wasi:random/insecure-seed', { 'get-insecure-seed': seed }),
];
