import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;

/** Query of every listing. `cursor` is the `next` of the page before. */
export const PageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(DEFAULT_LIMIT).describe('Items a page, at most.'),
  cursor: z.string().min(1).optional().describe('`next` of the page before.'),
});
export type PageQuery = z.infer<typeof PageQuery>;

/** A listing: `next` is null on the last page. */
export const pageOf = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item), next: z.string().nullable() });

export interface Page<T> {
  items: T[];
  next: string | null;
}

/**
 * Makes a page of rows that were asked for with one more than the limit; `keyOf` gives the sort key of a row.
 */
export function toPage<Row, T>(rows: Row[], limit: number, keyOf: (row: Row) => string, view: (row: Row) => T): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { items: shown.map(view), next: rows.length > limit && last !== undefined ? Buffer.from(keyOf(last)).toString('base64url') : null };
}

/** The sort key in a cursor. Throws API_INPUT_INVALID when it is none of ours. */
export function readCursor<T>(cursor: string | undefined, key: z.ZodType<T>): T | undefined {
  if (cursor === undefined) return undefined;
  const parsed = key.safeParse(Buffer.from(cursor, 'base64url').toString());
  if (!parsed.success) throw new WhorlError('API_INPUT_INVALID', 'cursor: not a cursor of this listing', { fields: { cursor: ['not a cursor of this listing'] } });
  return parsed.data;
}
