import semver from 'semver';
import { Glob } from '#contract/bundle/glob.js';
import { isAttachedTag } from '#contract/image-trust.js';

/** Which tags are deployed when they are pushed: those that match a pattern, or versions within a range (Semantic Versioning 2.0). */
export type TagRule = { kind: 'tags'; pattern: string } | { kind: 'semver'; pattern: string };

/** A push that nothing was decided about yet. */
export interface PendingPush {
  id: bigint;
  tag: string;
  pushedAt: Date;
}

export interface Decision<P extends PendingPush> {
  /** To be deployed now. */
  chosen: P | undefined;
  /** Not to be deployed, each with the reason. */
  skipped: { push: P; reason: string }[];
}

/** Why the rule is none; undefined when it is one. */
export function checkRule({ kind, pattern }: TagRule): string | undefined {
  if (kind === 'semver') return semver.validRange(pattern) === null ? 'expected a range of versions, such as "^1.2", "1.x" or ">=2.0.0 <3.0.0"' : undefined;
  try {
    new Glob(pattern, { crossesSlash: true });
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** A tag is a version with or without a `v` before it; build metadata has no place in a tag. What is attached to an image is no image, whatever the pattern. */
export function matchesRule({ kind, pattern }: TagRule, tag: string): boolean {
  if (isAttachedTag(tag)) return false;
  if (kind === 'tags') return new Glob(pattern, { crossesSlash: true }).matches(tag);
  const version = semver.parse(tag);
  return version !== null && semver.satisfies(version, pattern);
}

/**
 * Chooses among pushes of tags that match: by a pattern the last one, by a range the highest version, and never one below `newest`, which was
 * deployed before.
 */
export function decide<P extends PendingPush>(rule: TagRule, pending: readonly P[], newest: string | null): Decision<P> {
  const order = rule.kind === 'semver' ? (a: P, b: P): number => semver.compare(a.tag, b.tag) || byTime(a, b) : byTime;
  const [chosen, ...others] = pending.toSorted(order).reverse();
  if (!chosen) return { chosen: undefined, skipped: [] };
  if (rule.kind === 'semver' && newest !== null && semver.lt(chosen.tag, newest)) {
    return { chosen: undefined, skipped: [chosen, ...others].map((push) => ({ push, reason: `${newest} is newer, and was deployed before` })) };
  }
  return { chosen, skipped: others.map((push) => ({ push, reason: reasonFor(rule, push, chosen) })) };
}

const byTime = (a: PendingPush, b: PendingPush): number => a.pushedAt.getTime() - b.pushedAt.getTime() || Number(a.id - b.id);

function reasonFor({ kind }: TagRule, push: PendingPush, chosen: PendingPush): string {
  if (push.tag === chosen.tag) return 'the tag was pushed again';
  return kind === 'semver' ? `${chosen.tag} is newer` : `${chosen.tag} was pushed after it`;
}
