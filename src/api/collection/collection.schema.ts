import { z } from 'zod';
import { CollectionReport } from '#contract/collection.js';

/** A client that waits longer looks again; proxies end requests that take minutes. */
const MAX_WAIT_S = 120;

export const CollectionParams = z.object({ collection: z.uuid().describe('Id of the collection.') });

export const CollectionRequest = z.object({ dryRun: z.boolean().default(false).describe('Say what would be deleted, and delete nothing.') });

export const CollectionQuery = z.object({ wait: z.coerce.number().int().min(0).max(MAX_WAIT_S).default(0).describe('Seconds to wait until it is done.') });

export const CollectionView = z.object({
  id: z.uuid(),
  state: z.enum(['running', 'done', 'failed']),
  dryRun: z.boolean(),
  requestedBy: z.string().describe('Name of the token; `schedule` when it was due.'),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
  report: CollectionReport.nullable().describe('null: not done.'),
  failure: z.object({ code: z.string(), message: z.string() }).nullable(),
});
export type CollectionView = z.infer<typeof CollectionView>;


const MAX_KEPT = 100_000;

export const KeepRequest = z.strictObject({
  versions: z.int().min(1).max(MAX_KEPT).nullable().default(null).describe('The newest versions that did not fail, so many; null: as the platform.'),
  days: z.int().min(1).max(MAX_KEPT).nullable().default(null).describe('Days after a version was last pushed or served; null: as the platform.'),
});
export type KeepRequest = z.infer<typeof KeepRequest>;

export const KeepView = z.object({
  versions: z.int().describe('So many of the newest versions that did not fail are kept.'),
  days: z.int().describe('So long a version is kept after it was last pushed or served.'),
  own: z.object({ versions: z.int().nullable(), days: z.int().nullable() }).describe('What is set for this app; null: as the platform.'),
});
export type KeepView = z.infer<typeof KeepView>;
