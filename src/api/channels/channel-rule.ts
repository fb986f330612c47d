import semver from 'semver';
import { z } from 'zod';
import { VersionNumber } from '#contract/ids.js';
import { RuleRequest } from '../deploy-on-push/deploy-on-push.schema.js';

/** What leads a channel to a version by itself, but for pushes to the registry, which the table deploy_on_push has. */
export const StoredRule = z.union([
  z.strictObject({ pinned: VersionNumber.describe('This version, and no other.') }),
  z.strictObject({ latest: z.literal(true).describe('Each new version that is pushed.') }),
  z.strictObject({ semver: z.string().min(1).max(256).refine((text) => semver.validRange(text) !== null, 'expected a range of versions, such as "^1.2", "1.x" or ">=2.0.0 <3.0.0"').describe('The highest version within the range, by [application] version of the manifest, else by the tag of the image.') }),
]);
export type StoredRule = z.infer<typeof StoredRule>;

export const ChannelRule = z.union([StoredRule, z.strictObject({ push: RuleRequest.describe('Tags that are deployed when they are pushed to the repository of the app.') })]);
export type ChannelRule = z.infer<typeof ChannelRule>;

/** A version, as far as rules look at it. */
export interface RuledVersion {
  number: number;
  /** Semantic version; null: it has none. */
  semver: string | null;
}

/** What a rule comes to. */
export interface Choice {
  /** To be rolled out; null: what is there stays. */
  version: number | null;
  why: string;
}

/** `[application] version` of the manifest, else the tag of the image that it was made of, where that is a semantic version; a `v` may stand before it. */
export function semverOf(manifestVersion: string | undefined, imageReference: string | null): string | null {
  const tag = imageReference === null ? undefined : /:([^:/@]+)(?:@.*)?$/.exec(imageReference)?.[1];
  return [manifestVersion, tag].map((text) => (text === undefined ? null : semver.valid(text))).find((text) => text !== null) ?? null;
}

/** What a rule comes to when a version is pushed. `target`: what the channel serves, or is on its way to. Pure. */
export function onPush(rule: StoredRule, pushed: RuledVersion, target: RuledVersion | null): Choice {
  if ('pinned' in rule) return pushed.number === rule.pinned ? go(pushed, `the channel is pinned to it`) : stay(`the channel is pinned to version ${rule.pinned}`);
  if ('latest' in rule) return !target || pushed.number > target.number ? go(pushed, 'it is the latest') : stay(`version ${pushed.number} is not newer than version ${target.number}`);
  if (pushed.semver === null) return stay(`version ${pushed.number} has no semantic version`);
  if (!semver.satisfies(pushed.semver, rule.semver)) return stay(`${pushed.semver} is not within ${rule.semver}`);
  const isWithin = target !== null && target.semver !== null && semver.satisfies(target.semver, rule.semver);
  if (isWithin && isLower(pushed, target)) return stay(`${pushed.semver} (version ${pushed.number}) is below ${target.semver} (version ${target.number})`);
  return go(pushed, `${pushed.semver} is the highest within ${rule.semver}`);
}

/** What a rule comes to when it is set; `versions` are those that can be served and did not fail. Pure. */
export function onSet(rule: StoredRule, versions: readonly RuledVersion[]): Choice {
  if ('pinned' in rule) return { version: rule.pinned, why: 'the channel is pinned to it' };
  if ('latest' in rule) {
    const newest = versions.reduce<RuledVersion | null>((best, each) => (!best || each.number > best.number ? each : best), null);
    return newest ? go(newest, 'it is the latest') : stay('no version can be served');
  }
  const within = versions.filter((each) => each.semver !== null && semver.satisfies(each.semver, rule.semver));
  const highest = within.reduce<RuledVersion | null>((best, each) => (!best || isLower(best, each) ? each : best), null);
  return highest ? go(highest, `${highest.semver} is the highest within ${rule.semver}`) : stay(`no version is within ${rule.semver}`);
}

/** Of two with the same semantic version the older one is lower. */
function isLower(one: RuledVersion, other: RuledVersion): boolean {
  return (semver.compare(one.semver!, other.semver!) || one.number - other.number) < 0;
}

const go = ({ number }: RuledVersion, why: string): Choice => ({ version: number, why });
const stay = (why: string): Choice => ({ version: null, why });
