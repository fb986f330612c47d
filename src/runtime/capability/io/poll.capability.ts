import { Trap } from '#engine/run/host.js';
import { plain, waiting, type Capability } from '../capability.js';
import { PENDING, waitFor, type Pollable } from '../wait.js';
import type { IoError } from './io-error.js';

/** Indices of what is ready; null: nothing is. */
function readyOnes(pollables: readonly Pollable[]): Uint32Array | null {
  let ready: number[] | null = null;
  for (let i = 0; i < pollables.length; i += 1) if (pollables[i]!.ready()) (ready ??= []).push(i);
  return ready && new Uint32Array(ready);
}

/** `wasi:io/poll` of the 0.2 line. */
export const POLL: Capability = {
  name: 'wasi:io/poll',
  version: '0.2',
  functions: {
    '[method]pollable.ready': plain((pollable: Pollable) => pollable.ready()),
    '[method]pollable.block': waiting((state) => (pollable: Pollable) =>
      pollable.ready() ? undefined : waitFor(state, [pollable], () => (pollable.ready() ? undefined : PENDING))),
    poll: waiting((state) => (pollables: Pollable[]) => {
      if (pollables.length === 0) throw new Trap('polled an empty list');
      return readyOnes(pollables) ?? waitFor(state, pollables, () => readyOnes(pollables) ?? PENDING);
    }),
  },
};

/** `wasi:io/error` of the 0.2 line. */
export const IO_ERROR: Capability = {
  name: 'wasi:io/error',
  version: '0.2',
  functions: { '[method]error.to-debug-string': plain((error: IoError) => error.message) },
};
