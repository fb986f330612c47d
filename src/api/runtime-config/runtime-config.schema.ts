import { z } from 'zod';
import { ChannelName } from '#contract/ids.js';
import { AppParams } from '../apps/app.schema.js';

export const CONFIG_TYPES = ['application/toml', 'application/json'] as const;

export const ChannelParams = AppParams.extend({ channel: ChannelName.describe('Name of the channel.') });

export const RuntimeConfigView = z.object({
  config: z.record(z.string(), z.unknown()).describe('By table, with the keys of the runtime configuration; `***` stands for what is secret.'),
  updatedAt: z.iso.datetime().nullable().describe('null: nothing is configured here.'),
});
export type RuntimeConfigView = z.infer<typeof RuntimeConfigView>;
