import { z } from 'zod';
import { VersionNumber } from '#contract/ids.js';
import { GROUPS, OVERDUE_MS } from '#contract/samples.js';
import { Histogram, NO_DURATIONS, totalOf } from './histogram.js';

/**
 * What a node reports of the versions under comparison, once a second: counts that add up, and histograms. Only requests that a trigger began are
 * counted; what a component asked of another one of its app belongs to the request that it was asked for.
 */

const count = z.int().nonnegative();

/**
 * The requests of a version by group, three numbers each: requests, errors, and how many are among the slowest twentieth of the interval (above the bucket
 * that `SLOW_LEVEL` of the node's requests to the version reaches). The group is the eighth of the hash that chooses the version: of the
 * client's key where clients stick to versions, so that those who move first are in the same groups, else of the request id. How much groups of one version
 * differ is how much versions may differ without being different.
 */
const Groups = z.array(count).length(3 * GROUPS);

export const Sample = z
  .strictObject({
    version: VersionNumber,
    component: z.string().min(1).max(64),
    started: count.describe('Requests sent to it in the interval, by whoever chose the version.'),
    requests: count.describe('Requests that ended in the interval, or grew overdue: each once.'),
    errors: count.describe(
      'Of those, how many failed: 500 and above, traps, limits, overdue, lost with their runner. A fault that takes several requests of one instance along counts once.',
    ),
    traps: count.default(0),
    limits: count.default(0).describe('Requests that a limit stopped.'),
    overdue: count.default(0).describe(`Requests without an answer for ${OVERDUE_MS} ms. They count as they grow overdue, and not again when they end.`),
    latency: Histogram.default(NO_DURATIONS).describe('Of requests in instances that were there before; an overdue one has what it took so far.'),
    cpu: Histogram.default(NO_DURATIONS).describe('CPU time of the same requests.'),
    groups: Groups.optional(),
  })
  .superRefine((sample, context) => {
    const within = (part: 'errors' | 'traps' | 'limits' | 'overdue', whole: 'requests' | 'errors'): void => {
      if (sample[part] > sample[whole]) context.addIssue({ code: 'custom', path: [part], message: `${sample[part]} are more than the ${sample[whole]} ${whole}` });
    };
    within('errors', 'requests');
    for (const part of ['traps', 'limits', 'overdue'] as const) within(part, 'errors');
    for (const part of ['latency', 'cpu'] as const) {
      const total = totalOf(sample[part]);
      if (total > sample.requests) context.addIssue({ code: 'custom', path: [part], message: `${total} durations are more than the ${sample.requests} requests` });
    }
  });
export type Sample = z.infer<typeof Sample>;

/** One second of one node. Sent again until it is taken; taken once. */
export const IntervalReport = z.strictObject({
  source: z.string().min(1).max(128).describe('The node and its start: `seq` begins at 1 with each.'),
  seq: z.int().min(1),
  samples: z.array(Sample).max(256),
});
export type IntervalReport = z.infer<typeof IntervalReport>;

/** As it is judged: with the time at which the control plane took it, so that nodes' clocks do not matter. */
export const Interval = IntervalReport.extend({ atMs: z.int().nonnegative() });
export type Interval = z.infer<typeof Interval>;
