import { z } from 'zod';
import { ChannelName } from '#contract/ids.js';

/** Spin's rule for variable names: lower-case letters, digits and single underscores between them. */
const VariableName = z.string().regex(/^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/, 'expected lower-case letters and digits, in words joined by single underscores').max(128);
/** PostgreSQL's text holds no U+0000. */
const VariableValue = z.string().max(65_536).refine((value) => !value.includes('\0'), 'must not contain U+0000');

export const VariableChange = z.union([
  VariableValue.describe('The value.'),
  z.strictObject({ value: VariableValue, secret: z.boolean().default(false) }).describe('A value; a secret one is never shown again.'),
  z.null().describe('Removes the value.'),
]);
export type VariableChange = z.infer<typeof VariableChange>;

export const VariablesQuery = z.object({
  channel: ChannelName.optional().describe('A channel: its own values, which go before those without a channel. Without it the values in all channels that have none of their own.'),
});

/** By name. Names that are not given stay as they are. */
export const VariableChanges = z.record(VariableName, VariableChange);
export type VariableChanges = z.infer<typeof VariableChanges>;

export const VariableView = z.object({
  name: z.string(),
  secret: z.boolean(),
  set: z.boolean().describe('Whether a value was given.'),
  channel: ChannelName.optional().describe('The value is of this channel alone.'),
  value: z.string().optional().describe('The value given; never that of a secret.'),
  declared: z.boolean().describe("Whether the newest version's manifest names it."),
  required: z.boolean().describe('Declared without a default.'),
  default: z.string().optional(),
  description: z.string().optional(),
});
export type VariableView = z.infer<typeof VariableView>;

export const VariablesView = z.object({
  revision: z.int().describe('Grows with each change.'),
  items: z.array(VariableView),
});
export type VariablesView = z.infer<typeof VariablesView>;
