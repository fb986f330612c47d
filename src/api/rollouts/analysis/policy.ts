import { z } from 'zod';

/**
 * How rollouts are judged: part of a channel's settings, of the call that begins a rollout, and of `[application.tool.whorl.analysis]` in snake case.
 * Every key has a default. A rollout keeps the policy it began with: thresholds that follow what was seen prove nothing.
 */

const ratio = z.number().min(0).max(1);
const factor = z.number().min(1).max(100);

/** Rates: errors, traps, limits. */
const rate = (what: string) =>
  z
    .strictObject({
      judge: z.boolean().default(true).describe(`Whether ${what} count.`),
      tolerated: factor.default(1.25).describe('Never rolled back below so many times (the old ratio + toleratedSlack).'),
      toleratedSlack: ratio.default(0.001),
      refused: factor.default(1.5).describe('Passed only when shown to be below so many times the old ratio, + refusedSlack.'),
      refusedSlack: ratio.min(0.0001).default(0.01).describe('0.01 takes about 450 requests without an error, 0.05 about 90.'),
    })
    .prefault({});

/** Durations: latency and CPU time. */
const duration = (what: string, tolerated: number, toleratedSlackMs: number) =>
  z
    .strictObject({
      judge: z.boolean().default(true).describe(`Whether ${what} counts.`),
      tolerated: factor.default(tolerated).describe('Never rolled back as long as it is at most so many times as much.'),
      toleratedSlackMs: z.number().min(0).max(60_000).default(toleratedSlackMs).describe('And at least so much more.'),
      refused: factor.default(1.5).describe('Passed only when half and nine tenths of the requests are shown to take less than so many times as much.'),
    })
    .prefault({});

export const AnalysisPolicy = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Without it steps go by time and approvals alone.'),
    dryRun: z.boolean().default(false).describe('Judge and say so, but change nothing.'),
    falseAlarms: z.number().min(0.0001).max(0.2).default(0.02).describe('How likely, at most, a tolerable version is rolled back, over the whole rollout.'),
    missed: z.number().min(0.001).max(0.5).default(0.05).describe('How likely, at most, a version that is to be refused is passed.'),
    minRequests: z.int().min(0).max(10_000_000).default(100).describe('Requests of the new version in a step before it can pass. A fault needs no minimum.'),
    warmUpMs: z.int().min(0).max(3_600_000).default(3_000).describe('Latency and CPU time of a node\'s first requests to the new version do not count for so long; errors do.'),
    warmUpRequests: z.int().min(0).max(1_000_000).default(20).describe('Nor do those of its first requests, so many on each node.'),
    onInsufficientData: z.enum(['pause', 'probe', 'go-on']).default('pause').describe('What a step does that cannot be judged: wait for somebody, send the probes of the app first, or go on unjudged.'),
    holdMs: z.int().min(0).max(86_400_000).default(300_000).describe('How long a step waits for a judgement beyond its own time.'),
    giveUpMs: z.int().min(1_000).max(2_592_000_000).default(86_400_000).describe('A rollout that waits for somebody for so long is rolled back.'),
    errors: rate('errors'),
    traps: rate('traps'),
    limits: rate('requests stopped by a limit'),
    latency: duration('latency', 1.1, 1),
    cpu: duration('CPU time', 1.25, 0.5),
  })
  .superRefine((policy, context) => {
    for (const name of [...RATES, ...DURATIONS]) {
      if (policy[name].refused < policy[name].tolerated) context.addIssue({ code: 'custom', path: [name, 'refused'], message: `must not be below tolerated, which is ${policy[name].tolerated}` });
    }
    for (const name of RATES) {
      const { toleratedSlack, refusedSlack, tolerated } = policy[name];
      if (refusedSlack < tolerated * toleratedSlack) context.addIssue({ code: 'custom', path: [name, 'refusedSlack'], message: 'must not be below what is tolerated (tolerated times toleratedSlack)' });
    }
    if (policy.enabled && ![...RATES, ...DURATIONS].some((name) => policy[name].judge)) context.addIssue({ code: 'custom', path: ['enabled'], message: 'nothing is left to judge: set enabled to false, or judge one of the signals' });
  });
export type AnalysisPolicy = z.infer<typeof AnalysisPolicy>;

export const RATES = ['errors', 'traps', 'limits'] as const;
export type Rate = (typeof RATES)[number];
export const DURATIONS = ['latency', 'cpu'] as const;
export type Duration = (typeof DURATIONS)[number];
export const Signal = z.enum([...RATES, ...DURATIONS]);
export type Signal = z.infer<typeof Signal>;

export const DEFAULT_POLICY: AnalysisPolicy = AnalysisPolicy.parse({});
