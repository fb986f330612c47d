import { Trap } from '#engine/run/host.js';

/** A guest called `wasi:cli/exit`: its invocation ends here, whatever it had under way. Code 0 is no fault of the guest. */
export class GuestExit extends Trap {
  override name = 'GuestExit';

  constructor(readonly code: number) {
    super(`the guest exited with code ${code}`);
  }
}
