import { Injectable } from '@nestjs/common';
import type { LockedApp } from '#contract/bundle/locked-app.js';
import type { VersionNumber } from '#contract/ids.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import { observe } from './analysis/observe.js';
import { AnalysisPolicy, DEFAULT_POLICY } from './analysis/policy.js';
import { type AnalysisState, begin, enterStep } from './analysis/state.js';
import { type Verdict, verdict } from './analysis/verdict.js';
import { isCopying, stepsOf } from './analysis/steps.js';
import { JudgementRepository, type ReportedInterval } from './judgement.repository.js';
import type { RolloutRecord } from './rollout.repository.js';
import { judgeCopies, policyForCopies } from './shadow/judge-copies.js';
import { addReports, type ShadowRecord, toShadowRecord } from './shadow/shadow-record.js';

/** What is judged: a rollout that has begun, of an app that is locked. */
export type JudgedRollout = Pick<RolloutRecord, 'id' | 'channelId' | 'version' | 'policy' | 'before' | 'progress' | 'shadow'>;

/** An app with more is judged as a whole. */
const MAX_COMPONENTS = 64;

/** Judges the version of a rollout by what nodes report of it and of the old one. What it knows is stored: whoever looks next goes on. */
@Injectable()
export class JudgeService {
  constructor(private readonly repository: JudgementRepository) {}

  /** Takes up what nodes have reported since the last look, and says what is known by now. */
  async look(db: Db, appId: string, rollout: JudgedRollout, now: Date): Promise<Verdict> {
    let state = await this.stateOf(db, appId, rollout);
    const intervals = await this.repository.take(db, rollout.channelId);
    // One that is sent again was taken before.
    const fresh = intervals.filter(({ source, seq }) => seq > (state.sources[source]?.seq ?? 0));
    for (const interval of fresh) state = observe(state, interval);
    if (intervals.length > 0) await this.repository.put(db, rollout.id, state);
    const judged = verdict(state, now.getTime());
    const copies = await this.addCopies(db, rollout, fresh);
    return copies && isCopying(rollout.progress) ? judgeCopies(judged, copies, policyOf(rollout)) : judged;
  }

  /** The next step has begun: that the version is sound has to be shown again. */
  async enterStep(db: Db, appId: string, rollout: JudgedRollout, now: Date): Promise<void> {
    // With a share of its own a version is compared in another way than by copies: what those have shown counts for nothing here.
    const { strategy, index } = rollout.progress!;
    const isFirstShare = index > 0 && stepsOf(strategy)[index - 1]!.shadow;
    const state = isFirstShare ? await this.beginState(db, appId, rollout) : await this.stateOf(db, appId, rollout);
    await this.repository.put(db, rollout.id, enterStep(state, now.getTime()));
  }

  /** Lets go of what is kept for a rollout that has ended. */
  async end(db: Db, channelId: string): Promise<void> {
    await this.repository.take(db, channelId);
  }

  private async stateOf(db: Db, appId: string, rollout: JudgedRollout): Promise<AnalysisState> {
    return (await this.repository.find(db, rollout.id)) ?? this.beginState(db, appId, rollout);
  }

  private async beginState(db: Db, appId: string, rollout: JudgedRollout): Promise<AnalysisState> {
    const candidate = rollout.version as VersionNumber;
    const baseline = rollout.before!.serve[0]!.version;
    const [newApp, oldApp] = await this.repository.apps(db, appId, [candidate, baseline]);
    // Which requests are copied is drawn by lot: no client stays with a version.
    const copying = isCopying(rollout.progress);
    const policy = policyOf(rollout);
    return begin(copying ? policyForCopies(policy) : policy, { candidate, baseline, components: comparable(newApp, oldApp), sticky: !copying });
  }

  /** What nodes say of copies, with what they said before; null: the rollout makes none. */
  private async addCopies(db: Db, rollout: JudgedRollout, intervals: readonly ReportedInterval[]): Promise<ShadowRecord | null> {
    const record = toShadowRecord(rollout.shadow);
    const reports = intervals.flatMap(({ shadow }) => (shadow?.version === rollout.version ? [shadow.components] : []));
    if (!record || reports.length === 0) return record;
    const added = addReports(record, reports);
    rollout.shadow = added;
    await this.repository.putCopies(db, rollout.id, added);
    return added;
  }
}

/** As it is stored, maybe by a release that knew other keys. */
export function policyOf({ policy }: Pick<RolloutRecord, 'policy'>): AnalysisPolicy {
  return AnalysisPolicy.safeParse(policy ?? {}).data ?? DEFAULT_POLICY;
}

/** The components that both versions have, with the same triggers. */
export function comparable(one: LockedApp, other: LockedApp): string[] {
  const [own, others] = [triggersOf(one), triggersOf(other)];
  const both = [...own].filter(([component, triggers]) => others.get(component) === triggers).map(([component]) => component);
  return both.length > MAX_COMPONENTS ? [] : both;
}

function triggersOf({ triggers }: LockedApp): Map<string, string> {
  const byComponent = new Map<string, string[]>();
  for (const { component, route } of triggers) if (component !== undefined) byComponent.set(component, [...(byComponent.get(component) ?? []), route ?? '']);
  return new Map([...byComponent].map(([component, routes]) => [component, JSON.stringify(routes.sort())]));
}
