import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import type { TrafficShare } from '#contract/assignment.js';
import { Lifetime } from '#platform/lifetime.js';
import { Log } from '#platform/log.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import { type ChannelRecord, servesOnly } from '../apps/app.js';
import { FleetService } from '../nodes/fleet.service.js';
import { nextStep, type Step, SWITCH_TIMEOUT_MS } from './rollout-state.js';
import { RolloutRepository, type RolloutRecord } from './rollout.repository.js';

/** How often deadlines and lost nodes are looked for; everything else is taken up when a node reports. */
const TICK_MS = 1_000;

/** Moves rollouts along. Any replica may, under the lock of the app: what to do is decided from the tables alone. */
@Injectable()
export class AdvanceService implements OnApplicationBootstrap {
  constructor(
    private readonly repository: RolloutRepository,
    private readonly fleet: FleetService,
    private readonly prisma: PrismaService,
    private readonly lifetime: Lifetime,
    private readonly log: Log,
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
      // Superseded by one that was promoted just now.
      if (rollout.endedAt) continue;
      const builds = await this.repository.buildsOf(db, channel.appId, rollout.version);
      // Twice at most: what is served already needs no switch and is done at once.
      for (let again = true; again; ) {
        const step = nextStep({ ...rollout, begunAt: rollout.decidedAt ?? rollout.createdAt, channelGeneration: channel.generation, builds }, nodes, now);
        again = step.kind === 'promote';
        moved = (await this.take(db, { channel, rollout, active, now }, step)) || moved;
      }
    }
    if (moved) await this.repository.announce(db, channel.appId);
    return moved;
  }

  /** True when something changed that others wait for. */
  private async take(db: Db, situation: Situation, step: Step): Promise<boolean> {
    const { channel, rollout } = situation;
    switch (step.kind) {
      case 'wait':
        if (step.deadlineAt?.getTime() !== rollout.deadlineAt?.getTime()) await this.repository.update(db, rollout.id, { deadlineAt: step.deadlineAt });
        return false;
      case 'promote':
        await this.promote(db, situation);
        return true;
      case 'finish':
        await this.end(db, rollout, { state: 'done' });
        await this.repository.setFailure(db, channel, rollout.version, null);
        return true;
      case 'supersede':
        await this.end(db, rollout, { state: 'superseded' });
        return true;
      case 'revert':
        await this.serve(db, channel, { ...rollout.before!, cause: 'revert', causedBy: rollout.causedBy });
        break;
      case 'fail':
        break;
    }
    await this.end(db, rollout, { state: 'failed', failure: step.failure });
    await this.repository.setFailure(db, channel, rollout.version, step.failure);
    this.log.warn('a rollout failed', { app: channel.app, version: rollout.version, ...step.failure });
    return true;
  }

  private async promote(db: Db, { channel, rollout, active, now }: Situation): Promise<void> {
    const { version, cause, causedBy } = rollout;
    const before = { serve: channel.serve, previousVersion: channel.previousVersion };
    if (!servesOnly(channel, version)) {
      const serve = [{ version, percent: 100 }] as TrafficShare[];
      await this.serve(db, channel, { serve, previousVersion: channel.serve[0]?.version ?? channel.previousVersion, cause, causedBy });
    }
    // An older one that is ready later must not take the traffic back.
    for (const older of active) {
      if (older.id < rollout.id && older.state === 'preparing' && !older.endedAt) await this.end(db, older, { state: 'superseded' });
    }
    const change = { state: 'switching', generation: channel.generation, before, deadlineAt: new Date(now.getTime() + SWITCH_TIMEOUT_MS) } as const;
    await this.repository.update(db, rollout.id, change);
    Object.assign(rollout, change);
  }

  /** The next generation of the channel. */
  private async serve(db: Db, channel: ChannelRecord, next: Pick<ChannelRecord, 'serve' | 'previousVersion'> & { cause: string; causedBy: string }): Promise<void> {
    const { serve, previousVersion, ...why } = next;
    Object.assign(channel, { serve, previousVersion, generation: channel.generation + 1 });
    await this.repository.deploy(db, channel, why);
  }

  /** Ends a rollout, in its record too. */
  async end(db: Db, rollout: RolloutRecord, change: Pick<RolloutRecord, 'state'> & Partial<Pick<RolloutRecord, 'failure' | 'decidedBy' | 'decidedAt'>>): Promise<void> {
    await this.repository.update(db, rollout.id, { ...change, ended: true });
    Object.assign(rollout, change, { endedAt: new Date() });
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

interface Situation {
  channel: ChannelRecord;
  rollout: RolloutRecord;
  /** All active ones of the channel, oldest first. */
  active: RolloutRecord[];
  now: Date;
}
