import type { Flat } from '#engine/run/abi/layout.js';
import { fixedArity } from './arity.js';
import type { Parts } from './parts.js';
import type { CoreSignature } from './thunk.js';

/**
 * The core function behind trampoline `id`. Whatever it throws ends the slot's life before the guest could catch it; one that may
 * wait gets a thunk that can suspend the caller.
 */
export function importFunction(parts: Parts, id: number, signature: CoreSignature, call: (flat: Flat) => unknown): WebAssembly.CoreFunction {
  const { scheduler } = parts;
  const guarded = (flat: Flat): unknown => {
    // code of a dead slot may still be on its way out of a stack, and may catch what it is thrown
    if (scheduler.dead) throw scheduler.dead;
    try {
      return call(flat);
    } catch (error) {
      scheduler.fail(error);
      throw scheduler.dead;
    }
  };
  return parts.analysis.mayWait(id) ? parts.stacks.waiting(signature, guarded) : fixedArity(signature.params.length, guarded);
}
