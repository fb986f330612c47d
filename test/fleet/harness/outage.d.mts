import type { Fleet, Outcome } from './fleet.mjs';

/** Everything but the nodes goes away for `seconds` under a load of `rate` requests/s, and comes back; a node is restarted meanwhile. */
export function outage(fleet: Fleet, options: { rate: number; seconds: number; apps?: string[] }): Promise<{
  outcome: Outcome;
  /** What is served where, which versions there are, and the files of the store. */
  before: unknown;
  after: unknown;
  /** Requests by `app/version`: that were answered, and that the platform has counted. */
  answered: Record<string, number>;
  usage: Record<string, number>;
}>;
