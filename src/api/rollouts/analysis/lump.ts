import { z } from 'zod';
import { GROUPS } from '#contract/samples.js';

/**
 * How many requests go the same way together. E-values count each error as one fault of its own; where one fault makes several (a client that
 * retries), or where the same clients always meet the same version, the evidence of each is worth less, by this factor.
 * It is learned from groups of the baseline alone, so that neither a faulty candidate nor an outage of both moves it. Dividing
 * the logarithm of an e-value by a number from 1 upwards that was known before keeps it one.
 */
export const Lump = z.strictObject({
  /** Within blocks: what the groups' errors differ by, squared, and what that would be if each came by itself. */
  square: z.number(),
  expected: z.number(),
  /** By group, from the beginning. */
  requests: z.array(z.number()).length(GROUPS),
  errors: z.array(z.number()).length(GROUPS),
  slow: z.array(z.number()).length(GROUPS),
});
export type Lump = z.infer<typeof Lump>;

/** Errors that are assumed to have come by themselves, before any has been seen. */
const PRIOR = 5;
/** The same for differences between groups. */
const PRIOR_GROUPS = 2;
/** The candidate may have had more requests than a group; the factor is taken as far as this many times. */
const FURTHEST = 8;
/** Eight groups show less than all of what clients may differ by. */
const UNSEEN = 3;

/** Requests of a group before it is compared. */
const GROUP_LEAST = 50;

export function newLump(): Lump {
  const none = Array.from({ length: GROUPS }, () => 0);
  return { square: PRIOR, expected: PRIOR, requests: none, errors: none, slow: none };
}

/** Adds the groups of one block: three numbers each, as in `Sample`. */
export function stepLump(lump: Lump, groups: readonly number[]): Lump {
  if (groups.length === 0) return lump;
  const part = (offset: number): number[] => Array.from({ length: GROUPS }, (_, g) => groups[3 * g + offset]!);
  const [requests, errors, slow] = [part(0), part(1), part(2)];
  const [all, failed] = [sum(requests), sum(errors)];
  let { square, expected } = lump;
  if (all > 0) {
    for (let g = 0; g < GROUPS; g++) {
      const share = requests[g]! / all;
      square += (errors[g]! - failed * share) ** 2;
      expected += failed * share * (1 - share);
    }
  }
  return { square, expected, requests: add(lump.requests, requests), errors: add(lump.errors, errors), slow: add(lump.slow, slow) };
}

/** What log e-values of rates and of durations are divided by, each at least 1. */
export interface Division {
  rates: number;
  durations: number;
}

/** @param candidateRequests what the candidate has had so far; where clients stick to versions, differences between them grow with it */
export function divisionOf(lump: Lump, { sticky, candidateRequests }: { sticky: boolean; candidateRequests: number }): Division {
  const within = Math.max(1, lump.square / lump.expected);
  const all = sum(lump.requests);
  if (!sticky || all === 0) return { rates: within, durations: 1 };
  const reach = UNSEEN * Math.min(FURTHEST, (candidateRequests * GROUPS) / all);
  return {
    rates: Math.max(within, 1 + reach * (dispersionOf(lump.requests, lump.errors) - 1)),
    durations: 1 + reach * (dispersionOf(lump.requests, lump.slow) - 1),
  };
}

/** What groups differ by, over what they would if requests were alike: from 1 upwards. */
function dispersionOf(requests: readonly number[], events: readonly number[]): number {
  const share = sum(events) / sum(requests);
  if (share <= 0 || share >= 1) return 1;
  let squares = PRIOR_GROUPS;
  for (let g = 0; g < GROUPS; g++) if (requests[g]! > 0) squares += (events[g]! - requests[g]! * share) ** 2 / (requests[g]! * share * (1 - share));
  return Math.max(1, squares / (PRIOR_GROUPS + GROUPS - 1));
}

/**
 * The shares of errors and of slow requests in the worst group. Where clients stick to versions, a few clients may be all that a version has against it: it
 * has to be clearly worse than the worst eighth of the other's clients too.
 */
export function worstGroupOf({ requests, errors, slow }: Lump): { errors: number; slow: number } {
  const worst = (events: readonly number[]): number => Math.max(0, ...events.map((count, g) => (requests[g]! >= GROUP_LEAST ? count / requests[g]! : 0)));
  return { errors: worst(errors), slow: worst(slow) };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function add(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, i) => value + b[i]!);
}
