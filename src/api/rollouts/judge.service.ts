import { Injectable } from '@nestjs/common';
import type { LockedApp } from '#contract/bundle/locked-app.js';
import type { VersionNumber } from '#contract/ids.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import { observe } from './analysis/observe.js';
import { AnalysisPolicy, DEFAULT_POLICY } from './analysis/policy.js';
import { type AnalysisState, begin, enterStep } from './analysis/state.js';
import { type Verdict, verdict } from './analysis/verdict.js';
import { JudgementRepository } from './judgement.repository.js';
import type { RolloutRecord } from './rollout.repository.js';

/** What is judged: a rollout that has begun, of an app that is locked. */
export type JudgedRollout = Pick<RolloutRecord, 'id' | 'channelId' | 'version' | 'policy' | 'before'>;

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
    for (const interval of intervals) state = observe(state, interval);
    if (intervals.length > 0) await this.repository.put(db, rollout.id, state);
    return verdict(state, now.getTime());
  }

  /** The next step has begun: that the version is sound has to be shown again. */
  async enterStep(db: Db, appId: string, rollout: JudgedRollout, now: Date): Promise<void> {
    await this.repository.put(db, rollout.id, enterStep(await this.stateOf(db, appId, rollout), now.getTime()));
  }

  /** Lets go of what is kept for a rollout that has ended. */
  async end(db: Db, channelId: string): Promise<void> {
    await this.repository.take(db, channelId);
  }

  private async stateOf(db: Db, appId: string, rollout: JudgedRollout): Promise<AnalysisState> {
    const known = await this.repository.find(db, rollout.id);
    if (known) return known;
    const candidate = rollout.version as VersionNumber;
    const baseline = rollout.before!.serve[0]!.version;
    const [newApp, oldApp] = await this.repository.apps(db, appId, [candidate, baseline]);
    return begin(policyOf(rollout), { candidate, baseline, components: comparable(newApp, oldApp), sticky: true });
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
