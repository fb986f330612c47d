import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import { Lifetime } from '#platform/lifetime.js';
import { Log } from '#platform/log.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import type { ChannelRecord } from '../apps/app.js';
import type { Held } from '../channels/gate.js';
import { GatesService } from '../channels/gates.service.js';
import { FleetService } from '../nodes/fleet.service.js';
import { next, type StepEvent } from './analysis/steps.js';
import { JudgeService, policyOf } from './judge.service.js';
import { nextStep, type Step } from './rollout-state.js';
import { RolloutRepository, type RolloutRecord } from './rollout.repository.js';
import { changeLast } from './step-record.js';
import { type Situation, StepperService } from './stepper.service.js';

/** How often deadlines, judgements and lost nodes are looked for; everything else is taken up when a node reports. */
const TICK_MS = 1_000;

/** Moves rollouts along. Any replica may, under the lock of the app: what to do is decided from the tables alone. */
@Injectable()
export class AdvanceService implements OnApplicationBootstrap {
  // oxlint-disable-next-line max-params -- what is injected
  constructor(
    private readonly repository: RolloutRepository,
    private readonly stepper: StepperService,
    private readonly judge: JudgeService,
    private readonly fleet: FleetService,
    private readonly prisma: PrismaService,
    private readonly lifetime: Lifetime,
    private readonly log: Log,
    private readonly gates: GatesService,
  ) {}

  onApplicationBootstrap(): void {
    void this.run(this.lifetime.signal);
  }

  /** Moves every active rollout as far as the nodes' reports allow. */
  async advanceAll(): Promise<void> {
    for (const channelId of await this.repository.activeChannels()) {
      await this.prisma.transaction(async (db) => {
        const channel = await this.repository.lockChannel(db, channelId);
        if (channel) await this.advance(db, channel, await this.repository.active(db, channelId));
      });
    }
  }

  /**
   * As `advanceAll`, for the active rollouts (oldest first) of one channel, in a transaction that holds its lock. True when
   * something moved, which is then announced.
   */
  async advance(db: Db, channel: ChannelRecord, active: RolloutRecord[]): Promise<boolean> {
    if (active.length === 0) return false;
    const { nodes, now } = await this.fleet.of(channel, db);
    let moved = false;
    for (const rollout of active) {
      const builds = await this.repository.buildsOf(db, channel.appId, rollout.version);
      // One may have ended by another that was begun just now. What is served already needs no switch and goes on at once.
      for (let again = true; again && !rollout.endedAt; ) {
        const step = nextStep({ ...rollout, begunAt: rollout.decidedAt ?? rollout.createdAt, channelGeneration: channel.generation, builds }, nodes, now);
        again = await this.take(db, { channel, rollout, active, now, nodes }, step);
        moved ||= again;
      }
    }
    if (moved) await this.repository.announce(db, channel.appId);
    return moved;
  }

  /** Lets a step go on. Throws API_ROLLOUT_DECIDED when it does not wait for that. */
  async approveStep(db: Db, channel: ChannelRecord, rollout: RolloutRecord, { index, by }: { index: number; by: string }): Promise<void> {
    if (!rollout.progress && rollout.gate !== null && !rollout.endedAt && index === 0) {
      await this.stepper.override(db, rollout, 0);
      await this.advance(db, channel, await this.repository.active(db, channel.id));
      Object.assign(rollout, await this.repository.find(rollout.id, db));
      return;
    }
    await this.tell(db, channel, rollout, (atMs) => ({ kind: 'approve', atMs, index, by }));
  }

  /** Ends a rollout; what was served before is served again. Throws API_ROLLOUT_DECIDED when it has ended. */
  async abort(db: Db, channel: ChannelRecord, rollout: RolloutRecord, { by, reason }: { by: string; reason: string | undefined }): Promise<void> {
    if (rollout.progress) {
      await this.tell(db, channel, rollout, (atMs) => ({ kind: 'abort', atMs, by, ...(reason !== undefined && { reason }) }));
      return;
    }
    if (rollout.endedAt) throw new WhorlError('API_ROLLOUT_DECIDED', `the rollout is over: ${rollout.state}`);
    const failure = { code: 'API_ROLLOUT_ABORTED', message: `${by} ended it${reason === undefined ? '' : `: ${reason}`}` };
    await this.stepper.end(db, rollout, { state: 'aborted', failure });
    await this.repository.announce(db, channel.appId);
  }

