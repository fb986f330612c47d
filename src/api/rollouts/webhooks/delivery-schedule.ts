const S = 1_000;
/** Between a try that failed and the next, of what only tells. */
const DELAYS_MS = [S, 5 * S, 30 * S, 120 * S, 600 * S, 3_600 * S, 6 * 3_600 * S];
/** A gate is asked again sooner: a rollout waits for it. */
const GATE_DELAYS_MS = [S, 2 * S, 5 * S];

export const MAX_ATTEMPTS = DELAYS_MS.length + 1;

/** How long after so many tries the next one comes; null: there is none. */
export function nextDelayMs(attempts: number, isGate: boolean): number | null {
  if (isGate) return GATE_DELAYS_MS[Math.min(attempts, GATE_DELAYS_MS.length) - 1]!;
  return DELAYS_MS[attempts - 1] ?? null;
}
