import type { CpuAccount } from './cpu-account.js';
import { LimitTrap } from './host.js';
import type { Meter } from './meter.js';
import { isError } from './promise.js';

/** What a slot died of. A check that strikes shows as `unreachable`. `account`: of the task that it came of, as far as that is known. */
export function causeOfDeath(cause: unknown, meter: Meter, account: CpuAccount | null): Error {
  if (!isError(cause)) return new Error(String(cause));
  const isUnreachable = cause.name === 'RuntimeError' && cause.message.includes('unreachable');
  return isUnreachable && account && meter.isOver(account) ? new LimitTrap('cpu', 'the CPU time of the invocation is used up') : cause;
}
