import { Trap } from '#engine/run/host.js';
import { plain, waiting, type Capability } from '../capability.js';
import { atVersions, RC_2023_10_18, SINCE_2023_11_10 } from '../versions.js';
import { PENDING, waitFor, type Pollable } from '../wait.js';
import type { IoError } from './io-error.js';

/** What nearly every poll gives: that of the one thing waited for. */
const FIRST = Uint32Array.of(0);

/** Indices of what is ready; null: nothing is. */
function readyOnes(pollables: readonly Pollable[]): Uint32Array | null {
  if (pollables.length === 1) return pollables[0]!.ready() ? FIRST : null;
  let ready: number[] | null = null;
  for (let i = 0; i < pollables.length; i += 1) if (pollables[i]!.ready()) (ready ??= []).push(i);
  return ready && new Uint32Array(ready);
}

const block = waiting((state) => (pollable: Pollable) =>
  pollable.ready() ? undefined : waitFor(state, [pollable], () => (pollable.ready() ? undefined : PENDING)));

const poll = waiting((state) => (pollables: Pollable[]) => {
  if (pollables.length === 0) throw new Trap('polled an empty list');
  return readyOnes(pollables) ?? waitFor(state, pollables, () => readyOnes(pollables) ?? PENDING);
});

/** `wasi:io/poll`. */
export const POLL: readonly Capability[] = [
  ...atVersions(SINCE_2023_11_10, 'wasi:io/poll', {
    '[method]pollable.ready': plain((pollable: Pollable) => pollable.ready()),
    '[method]pollable.block': block,
    poll,
  }),
  ...atVersions([RC_2023_10_18], 'wasi:io/poll', { 'poll-list': poll, 'poll-one': block }),
];

/** Of the resource `error`, wherever a version has it. */
export const ERROR: Capability['functions'] = { '[method]error.to-debug-string': plain((error: IoError) => error.message) };

/** `wasi:io/error`. */
export const IO_ERROR: readonly Capability[] = atVersions(SINCE_2023_11_10, 'wasi:io/error', ERROR);
