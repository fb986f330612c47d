import { z } from 'zod';

/** Where what is pushed comes from, as the query of a push says it. */
export const SourceQuery = z.object({
  sourceCommit: z.string().regex(/^[\x21-\x7e]{1,200}$/, 'expected 1 to 200 visible ASCII characters').optional().describe('The commit that it was made of.'),
  sourceRef: z.string().min(1).max(500).optional().describe('The branch or tag of that.'),
  sourceUrl: z.url({ protocol: /^https?$/ }).max(2000).optional().describe('Where people look at it.'),
  sourceTime: z.iso.datetime({ offset: true }).transform((text) => new Date(text).toISOString()).optional().describe('When it was committed: an older one does not replace a newer one.'),
  sourceSequence: z.coerce.number().pipe(z.int().min(0)).optional().describe('A number that grows with each run of what pushes, such as that of a CI run: goes before the time.'),
});
export type SourceQuery = z.infer<typeof SourceQuery>;

export const Source = z.object({
  commit: z.string().optional(),
  ref: z.string().optional(),
  url: z.string().optional(),
  time: z.iso.datetime().optional(),
  sequence: z.int().optional(),
});
export type Source = z.infer<typeof Source>;

/** undefined: the push says nothing. */
export function toSource({ sourceCommit: commit, sourceRef: ref, sourceUrl: url, sourceTime: time, sourceSequence: sequence }: SourceQuery): Source | undefined {
  const source = { ...(commit !== undefined && { commit }), ...(ref !== undefined && { ref }), ...(url !== undefined && { url }), ...(time !== undefined && { time }), ...(sequence !== undefined && { sequence }) };
  return Object.keys(source).length > 0 ? source : undefined;
}

/**
 * Whether one source is older than another: by their sequences where both have one, else by their times. What has neither in common, or is of the same commit, is
 * not older. Pure.
 */
export function isOlder(one: Source, other: Source): boolean {
  if (one.commit !== undefined && one.commit === other.commit) return false;
  if (one.sequence !== undefined && other.sequence !== undefined) return one.sequence < other.sequence;
  return one.time !== undefined && other.time !== undefined && Date.parse(one.time) < Date.parse(other.time);
}

export function describeSource({ commit, ref, time, sequence }: Source): string {
  const what = commit === undefined ? 'a source' : `commit ${commit}`;
  const parts = [...(ref === undefined ? [] : [`of ${ref}`]), ...(sequence === undefined ? [] : [`run ${sequence}`]), ...(time === undefined ? [] : [`of ${time}`])];
  return [what, ...parts].join(' ');
}
