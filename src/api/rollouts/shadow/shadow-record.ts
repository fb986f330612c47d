import { z } from 'zod';
import { ComponentShadow, MAX_EXAMPLES, mergeShadows, ShadowExample, SKIP_REASONS, SkipReason } from '#contract/shadow.js';
import { ShadowSettings } from './shadow-settings.js';

/** What is kept of the copies of one rollout. */
export const ShadowRecord = z.object({ settings: ShadowSettings, components: z.array(ComponentShadow) });
export type ShadowRecord = z.infer<typeof ShadowRecord>;

/** As it is stored; null: its rollout copies nothing. */
export const toShadowRecord = (stored: unknown): ShadowRecord | null => ShadowRecord.safeParse(stored).data ?? null;

/** A version may have many components, and each has examples. */
const MAX_COMPONENTS = 256;

/** The record with what nodes have said since. Pure. */
export function addReports(record: ShadowRecord, reports: readonly (readonly ComponentShadow[])[]): ShadowRecord {
  return { ...record, components: reports.reduce(mergeShadows, record.components).slice(0, MAX_COMPONENTS) as ComponentShadow[] };
}

const count = z.int();

export const ShadowView = z.object({
  compared: count,
  equal: count,
  different: count,
  skipped: z
    .object(Object.fromEntries(SKIP_REASONS.map((reason) => [reason, count])) as Record<SkipReason, typeof count>)
    .describe(
      'Requests that were chosen and not compared. busy: copies have little of the processor, and wait behind clients. tooLarge: a body of more than 1 MiB. unread: the old version did not wait for the body. ' +
        'heavy: more CPU than a copy may use. refused: the version asked for an effect. unanswered: the client left. notReady: the version was not loaded.',
    ),
  components: z.array(z.object({ component: z.string(), compared: count, equal: count, different: count })).describe('Of the old version.'),
  examples: z.array(ShadowExample.extend({ component: z.string() })).describe('Some of the answers that differ.'),
});
export type ShadowView = z.infer<typeof ShadowView>;

export function toShadowView({ components }: ShadowRecord): ShadowView {
  const sum = (of: (each: ComponentShadow) => number): number => components.reduce((total, each) => total + of(each), 0);
  const [equal, different] = [sum((each) => each.equal), sum((each) => each.different)];
  return {
    compared: equal + different, equal, different,
    skipped: Object.fromEntries(SKIP_REASONS.map((reason) => [reason, sum(({ skipped }) => skipped[reason] ?? 0)])) as ShadowView['skipped'],
    components: components.map(({ component, ...each }) => ({ component, compared: each.equal + each.different, equal: each.equal, different: each.different })),
    examples: components.flatMap(({ component, examples }) => examples.map((example) => ({ component, ...example }))).slice(0, MAX_EXAMPLES),
  };
}
