import { Injectable } from '@nestjs/common';
import type { TrafficShare } from '#contract/assignment.js';
import type { VersionNumber } from '#contract/ids.js';
import { Log } from '#platform/log.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import { type ChannelRecord, servesOnly } from '../apps/app.js';
import { beginSteps, type Decision, isCopying, next, stepsOf } from './analysis/steps.js';
import { parseStrategy, type Strategy } from './analysis/strategy.js';
import { JudgeService, policyOf } from './judge.service.js';
import { type Failure, type NodeSituation, SWITCH_TIMEOUT_MS } from './rollout-state.js';
import { type Before, type DeploymentCause, RolloutRepository, type RolloutRecord, type RolloutUpdate, type Stable } from './rollout.repository.js';
import { toShadowRecord } from './shadow/shadow-record.js';
import { changeLast, type StepRecord } from './step-record.js';
import { nodeSwitches } from './switch-times.js';
import { ValuesBackService } from './values-back.service.js';
import { AnnouncerService, type Moment } from './webhooks/announcer.service.js';
import type { GateDecision } from './webhooks/gate-decision.js';

/** A rollout under way, in a transaction that holds the lock of its app. */
export interface Situation {
  channel: ChannelRecord;
  rollout: RolloutRecord;
  /** All active ones of the channel, oldest first. */
  active: RolloutRecord[];
  now: Date;
  /** The nodes that were looked at. */
  nodes: readonly NodeSituation[];
}

interface NextGeneration {
  why: Omit<DeploymentCause, 'causedBy' | 'rolloutId'>;
  /** Whose values the variables are to have again. */
  back?: Parameters<ValuesBackService['give']>[2];
}

type Outcome = ReturnType<typeof next>;
type Ending = Pick<RolloutRecord, 'state'> & Partial<Pick<RolloutRecord, 'failure' | 'decidedBy' | 'decidedAt' | 'progress'>>;

/** Carries out what the steps of a rollout come to: each change of what is served is a generation of the channel. */
@Injectable()
export class StepperService {
  constructor(
    private readonly repository: RolloutRepository,
    private readonly judge: JudgeService,
    private readonly valuesBack: ValuesBackService,
    private readonly announcer: AnnouncerService,
    private readonly log: Log,
  ) {}

  /** Every node has the version: its first step, or all requests where there is none. What is replaced by it ends. */
  async begin(db: Db, situation: Situation): Promise<boolean> {
    const { channel, rollout, active, now } = situation;
    const older = active.filter((each) => each.id < rollout.id && !each.endedAt);
    const partial = older.find((each) => this.isPartial(each));
    const before: Before = partial?.before ?? { serve: channel.serve, previousVersion: channel.previousVersion, variablesRevision: await this.repository.valuesRevision(db, channel.appId) };
    const served = before.serve[0]?.version;
    // Where nothing else is served there is nothing to go to it from, and nothing to compare it with.
    const strategy: Strategy = served === undefined || served === rollout.version ? { kind: 'now' } : (parseStrategy(rollout.strategy) as Strategy);
    const outcome = beginSteps(strategy, now.getTime());
    const gates = await this.askGates(db, situation, outcome);
    if (gates.kind !== 'open') return this.hold(db, situation, gates);
    for (const each of older) if (each.phase === 'preparing' || each === partial) await this.replace(db, each, rollout, served);
    await this.change(db, rollout, { before });
    await this.judge.end(db, channel.id);
    return this.carry(db, situation, outcome);
  }

  /** Every node serves what the rollout asked for last. */
  async switched(db: Db, situation: Situation): Promise<boolean> {
    const { channel, rollout, now, nodes } = situation;
    const progress = rollout.progress!;
    const asked = rollout.steps?.at(-1);
    const times = asked && { nodes: nodeSwitches(nodes, asked.generation, new Date(asked.askedAt)) };
    const outcome = next(progress, { kind: 'served', atMs: now.getTime(), index: progress.index }, policyOf(rollout));
    await this.change(db, rollout, { phase: outcome.decision.kind === 'finish' ? 'switching' : 'holding', deadlineAt: null, steps: changeLast(rollout.steps ?? [], { servedAt: now.toISOString(), ...times }) });
    if (outcome.decision.kind !== 'finish') await this.judge.enterStep(db, channel.appId, rollout, now);
    await this.carry(db, situation, outcome);
    return true;
  }

