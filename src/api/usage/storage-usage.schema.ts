import { z } from 'zod';
import { Instant } from './usage.schema.js';

export const StorageUsageQuery = z
  .object({
    from: Instant.optional().describe('Samples from then on; without it those of the last 30 days.'),
    to: Instant.optional().describe('Samples before then; without it up to now.'),
  })
  .refine(({ from, to }) => !from || !to || from <= to, { path: ['to'], message: 'is before from' });
export type StorageUsageQuery = z.infer<typeof StorageUsageQuery>;

const Held = z.object({
  versionsBytes: z.int().describe('What was pushed for versions whose bytes are there; not what the platform builds of it.'),
  repositoriesBytes: z.int().describe('Manifests and blobs of repositories.'),
  uploadsBytes: z.int().describe('Whole files of uploads by digest that are under way.'),
  totalBytes: z.int().describe('All of it; what is held several times counts once.'),
});

export const StorageUsageView = Held.extend({
  org: z.string(),
  quotaBytes: z.int().nullable().describe('What the organisation may keep; null: as much as there is room for.'),
  samples: z.array(Held.extend({ at: z.iso.datetime() })).describe('What it was before, about every hour, the oldest first.'),
});
export type StorageUsageView = z.infer<typeof StorageUsageView>;
export type StorageSampleView = StorageUsageView['samples'][number];
