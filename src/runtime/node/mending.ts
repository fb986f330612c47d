import { WhorlError } from '#contract/errors.js';
import type { CommandFailure } from './runner-protocol.js';

/** What a runner has asked its supervisor to mend, until it is. */
export class Mending {
  private readonly calls = new Map<number, PromiseWithResolvers<void>>();
  private last = 0;

  /** @param say sends the question; the answer comes by `settle`. Rejects with a WhorlError. */
  ask(say: (call: number) => void): Promise<void> {
    const call = ++this.last;
    const answer = Promise.withResolvers<void>();
    this.calls.set(call, answer);
    say(call);
    return answer.promise;
  }

  settle(call: number, failure: CommandFailure | undefined): undefined {
    const answer = this.calls.get(call);
    this.calls.delete(call);
    if (failure) answer?.reject(new WhorlError(failure.code, failure.message));
    else answer?.resolve();
  }
}
