import type { ErrorCode } from '#contract/errors.js';
import { InstanceLost, LimitTrap } from '#engine/run/host.js';
import { GuestExit } from '#runtime/capability/cli/guest-exit.js';

/** How an invocation ended when it did not end well. */
export interface Failure {
  code: ErrorCode;
  /** For the log alone: a client gets a status and nothing else. */
  message: string;
}

/** The one who asked is gone: nobody's fault, and no error in the usage. */
export class ClientGone extends Error {
  override name = 'ClientGone';
  constructor() {
    super('the client hung up');
  }
}

const LIMIT_CODES = {
  cpu: 'COMPONENT_CPU_LIMIT',
  wall: 'COMPONENT_WALL_LIMIT',
  memory: 'COMPONENT_MEMORY_LIMIT',
  handles: 'COMPONENT_RESOURCE_LIMIT',
  allocation: 'COMPONENT_RESOURCE_LIMIT',
  'host-memory': 'COMPONENT_HOST_MEMORY_LIMIT',
} as const satisfies Record<LimitTrap['limit'], ErrorCode>;

/** undefined: the guest ended its invocation by itself, with success. */
export function toFailure(error: unknown): Failure | undefined {
  if (error instanceof GuestExit && error.code === 0) return undefined;
  if (error instanceof LimitTrap) return { code: LIMIT_CODES[error.limit], message: error.message };
  if (error instanceof InstanceLost) return { code: 'COMPONENT_INSTANCE_LOST', message: error.message };
  if (error instanceof Error) return { code: 'COMPONENT_TRAP', message: `${error.name === 'Error' ? '' : `${error.name}: `}${error.message}` };
  return { code: 'COMPONENT_TRAP', message: String(error) };
}

/** Of a slot that could not be made. V8 says nothing better when a process has as many memories as its address space can hold. */
export function toStartFailure(error: unknown): Failure {
  const { message } = error as Error;
  if (error instanceof RangeError && message.includes('could not allocate memory')) return { code: 'COMPONENT_BUSY', message: 'this runner has no room for one more instance' };
  return { code: 'COMPONENT_START_FAILED', message };
}

export function isCpuLimit(error: unknown): boolean {
  return error instanceof LimitTrap && error.limit === 'cpu';
}
