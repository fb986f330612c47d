import { setTimeout as sleep } from 'node:timers/promises';

/** Returns when the condition holds. Throws when it does not within the time. */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  for (const begun = Date.now(); !(await condition()); await sleep(20)) {
    if (Date.now() - begun > timeoutMs) throw new Error(`it did not come to pass within ${timeoutMs} ms: ${condition}`);
  }
}
