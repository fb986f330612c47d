import type { Fleet, Load, Outcome } from './fleet.mjs';

export const SCENARIOS: Record<string, (run: Run) => Promise<unknown>>;

/** A load on a fresh app, and scenarios under it. */
export class Run {
  round: number;
  readonly load: Load;
  /** @param options `rate` in requests/s in all; `settleMs` is waited after each scenario */
  static begin(fleet: Fleet, options: { rate: number; settleMs?: number }): Promise<Run>;
  act(name: string): Promise<void>;
  end(): Promise<{ outcome: Outcome; byScenario: Record<string, Outcome & { times: number; ms: number[] }> }>;
}
