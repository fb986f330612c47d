import { z } from 'zod';
import { Verdict } from './analysis/verdict.js';

/** What became of one step of a rollout; the one after the last gives the version all requests. */
export const StepRecord = z.object({
  step: z.int().describe('Its index, from 0: what an approval names.'),
  percent: z.number(),
  generation: z.int().describe('Of the deployment that it made.'),
  askedAt: z.iso.datetime(),
  servedAt: z.iso.datetime().nullable().describe('Since when every live node serves it; its time counts from then.'),
  approvedBy: z.string().nullable().describe('Name of the token that let it go on.'),
  verdict: Verdict.nullable().describe('The last one in it; null: nothing was judged.'),
});
export type StepRecord = z.infer<typeof StepRecord>;

/** The steps with the last one changed. */
export function changeLast(steps: readonly StepRecord[], change: Partial<StepRecord>): StepRecord[] {
  return steps.map((step, i) => (i === steps.length - 1 ? { ...step, ...change } : step));
}
