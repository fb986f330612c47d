import { z } from 'zod';
import { VersionNumber } from '#contract/ids.js';
import { Histogram, NO_DURATIONS } from './histogram.js';
import { newLump, Lump } from './lump.js';
import { AnalysisPolicy, Signal } from './policy.js';
import { newHarm } from './harm.js';
import { newProof } from './proof.js';
import { Counts, Source } from './source.js';

/**
 * What is known of a rollout between two looks: plain JSON, some kilobytes for each component. Who stores it with the reports it has taken goes on
 * after any restart with the same verdicts, and spends no evidence twice.
 */

const count = z.int().nonnegative();
const logs = z.array(z.number());

/** What one version did, added up over some time. */
export const Arm = z.strictObject({
  started: count,
  requests: count,
  errors: count,
  traps: count,
  limits: count,
  overdue: count,
  latency: Histogram,
  cpu: Histogram,
});
export type Arm = z.infer<typeof Arm>;

const Arms = z.strictObject({ candidate: Arm, baseline: Arm });
export type Arms = z.infer<typeof Arms>;

/** What is compared by itself: the whole app, or one component. */
export const Unit = z.strictObject({
  component: z.string().nullable().describe('null: the whole app.'),
  weight: z.number(),
  open: Arms.describe('The block that waits for enough requests of both.'),
  groups: z.array(count).describe('Of the baseline, in the open block.'),
  closedMs: count.nullable().describe('When the last block was closed.'),
  ageMs: count,
  learned: z.strictObject({ latency: Histogram, cpu: Histogram }).describe('Of the baseline, earlier than the open block.'),
  lump: Lump,
  candidate: Arm.describe('From the beginning.'),
  harm: z.partialRecord(Signal, z.array(logs)).describe('Bets by signal and level.'),
  shown: Arms.describe('Since the step began, for people.'),
});
export type Unit = z.infer<typeof Unit>;

/** What is judged against what. */
export const Subject = z.strictObject({
  candidate: VersionNumber,
  baseline: VersionNumber,
  components: z
    .array(z.string().min(1))
    .max(64)
    .default([])
    .describe('Those that both versions have, with the same triggers: judged by themselves too. The rest, and the only one of an app, count in the whole.'),
  sticky: z.boolean().default(false).describe('Clients stay with a version.'),
});
export type Subject = z.infer<typeof Subject>;

export const AnalysisState = z.strictObject({
  format: z.literal(1),
  policy: AnalysisPolicy,
  subject: Subject,
  units: z.array(Unit).min(1).describe('The whole app first.'),
  proof: z.partialRecord(Signal, z.array(logs)).describe('That the candidate is not clearly worse, since the step began.'),
  sources: z.record(z.string(), Source),
  traffic: Counts.describe('Requests of all sources in this step.'),
  stepMs: count.describe('When the step began.'),
  lastMs: count.nullable(),
  before: z.strictObject({ requests: count, errors: count }).describe('The baseline before the candidate had its first request.'),
  recent: z.strictObject({ requests: z.number(), errors: z.number() }).describe('Both versions, lately.'),
  seen: z.boolean().describe('Whether the candidate has had a request.'),
  failed: z.strictObject({ atMs: count, component: z.string().nullable(), signal: Signal }).nullable(),
});
export type AnalysisState = z.infer<typeof AnalysisState>;

export const NO_REQUESTS: Arm = { started: 0, requests: 0, errors: 0, traps: 0, limits: 0, overdue: 0, latency: NO_DURATIONS, cpu: NO_DURATIONS };
export const NO_ARMS: Arms = { candidate: NO_REQUESTS, baseline: NO_REQUESTS };

const NO_TRAFFIC: Counts = { candidate: 0, baseline: 0 };

/** Half of the chance of a false alarm is the whole's, the rest is shared by the components. */
const WHOLE_WEIGHT = 0.5;

/**
 * A judgement that has seen nothing. Intervals from before the first step may be given to it: they teach what is usual.
 * A rollout of the same version that is tried again goes on with the state it had, or it spends the chance of a false alarm again.
 */
export function begin(policy: AnalysisPolicy, subject: z.input<typeof Subject>): AnalysisState {
  const { components, ...rest } = Subject.parse(subject);
  const alone = components.length < 2 ? [] : components;
  const unit = (component: string | null, weight: number): Unit => ({
    component, weight, open: NO_ARMS, groups: [], closedMs: null, ageMs: 0, learned: { latency: NO_DURATIONS, cpu: NO_DURATIONS },
    lump: newLump(), candidate: NO_REQUESTS, harm: newHarm(policy), shown: NO_ARMS,
  });
  return {
    format: 1,
    policy,
    subject: { ...rest, components: alone },
    units: [unit(null, alone.length === 0 ? 1 : WHOLE_WEIGHT), ...alone.map((component) => unit(component, (1 - WHOLE_WEIGHT) / alone.length))],
    proof: newProof(policy),
    sources: {},
    traffic: NO_TRAFFIC,
    stepMs: 0,
    lastMs: null,
    before: { requests: 0, errors: 0 },
    recent: { requests: 0, errors: 0 },
    seen: false,
    failed: null,
  };
}

/** The next step has begun: what speaks against the version stays, that it is sound has to be shown again at the new share. */
export function enterStep(state: AnalysisState, atMs: number): AnalysisState {
  const sources = Object.fromEntries(Object.entries(state.sources).map(([name, source]) => [name, { ...source, lately: NO_TRAFFIC }]));
  // A block is of one share: what waits for more requests is let go of.
  const units = state.units.map((unit) => ({ ...unit, open: NO_ARMS, groups: [], shown: NO_ARMS }));
  return { ...state, stepMs: atMs, sources, traffic: NO_TRAFFIC, proof: newProof(state.policy), units };
}
