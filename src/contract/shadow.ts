import { z } from 'zod';
import { VersionNumber } from './ids.js';

/**
 * Copies of requests (docs/adr/0036): while a channel serves one version, another one on the same nodes gets a copy of a share of the requests.
 * Nobody sees what it answers, and nothing that it does has an effect; nodes say how its answers compare with those that clients got.
 */

/** By which a guest can tell a copy, a boolean of RFC 9651. Clients cannot send it: no field of a client's whose name begins with `whorl-` is passed on. */
export const SHADOW_MARK = ['whorl-shadow', '?1'] as const;

const FieldName = z.string().regex(/^[!#$%&'*+.^_`|~0-9a-z-]{1,64}$/, 'expected the name of a header field in lower case');
/** Fields of answers that are not compared, besides those that are never the same. */
export const IgnoredFields = z.array(FieldName).max(64);

export const Shadow = z.object({
  version: VersionNumber,
  /** Of the requests, how many are copied. */
  percent: z.number().gt(0).max(100),
  ignoredFields: IgnoredFields,
});
export type Shadow = z.infer<typeof Shadow>;

/**
 * Why the answer to a request was not compared:
 * - `busy`: too many copies wait, or copies have had their share of the processor;
 * - `tooLarge`: a body of more than MAX_COPIED_BYTES, of the request or of an answer;
 * - `unread`: the old version answered without reading the whole body, and the rest had not come;
 * - `heavy`: it takes too much CPU for a copy, in the old version or in the new one;
 * - `refused`: the new version asked for an effect, so that what it answered says nothing;
 * - `unanswered`: the client left before it had its answer, or it broke off;
 * - `notReady`: the new version was not loaded yet.
 */
export const SKIP_REASONS = ['busy', 'tooLarge', 'unread', 'heavy', 'refused', 'unanswered', 'notReady'] as const;
export const SkipReason = z.enum(SKIP_REASONS);
export type SkipReason = z.infer<typeof SkipReason>;

export const MAX_COPIED_BYTES = 1024 * 1024;
/** Of each component, in one report of a node; of a rollout, altogether. */
export const MAX_EXAMPLES = 10;

const count = z.int().nonnegative();
const pair = z.tuple([count, count]);

/** One answer that differed: what of it, and nothing of what it said. */
export const ShadowExample = z.strictObject({
  atMs: count,
  method: z.string().max(32),
  path: z.string().max(256).describe('Without the query.'),
  status: pair.optional().describe('Of the old version and of the new one, where they differ.'),
  fields: z.array(z.string().max(64)).max(16).describe('Names of header fields that differ.'),
  bodyBytes: pair.optional().describe('How long the two bodies are, where they differ.'),
});
export type ShadowExample = z.infer<typeof ShadowExample>;

/** Of the requests that one component of the old version answered. The counts add up over time and nodes. */
export const ComponentShadow = z.strictObject({
  component: z.string().min(1).max(64),
  equal: count,
  different: count,
  skipped: z.partialRecord(SkipReason, count),
  examples: z.array(ShadowExample).max(MAX_EXAMPLES),
});
export type ComponentShadow = z.infer<typeof ComponentShadow>;

/** What a node says of copies to one version. */
export const ShadowReport = z.strictObject({ version: VersionNumber, components: z.array(ComponentShadow).max(256) });
export type ShadowReport = z.infer<typeof ShadowReport>;

/** Adds reports of one component up; of the examples the first ones are kept. Pure. */
export function addShadows(a: ComponentShadow, b: ComponentShadow): ComponentShadow {
  const skipped = { ...a.skipped };
  for (const [reason, more] of Object.entries(b.skipped) as [SkipReason, number][]) skipped[reason] = (skipped[reason] ?? 0) + more;
  return { component: a.component, equal: a.equal + b.equal, different: a.different + b.different, skipped, examples: [...a.examples, ...b.examples].slice(0, MAX_EXAMPLES) };
}

/** The components of several reports of one version, each once. Pure. */
export function mergeShadows(known: readonly ComponentShadow[], more: readonly ComponentShadow[]): ComponentShadow[] {
  const merged = new Map(known.map((each) => [each.component, each]));
  for (const each of more) {
    const before = merged.get(each.component);
    merged.set(each.component, before ? addShadows(before, each) : each);
  }
  return [...merged.values()];
}