  /**
   * Does what was decided, a step when its gates let it begin. True when something changed that others wait for.
   * @param approvedBy who has just approved of the step before
   */
  async carry(db: Db, situation: Situation, { progress, decision }: Outcome, approvedBy: string | null = null): Promise<boolean> {
    const { channel, rollout, now } = situation;
    switch (decision.kind) {
      case 'go-on':
      case 'promote': {
        const gates = await this.askGates(db, situation, { progress, decision });
        if (gates.kind !== 'open') return this.hold(db, situation, gates, approvedBy);
        await this.announcer.tell(db, rollout, 'rollout.step', momentOf(decision));
        const percent = decision.kind === 'promote' ? 100 : decision.percent;
        const shadow = decision.kind === 'go-on' && decision.shadow;
        if (shadow) await this.serveCopies(db, situation, percent);
        else await this.serveShare(db, situation, percent);
        const step: StepRecord = { step: decision.index, percent, ...(shadow && { shadow }), generation: channel.generation, askedAt: now.toISOString(), servedAt: null, approvedBy: null, verdict: null };
        const deadlineAt = new Date(now.getTime() + SWITCH_TIMEOUT_MS);
        await this.change(db, rollout, { state: progress.state, phase: 'switching', progress, steps: [...(rollout.steps ?? []), step], generation: channel.generation, deadlineAt, gate: null });
        return true;
      }
      case 'finish':
        await this.end(db, rollout, { state: 'promoted', progress });
        await this.repository.setFailure(db, channel, rollout.version, null);
        return true;
      case 'roll-back':
        return this.rollBack(db, situation, { progress, decision });
      default: {
        const moved = progress.state !== rollout.state;
        await this.change(db, rollout, { state: progress.state, progress });
        if (moved && progress.state === 'paused') await this.announcer.tell(db, rollout, 'rollout.paused', { step: progress.index, reason: progress.reason ?? '' });
        return moved;
      }
    }
  }

  /** Somebody lets the step begin that gates do not. */
  async override(db: Db, rollout: RolloutRecord, step: number): Promise<void> {
    await this.announcer.override(db, rollout, step);
    await this.change(db, rollout, { gate: null, ...(!rollout.progress && { state: 'progressing' }) });
  }

  /** Serves again what was served before the rollout, unless a later one has replaced it. */
  async revert(db: Db, { channel, rollout }: Pick<Situation, 'channel' | 'rollout'>): Promise<void> {
    if (channel.generation !== rollout.generation) return;
    const back = rollout.keepVariables ? undefined : { revision: rollout.before!.variablesRevision };
    await this.serve(db, { channel, rollout }, rollout.before!, { why: { cause: 'revert' }, ...(back && { back }) });
  }

  /** Ends a rollout, in its record too. */
  async end(db: Db, rollout: RolloutRecord, change: Ending): Promise<void> {
    await this.repository.update(db, rollout.id, { ...change, ended: true });
    if (rollout.progress) await this.judge.end(db, rollout.channelId);
    Object.assign(rollout, change, { endedAt: new Date() });
    if (isEnding(rollout.state)) await this.announcer.tell(db, rollout, `rollout.${rollout.state}`, rollout.failure ? { reason: rollout.failure.message } : {});
  }

  /** Changes a rollout, in its record too. */
  async change(db: Db, rollout: RolloutRecord, change: Omit<RolloutUpdate, 'ended'>): Promise<void> {
    await this.repository.update(db, rollout.id, change);
    Object.assign(rollout, change);
  }

  /** Whether it has given its version a part of the requests, and not all. */
  isPartial({ progress, endedAt }: RolloutRecord): boolean {
    return progress !== null && endedAt === null && progress.index < stepsOf(progress.strategy).length;
  }

  /** A rollback waits for nobody. */
  private async askGates(db: Db, { rollout, now }: Situation, { decision }: Outcome): Promise<GateDecision> {
    if (rollout.cause === 'rollback' || (decision.kind !== 'go-on' && decision.kind !== 'promote')) return { kind: 'open' };
    return this.announcer.askGates(db, rollout, momentOf(decision), now);
  }

  /** Gates do not let a step begin, or not yet: the rollout stays where it is. */
  // oxlint-disable-next-line max-params -- which rollout, why, and what is to be remembered
  private async hold(db: Db, { rollout, now }: Situation, gates: Exclude<GateDecision, { kind: 'open' }>, approvedBy: string | null = null): Promise<boolean> {
    const { progress, state } = rollout;
    const step = { step: progress ? progress.index + 1 : 0 };
    if (gates.kind === 'wait') {
      const goesOn = approvedBy !== null || (state === 'paused' && (rollout.gate !== null || progress === null));
      if (goesOn) await this.change(db, rollout, { state: 'progressing', gate: null, ...(progress && { progress: { ...progress, state: 'progressing', pausedMs: null, reason: null, approvedBy: approvedBy ?? progress.approvedBy } }) });
      return goesOn;
    }
    const { reason } = gates;
    await this.change(db, rollout, { state: 'paused', gate: reason, ...(progress && { progress: { ...progress, state: 'paused', pausedMs: progress.pausedMs ?? now.getTime(), approvedBy: approvedBy ?? progress.approvedBy, reason } }) });
    if (state === 'paused') return false;
    await this.announcer.tell(db, rollout, 'rollout.paused', { ...step, reason });
    return true;
  }