  /** What somebody says about a rollout under way. */
  private async tell(db: Db, channel: ChannelRecord, rollout: RolloutRecord, event: (atMs: number) => StepEvent): Promise<void> {
    // One that another has ended stands in its record where it was then: its progress does not say so.
    if (rollout.endedAt) throw new WhorlError('API_ROLLOUT_DECIDED', `the rollout is over: ${rollout.state}`);
    if (!rollout.progress) throw new WhorlError('API_ROLLOUT_DECIDED', 'the rollout has not begun its first step');
    const { now, nodes } = await this.fleet.of(channel, db);
    const said = event(now.getTime());
    // What a gate has stopped may be approved of once more: that goes over the gate.
    const isStopped = said.kind === 'approve' && rollout.gate !== null;
    const outcome = next(isStopped ? { ...rollout.progress, approvedBy: null } : rollout.progress, said, policyOf(rollout));
    if (outcome.decision.kind === 'refuse') throw new WhorlError('API_ROLLOUT_DECIDED', outcome.decision.reason);
    if (said.kind === 'approve') {
      await this.stepper.change(db, rollout, { steps: changeLast(rollout.steps ?? [], { approvedBy: said.by }) });
      if (isStopped) await this.stepper.override(db, rollout, rollout.progress.index + 1);
    }
    const held = goesOn(outcome) ? await this.gates.heldBy(db, rollout, now) : null;
    if (held && said.kind === 'approve') {
      // The approval counts; the next look goes on with it when the channel is open.
      await this.stepper.change(db, rollout, { progress: { ...rollout.progress, state: 'progressing', approvedBy: said.by, pausedMs: null, reason: null } });
      await this.hold(db, rollout, held);
    } else {
      await this.stepper.carry(db, { channel, rollout, active: [rollout], now, nodes }, outcome, said.kind === 'approve' ? said.by : null);
    }
    await this.repository.announce(db, channel.appId);
  }

  /** True when something changed that others wait for. */
  private async take(db: Db, situation: Situation, step: Step): Promise<boolean> {
    const { channel, rollout, now } = situation;
    switch (step.kind) {
      case 'wait':
        if (rollout.held && rollout.phase === 'preparing') return this.release(db, situation);
        if (step.deadlineAt?.getTime() !== rollout.deadlineAt?.getTime()) await this.stepper.change(db, rollout, { deadlineAt: step.deadlineAt });
        // Some nodes have switched: the version may fail there while others are waited for.
        return this.stepper.isPartial(rollout) ? this.look(db, situation) : false;
      case 'begin': {
        const held = await this.gates.heldBy(db, rollout, now);
        if (held) return this.hold(db, rollout, held);
        if (rollout.held) await this.stepper.change(db, rollout, { held: null });
        return this.stepper.begin(db, situation);
      }
      case 'switched':
        return this.stepper.switched(db, situation);
      case 'look':
        return this.look(db, situation);
      case 'supersede':
        await this.stepper.end(db, rollout, { state: 'aborted', failure: { code: 'API_ROLLOUT_SUPERSEDED', message: 'a later rollout went ahead' } });
        return true;
      case 'revert':
        await this.stepper.revert(db, situation);
        break;
      case 'fail':
        break;
    }
    await this.stepper.end(db, rollout, { state: 'rolled_back', failure: step.failure });
    await this.repository.setFailure(db, channel, rollout.version, step.failure);
    this.log.warn('a rollout failed', { app: channel.app, version: rollout.version, ...step.failure });
    return true;
  }

  /** Looks at the time of a step, and at how the version does in it. */
  private async look(db: Db, situation: Situation): Promise<boolean> {
    const { channel, rollout, now } = situation;
    const verdict = await this.judge.look(db, channel.appId, rollout, now);
    await this.stepper.change(db, rollout, { verdict, steps: changeLast(rollout.steps ?? [], { verdict }) });
    const outcome = next(rollout.progress!, { kind: 'look', atMs: now.getTime(), verdict }, policyOf(rollout));
    const held = goesOn(outcome) ? await this.gates.heldBy(db, rollout, now) : null;
    if (held) return this.hold(db, rollout, held);
    if (rollout.held) await this.stepper.change(db, rollout, { held: null });
    return this.stepper.carry(db, situation, outcome);
  }

  /** The channel lets nothing be rolled out now: it waits where it is, for as long as that takes. True when that is new. */
  private async hold(db: Db, rollout: RolloutRecord, held: Held): Promise<boolean> {
    if (rollout.state === 'paused' && isDeepStrictEqual(rollout.held, held)) return false;
    await this.stepper.change(db, rollout, { state: 'paused', held, deadlineAt: null });
    return true;
  }

  /** One that waits and is not prepared everywhere has all its time from when the channel is open again. */
  private async release(db: Db, { rollout, now }: Situation): Promise<boolean> {
    const held = await this.gates.heldBy(db, rollout, now);
    if (held) return this.hold(db, rollout, held);
    await this.stepper.change(db, rollout, { state: 'progressing', held: null, deadlineAt: null });
    return true;
  }

  private async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.prisma.transaction(async (db) => {
          if (await this.repository.tryLead(db)) await this.advanceAll();
        });
      } catch (error) {
        this.log.warn('could not look after the rollouts', { error });
      }
      await sleep(TICK_MS, undefined, { signal, ref: false }).catch(() => {});
    }
  }
}

const goesOn = ({ decision: { kind } }: ReturnType<typeof next>): boolean => kind === 'go-on' || kind === 'promote';
