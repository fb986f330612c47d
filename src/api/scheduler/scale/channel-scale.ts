import { z } from 'zod';
import { LabelText } from '#contract/node-facts.js';

/** How many replicas a channel has, and on what nodes. */

const MAX_REPLICAS = 1_000;
const MAX_RULES = 32;

const LabelRule = z.strictObject({
  label: LabelText,
  operator: z.enum(['in', 'not-in']).describe('A node without the label is `not-in`.'),
  values: z.array(LabelText).min(1).max(MAX_RULES),
});

const Reserve = z.strictObject({
  memoryBytes: z.int().nonnegative().default(0),
  milliCores: z.int().nonnegative().default(0).describe('Thousandths of a core.'),
});

export const ChannelScale = z.strictObject({
  min: z.int().min(0).max(MAX_REPLICAS).default(0).describe('Replicas that it has at least, requests or not. 0: without requests it is on disk only.'),
  max: z.int().min(1).max(MAX_REPLICAS).nullable().default(null).describe('Replicas that it has at most; null: as many as its load asks for.'),
  reserve: Reserve.default({ memoryBytes: 0, milliCores: 0 }).describe('Kept free on a node beside each replica, so that the version before can be served again at once.'),
  affinity: z.strictObject({
    required: z.array(LabelRule).max(MAX_RULES).default([]).describe('A node must meet all of them.'),
    preferred: z.array(LabelRule).max(MAX_RULES).default([]).describe('Nodes that meet more of them are chosen first.'),
  }).default({ required: [], preferred: [] }),
  tolerations: z.array(z.strictObject({ key: LabelText, value: LabelText.optional() })).max(MAX_RULES).default([]).describe('Taints that do not keep it away; without a value, whatever value.'),
}).refine(({ min, max }) => max === null || min <= max, { path: ['min'], message: 'must not be more than max' });
export type ChannelScale = z.infer<typeof ChannelScale>;

export const DEFAULT_SCALE: ChannelScale = ChannelScale.parse({});