  /** By the verdict, or because somebody said so. */
  private async rollBack(db: Db, situation: Situation, { progress, decision }: Outcome): Promise<true> {
    const { channel, rollout } = situation;
    const aborted = progress.state === 'aborted';
    const failure: Failure = { code: aborted ? 'API_ROLLOUT_ABORTED' : 'API_ROLLOUT_ROLLED_BACK', message: (decision as { reason: string }).reason };
    await this.revert(db, situation);
    await this.end(db, rollout, { state: progress.state, progress, failure });
    if (!aborted) await this.repository.setFailure(db, channel, rollout.version, failure);
    this.log.warn('a version is rolled back', { app: channel.app, version: rollout.version, ...failure });
    return true;
  }

  /** An older rollout must not take requests any more. */
  private async replace(db: Db, older: RolloutRecord, by: RolloutRecord, served: number | undefined): Promise<void> {
    const isBack = older.progress !== null && by.cause === 'rollback' && by.version === served;
    if (isBack) await this.end(db, older, { state: 'rolled_back', failure: { code: 'API_ROLLOUT_ROLLED_BACK', message: `${by.causedBy} rolled back` } });
    else await this.end(db, older, { state: 'aborted', failure: { code: 'API_ROLLOUT_SUPERSEDED', message: 'a later rollout went ahead' } });
  }

  /** The old version stands first: the share of the new one grows from the end of the order that clients stand in (runtime/trigger/split.ts). */
  private async serveShare(db: Db, { channel, rollout, active }: Situation, percent: number): Promise<void> {
    const { cause, keyHeader } = rollout;
    const version = rollout.version as VersionNumber;
    const { serve: served, previousVersion } = rollout.before!;
    const old = served[0]?.version;
    if (percent < 100) {
      const serve: TrafficShare[] = [{ version: old!, percent: withoutNoise(100 - percent) }, { version, percent }];
      return this.serve(db, { channel, rollout }, { serve, previousVersion }, { why: { cause, keyHeader } });
    }
    if (servesOnly(channel, version) && !active.some(({ progress }) => isCopying(progress))) return;
    const back = cause === 'rollback' && !rollout.keepVariables ? { version } : undefined;
    const stable = { serve: [{ version, percent: 100 }], previousVersion: old === undefined || old === version ? previousVersion : old };
    await this.serve(db, { channel, rollout }, stable, { why: { cause }, ...(back && { back }) });
  }

  /** What was served before goes on, and the version gets copies. */
  private async serveCopies(db: Db, { channel, rollout }: Situation, percent: number): Promise<void> {
    const { cause, version, before, shadow } = rollout;
    const ignoredFields = toShadowRecord(shadow)?.settings.ignoredFields ?? [];
    await this.serve(db, { channel, rollout }, before!, { why: { cause, shadow: { version: version as VersionNumber, percent, ignoredFields } } });
  }

  /** The next generation of the channel. On a way `back` the values of the variables go with it, in the same transaction. */
  private async serve(db: Db, { channel, rollout }: Pick<Situation, 'channel' | 'rollout'>, { serve, previousVersion }: Stable, { why, back }: NextGeneration): Promise<void> {
    const { causedBy, id: rolloutId } = rollout;
    const before = await this.repository.valuesRevision(db, channel.appId);
    const { after, values } = back ? await this.valuesBack.give(db, channel, back, causedBy) : { after: before, values: undefined };
    if (values) await this.change(db, rollout, { restored: values });
    Object.assign(channel, { serve, previousVersion, generation: channel.generation + 1 });
    await this.repository.deploy(db, channel, { ...why, causedBy, rolloutId, values: { before, after } });
  }
}

const isEnding = (state: RolloutRecord['state']): state is 'promoted' | 'rolled_back' | 'aborted' => state !== 'progressing' && state !== 'paused';

/** What webhooks are told of a step that is about to begin. */
function momentOf(decision: Extract<Decision, { kind: 'go-on' | 'promote' }>): Moment & { step: number } {
  return { step: decision.index, percent: decision.kind === 'promote' ? 100 : decision.percent, ...(decision.kind === 'go-on' && decision.shadow && { shadow: true }) };
}

/** Shares are tenths of a percent, and numbers are not. */
const withoutNoise = (percent: number): number => Math.round(percent * 10) / 10;
