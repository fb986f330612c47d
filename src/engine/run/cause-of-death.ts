import { LimitTrap } from './host.js';
import type { Meter } from './meter.js';
import { isError } from './promise.js';

/** What a slot died of. A check that strikes shows as `unreachable`. */
export function causeOfDeath(cause: unknown, meter: Meter): Error {
  if (!isError(cause)) return new Error(String(cause));
  const isUnreachable = cause.name === 'RuntimeError' && cause.message.includes('unreachable');
  return isUnreachable && meter.isOver ? new LimitTrap('cpu', 'the CPU time of the invocation is used up') : cause;
}
