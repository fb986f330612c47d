import { z } from 'zod';
import { Verdict } from './analysis/verdict.js';

/** What became of one step of a rollout; the one after the last gives the version all requests. */
/** How long a node took to switch, since the control plane asked for it. */
export const NodeSwitch = z.object({
  node: z.string(),
  switchedMs: z.number().describe('Until every runner of the node had switched; at most, since news of it take a moment.'),
  lastOldAnswerMs: z.number().nullable().describe('Until the last request was over that was answered by what was served before; null: some went on for longer than a second after the switch, or the node does not say.'),
});
export type NodeSwitch = z.infer<typeof NodeSwitch>;

export const StepRecord = z.object({
  step: z.int().describe('Its index, from 0: what an approval names.'),
  percent: z.number(),
  shadow: z.boolean().optional().describe('Its percentage is of copies of requests, whose answers nobody sees.'),
  generation: z.int().describe('Of the deployment that it made.'),
  askedAt: z.iso.datetime(),
  servedAt: z.iso.datetime().nullable().describe('Since when every live node serves it; its time counts from then.'),
  approvedBy: z.string().nullable().describe('Name of the token that let it go on.'),
  nodes: z.array(NodeSwitch).optional().describe('How long each node took to switch to it, once all have.'),
  verdict: Verdict.nullable().describe('The last one in it; null: nothing was judged.'),
});
export type StepRecord = z.infer<typeof StepRecord>;

/** The steps with the last one changed. */
export function changeLast(steps: readonly StepRecord[], change: Partial<StepRecord>): StepRecord[] {
  return steps.map((step, i) => (i === steps.length - 1 ? { ...step, ...change } : step));
}
