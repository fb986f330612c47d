import { WhorlError } from '#contract/errors.js';
import type { CommandFailure } from './runner-protocol.js';

/** An error as it goes from one process of the node to another; one that has no code is the runner's. */
export function toFailure(error: unknown): CommandFailure {
  if (error instanceof WhorlError) return { code: error.code, message: error.message };
  return { code: 'NODE_RUNNER_FAILED', message: (error as Error).message };
}
