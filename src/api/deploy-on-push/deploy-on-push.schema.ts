import { z } from 'zod';
import { AppName, BlobDigest, ChannelName, VersionNumber } from '#contract/ids.js';
import { checkRule, type TagRule } from './tag-rule.js';

const pattern = (kind: TagRule['kind']) => z.string().min(1).max(256).superRefine((text, context) => {
  const problem = checkRule({ kind, pattern: text });
  if (problem) context.addIssue({ code: 'custom', message: problem });
});

const tags = pattern('tags').optional().describe('A pattern of tags: `*`, `release-*`, `v[0-9]*`. The last push counts.');
const semver = pattern('semver').optional().describe('A range of versions, as in `^1.2` or `>=2.0.0 <3.0.0`; tags may begin with `v`. The highest version counts, and an older one never takes its place.');

/** Exactly one of the two. */
export const RuleRequest = z.strictObject({ tags, semver }).refine((rule) => (rule.tags === undefined) !== (rule.semver === undefined), 'give either `tags` or `semver`');

const PushOutcome = z.object({
  tag: z.string(),
  digest: BlobDigest.describe('Of the image.'),
  pushedAt: z.iso.datetime(),
  state: z.enum(['pending', 'deployed', 'skipped', 'failed']).describe('deployed: a version was made and its rollout begun. skipped: another push went before. pending with a reason: it is tried again.'),
  version: VersionNumber.nullable(),
  reason: z.object({ code: z.string(), message: z.string() }).optional(),
});

export const RuleView = z.object({
  app: AppName,
  channel: ChannelName,
  rule: z.object({ tags: z.string().optional(), semver: z.string().optional() }).nullable().describe('null: pushes deploy nothing.'),
  setBy: z.string().nullable().describe('Name of the token.'),
  setAt: z.iso.datetime().nullable().describe('Pushes from then on count.'),
  pushes: z.array(PushOutcome).describe('Pushes of tags that matched, the latest first.'),
});
export type RuleView = z.infer<typeof RuleView>;
