/** A variable has no value that could be given. The message is for the guest, `reason` for the log; neither holds a value or a credential. */
export class VariableFault extends Error {
  override name = 'VariableFault';

  constructor(message: string, readonly reason: string = message) {
    super(message);
  }
}
